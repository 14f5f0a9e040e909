"""What is evaluated: noisy recordings, with or without a clean target, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soxr

from pse_sdk.audio import open_audio, read_blocks
from pse_sdk.errors import AudioError
from pse_sdk.pcm import must_be_scaled

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Label:
    """What is known of an item before it is heard.

    Parameters
    ----------
    name : path of the recording within its folder, without the ending
    seconds : length
    snr_db : of the speech against the noise; None if nobody said
    noise : its class; empty if nobody said
    said : the words; empty if nobody said
    """

    name: str
    seconds: float
    snr_db: float | None = None
    noise: str = ""
    said: str = ""


@dataclass(frozen=True)
class Item:
    """One recording, float32 [samples] at 16 kHz; ``target`` is as long and aligned, or None."""

    label: Label
    noisy: Samples
    target: Samples | None


class Recordings(Protocol):
    """A fixed list of items. Processes get copies, so an implementation must be cheap to pickle."""

    @property
    def title(self) -> str: ...

    @property
    def labels(self) -> Sequence[Label]: ...

    @property
    def has_targets(self) -> bool: ...

    def load(self, number: int) -> Item:
        """Item ``number`` of the list, the same at every call."""
        ...


def read_mono(path: Path) -> Samples:
    """A file as [samples] at 16 kHz, channels averaged.

    Raises `AudioError`, also where a sample is not a number, and `UsageError` for floats of another scale.
    """
    with open_audio(path) as file:
        mono = np.concatenate(list(read_blocks(file, path))).mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise AudioError(f"{path}: holds samples that are not numbers (NaN or infinite); write it anew")
        must_be_scaled(mono, str(path))
        if file.samplerate == SAMPLE_RATE:
            return np.asarray(mono, np.float32)
        resampled = soxr.resample(mono, file.samplerate, SAMPLE_RATE)
        return np.asarray(resampled, np.float32)


def length_in_seconds(path: Path) -> float:
    """Of a file, from its header; raises `AudioError`."""
    with open_audio(path) as file:
        return float(file.frames / file.samplerate)
