"""The exported speaker encoder: audio of any length -> an embedding of length 1."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pse_sdk.runtimes.base import Float32
from pse_sdk.runtimes.description import FORMAT_KEY, FORMAT_VERSION, known_fields, must_be_known
from pse_sdk.runtimes.model_file import not_as_described
from pse_sdk.runtimes.onnx import open_session

from pse_sdk.errors import ModelError, first_line, shown

ENCODER_KEY = "pse_sdk.speaker_encoder"


@dataclass(frozen=True)
class EncoderDescription:
    """What a speaker encoder's file says of itself.

    Parameters
    ----------
    identity : differs between any two encoders whose embeddings do not mean the same
    dim : length of the embedding
    shortest : samples that it needs at least
    training : data, recipe, error rates: for the record
    """

    name: str
    identity: str
    sample_rate: int
    dim: int
    shortest: int
    precision: str
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        return {FORMAT_KEY: str(FORMAT_VERSION), ENCODER_KEY: json.dumps(dataclasses.asdict(self))}


def _read(metadata: Mapping[str, str], where: str) -> EncoderDescription:
    if ENCODER_KEY not in metadata:
        raise ModelError(f"{where}: not a speaker encoder of pse-sdk; `pse train-encoder` makes one")
    content = json.loads(metadata[ENCODER_KEY])
    must_be_known(metadata.get(FORMAT_KEY), where)
    description = EncoderDescription(**known_fields(EncoderDescription, content))
    for name in ("sample_rate", "dim", "shortest"):
        value = getattr(description, name)
        if type(value) is not int or not 1 <= value <= 1 << 24:
            raise ValueError(f"{name} = {shown(value)}")
    if not isinstance(description.identity, str):
        raise ValueError(f"identity = {shown(description.identity)}")
    return description


class SpeakerEncoderRuntime:
    """A speaker encoder loaded by ONNX Runtime; raises `ModelError` for a file that is none."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"no speaker encoder at {path}: `pse train-encoder` writes OUTPUT/encoder.onnx; if it is "
                             "the one that comes with pse-sdk, install that again")  # fmt: skip
        try:
            self._session = open_session(path)
            metadata = self._session.get_modelmeta().custom_metadata_map
            inputs = {i.name for i in self._session.get_inputs()}
            outputs = {o.name: o.shape for o in self._session.get_outputs()}
            self.description = _read(metadata, str(path))
        except ModelError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise ModelError(f"{path}: not a speaker encoder of pse-sdk ({first_line(error)})") from error
        if inputs != {"audio"} or outputs != {"embedding": [self.description.dim]}:
            raise not_as_described(path, "inputs or outputs")

    def embed(self, audio: Float32) -> Float32:
        """[samples] at ``description.sample_rate`` -> [dim]. Level does not matter."""
        shortfall = self.description.shortest - len(audio)
        padded = np.pad(audio, (0, max(0, shortfall)))
        (embedding,) = self._session.run(["embedding"], {"audio": np.ascontiguousarray(padded, np.float32)})
        out: Float32 = embedding
        return out
