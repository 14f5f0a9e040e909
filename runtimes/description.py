"""What a model file says of itself: read from its metadata, checked before use, written by the exporter.

A second implementation can run the file from this alone: see ``docs/model-format.md``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import ModelError

FORMAT_KEY = "pse_sdk.format"
DESCRIPTION_KEY = "pse_sdk.description"
FORMAT_VERSION = 1
# Of what is added to a model's features: far above what training gives, far below where float32 ends.
LARGEST = 1e6


@dataclass(frozen=True)
class ModelDescription:
    """Sizes, costs and origin of one exported model.

    Parameters
    ----------
    sample_rate : of the audio that the model takes and gives, in Hz
    window, hop : samples; a frame is a window, and consecutive windows start a hop apart. Windows that come out
        are added where they overlap
    lookahead : newest hops of a window that are only looked at: what comes out is zero there
    blocks : L; depth and head are between 1 and L
    channels : length of the ``speaker`` input
    hidden_size, cell_size : states are [blocks, hidden_size] and [blocks, cell_size], zero at the start
    macs_per_second, parameters : at depth 1..L
    precision : how weights are stored: fp32, fp16 or int8
    anyone : the ``speaker`` input that stands for no enrolment
    speaker_dim : length of a speaker embedding; 0 for a model that cannot be personalised
    speaker_encoder : identity of the encoder whose embeddings the model was trained with
    speaker_projection : base64 of little-endian float16 [channels, speaker_dim]; it times an embedding is the
        ``speaker`` input for that voice
    weights : sha256 of the weights before rounding; files of any kind that hold the same model have the same
    self_test : what the model must answer to a fixed signal: see `self_test`
    architecture : the exporter's config, for the record; where its ``block`` is ``e3net``, states fade after long
        digital silence instead of beginning from zero
    training : data, recipe, seed, scores: for the record
    """

    name: str
    sample_rate: int
    window: int
    hop: int
    blocks: int
    channels: int
    hidden_size: int
    cell_size: int
    macs_per_second: tuple[float, ...]
    parameters: tuple[int, ...]
    precision: str
    licence: str
    lookahead: int = 0
    anyone: tuple[float, ...] = ()
    speaker_dim: int = 0
    speaker_encoder: str = ""
    speaker_projection: str = ""
    weights: str = ""
    self_test: str = ""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def written(self) -> int:
        """Samples at the beginning of a window that a model gives back."""
        return self.window - self.lookahead * self.hop

    @property
    def hop_seconds(self) -> float:
        return self.hop / self.sample_rate

    def project(self, embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The ``speaker`` input [channels] for a voice's embedding [speaker_dim]."""
        matrix = _unpack(self.speaker_projection).reshape(self.channels, self.speaker_dim)
        out: npt.NDArray[np.float32] = matrix @ embedding
        return out

    def to_metadata(self) -> dict[str, str]:
        return {FORMAT_KEY: str(FORMAT_VERSION), DESCRIPTION_KEY: json.dumps(dataclasses.asdict(self))}


def read_description(metadata: Mapping[str, str], where: str) -> ModelDescription:
    """Parse and check the metadata of a model file called ``where``; raises `ModelError`."""
    version = metadata.get(FORMAT_KEY)
    if version is None:
        raise ModelError(f"{where}: not a pse-sdk model (no {FORMAT_KEY} in its metadata); "
                         "`pse export` makes one")  # fmt: skip
    must_be_known(version, where)
    if DESCRIPTION_KEY not in metadata:
        raise ModelError(f"{where}: no model that enhances (no {DESCRIPTION_KEY} in its metadata); perhaps a speaker "
                         "encoder")  # fmt: skip
    try:
        description = ModelDescription(**known_fields(ModelDescription, json.loads(metadata[DESCRIPTION_KEY])))
        _check(description)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: its description is damaged ({error}); export the model again") from error
    return description


def must_be_known(version: str | None, where: str) -> None:
    """Raise `ModelError` for a file of another format than this version reads."""
    if version != str(FORMAT_VERSION):
        raise ModelError(f"{where}: model format {version}, but this version of pse-sdk reads format "
                         f"{FORMAT_VERSION}; update pse-sdk or export the model again")  # fmt: skip


def known_fields(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a description's class takes of a file's values; what a later version added to a format is left unread."""
    known = {field.name for field in dataclasses.fields(kind)}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}


def pack_matrix(matrix: npt.NDArray[np.float32]) -> str:
    """A matrix as `ModelDescription.speaker_projection` holds it."""
    return base64.b64encode(matrix.astype("<f2").tobytes()).decode()


def _unpack(packed: str) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(packed, validate=True), "<f2").astype(np.float32)


def _check(d: ModelDescription) -> None:
    for name in ("sample_rate", "window", "hop", "blocks", "channels", "hidden_size", "cell_size"):
        value = getattr(d, name)
        if type(value) is not int or not 1 <= value <= 1 << 24:
            raise ValueError(f"{name} = {value!r}")
    # It is shown in terminals, which control characters would command.
    if not isinstance(d.name, str) or not d.name.isprintable():
        raise ValueError(f"name = {d.name!r}")
    if not all(isinstance(text, str) for text in (d.licence, d.speaker_encoder, d.weights, d.self_test)):
        raise ValueError("licence, speaker_encoder, weights and self_test must be texts")
    if not isinstance(d.architecture, dict) or not isinstance(d.training, dict):
        raise ValueError("architecture and training must be tables")
    if d.window % d.hop:
        raise ValueError(f"window {d.window} is not a multiple of hop {d.hop}")
    if type(d.lookahead) is not int or not 0 <= d.lookahead < d.window // d.hop:
        raise ValueError(f"lookahead = {d.lookahead!r}")
    if len(d.macs_per_second) != d.blocks or len(d.parameters) != d.blocks:
        raise ValueError("costs are not given for every depth")
    if not all(_is_number(x) and 0 < x < 1e15 for x in (*d.macs_per_second, *d.parameters)):
        raise ValueError("a cost is not a positive number")
    if d.precision not in ("fp32", "fp16", "int8"):
        raise ValueError(f"precision = {d.precision!r}")
    if d.self_test and len(_unpack(d.self_test)) != d.blocks * d.window:
        raise ValueError("the self-test has the wrong size")
    if len(d.anyone) not in (0, d.channels) or not all(_is_number(x) and abs(x) < LARGEST for x in d.anyone):
        raise ValueError("the speaker vector is not one of as many numbers as there are channels")
    projection = _unpack(d.speaker_projection)
    if type(d.speaker_dim) is not int or len(projection) != d.channels * d.speaker_dim:
        raise ValueError("the speaker projection has the wrong size")
    if not np.isfinite(projection).all():
        raise ValueError("the speaker projection holds what is no number")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
