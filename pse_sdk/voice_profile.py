"""A voice profile: the embedding of an enrolled speaker, in a small file that holds no sound and no code."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import AudioError, UsageError, shown
from pse_sdk.files import write_atomically

FORMAT = "pse-sdk voice profile"
VERSION = 1
# Far more than a profile needs; whatever is larger is something else.
LARGEST_FILE = 1 << 16


@dataclass(frozen=True, eq=False)
class VoiceProfile:
    """Who is to be heard.

    Parameters
    ----------
    embedding : [dim] float32 of length 1. Not printed: it is a biometric of a person
    encoder : identity of the speaker encoder that made it; only models trained with that one understand it
    """

    embedding: npt.NDArray[np.float32] = field(repr=False)
    encoder: str

    def __post_init__(self) -> None:
        e = self.embedding
        if (
            not isinstance(e, np.ndarray)
            or e.dtype.kind != "f"
            or e.ndim != 1
            or not np.isfinite(e).all()
            or abs(float(np.linalg.norm(e)) - 1) > 1e-3
        ):
            raise UsageError("a voice profile needs a finite embedding of length 1: make it with enroll()")

    def save(self, path: Path | str) -> None:
        """Write the profile, readable by its owner alone; on Windows by those who may read its folder.

        Raises `AudioError` where that cannot be done.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise AudioError(f"{path}: there is no folder {path.parent}")
        encoded = base64.b64encode(self.embedding.astype("<f4").tobytes()).decode()
        content = {"format": FORMAT, "version": VERSION, "encoder": self.encoder, "embedding": encoded}
        content["sha256"] = _sum(self.encoder, encoded)
        try:
            with write_atomically(path, private=True) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise AudioError(f"{path}: cannot be written ({error.strerror})") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VoiceProfile):
            return NotImplemented
        return self.encoder == other.encoder and np.array_equal(self.embedding, other.embedding)

    def __hash__(self) -> int:
        return hash((self.encoder, self.embedding.tobytes()))


def load_voice(path: Path | str) -> VoiceProfile:
    """Read what `VoiceProfile.save` wrote; raises `AudioError` for anything else."""
    if not isinstance(path, (str, Path)):
        raise UsageError(f"voice profile {shown(path)}: give the path of one")
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such voice profile; `pse enroll RECORDING -o {path.name}` makes one")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError("too large")
        content = json.loads(path.read_text(encoding="utf-8"))
        known = content["format"] == FORMAT
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AudioError(f"{path}: not a voice profile; `pse enroll` makes one from a recording") from error
    if not known:
        raise AudioError(f"{path}: not a voice profile; `pse enroll` makes one from a recording")
    if content.get("version") != VERSION:
        raise AudioError(f"{path}: voice profile of version {content.get('version')!r}, but this version of pse-sdk "
                         f"reads {VERSION}; update pse-sdk or enrol again")  # fmt: skip
    try:
        encoder, encoded = str(content["encoder"]), str(content["embedding"])
        if content["sha256"] != _sum(encoder, encoded):
            raise ValueError("the checksum does not fit")
        embedding = np.frombuffer(base64.b64decode(encoded, validate=True), "<f4").astype(np.float32)
        return VoiceProfile(embedding, encoder)
    except (KeyError, ValueError, UsageError) as error:
        raise AudioError(f"{path}: this voice profile was changed since it was made ({error}); enrol again") from error


def _sum(encoder: str, embedding: str) -> str:
    return hashlib.sha256(f"{FORMAT}\n{VERSION}\n{encoder}\n{embedding}".encode()).hexdigest()
