"""PCM as apps hold it (int16 or float, one or more channels) to float32 channels and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import UsageError

Float32 = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 8_000, 192_000
INT16_SCALE = 32768.0
# Far above full scale, far below what would overflow when squared: nothing like this comes from a microphone.
LARGEST = 1e6
# Floats whose full scale is 1 are below this but for glitches, which become silence: one that the model heard had the
# next 6 to 16 s turned down. Of int16 samples cast to float most are above.
LOUDEST = 30.0
GLITCHES, FEWEST_GLITCHES = 0.1, 16
# Blocks are cut into pieces of this many seconds, so that a block of any size takes bounded memory.
PIECE_S = 1.0


@dataclass(frozen=True)
class PcmFormat:
    """Type and shape of an app's audio."""

    dtype: np.dtype[Any]
    channels: int
    is_2d: bool

    @classmethod
    def of(cls, block: npt.NDArray[Any]) -> PcmFormat:
        if block.dtype.type not in (np.int16, np.float32, np.float64):  # of either byte order
            raise UsageError(f"audio of type {block.dtype}: give int16, float32 or float64 samples")
        if block.ndim not in (1, 2):
            raise UsageError(f"audio of shape {block.shape}: give [samples] or [samples, channels]")
        channels = 1 if block.ndim == 1 else block.shape[1]
        if not 1 <= channels <= 64:
            raise UsageError(f"audio of shape {block.shape} has {channels} channels: give [samples, channels] "
                             "with 1 to 64 channels (transpose it if channels come first)")  # fmt: skip
        return cls(block.dtype, channels, block.ndim == 2)

    def same_as(self, block: npt.NDArray[Any]) -> PcmFormat:
        """Check that the next block is of this format."""
        other = PcmFormat.of(block)
        if other != self:
            raise UsageError(f"audio changed within a stream, from {self} to {other}: call flush() or reset() first")
        return self

    def must_be_mono(self) -> PcmFormat:
        if self.channels != 1:
            raise UsageError(f"process() takes one channel, this block has {self.channels}: use one Enhancer per "
                             "channel, or enhance() for a whole recording")  # fmt: skip
        return self

    def restore(self, channels: Sequence[Float32]) -> npt.NDArray[Any]:
        """float32 channels, [samples] each, in the app's type and shape."""
        stacked = np.stack(channels, axis=1) if self.is_2d else channels[0]
        if self.dtype.type is np.int16:
            scaled = np.rint(stacked * INT16_SCALE)
            stacked = np.clip(scaled, -INT16_SCALE, INT16_SCALE - 1)
        out: npt.NDArray[Any] = stacked.astype(self.dtype, copy=False)
        return out

    def __str__(self) -> str:
        shape = f"[samples, {self.channels}]" if self.is_2d else "[samples]"
        return f"{self.dtype} {shape}"


def as_audio(audio: object) -> npt.NDArray[Any]:
    """What an app gave as an array; raises `UsageError` for a file's name, and for what is no array of numbers."""
    how = "samples, rate = soundfile.read(NAME) gives both"
    if isinstance(audio, (str, bytes, os.PathLike)):
        raise UsageError(f"audio of type {type(audio).__name__}: give samples, not the name of a file; {how}")
    try:
        return np.asarray(audio)
    except (TypeError, ValueError) as error:  # of parts of unequal length, as the pair that soundfile.read returns
        kind = type(audio).__name__
        raise UsageError(f"audio of type {kind}: give one array of samples; of a file, {how}") from error


def as_stored(block: npt.NDArray[np.float32], subtype: str) -> npt.NDArray[Any]:
    """Float samples as a file of this subtype takes them: libsndfile rounds down, half a step too low on average."""
    if subtype in ("PCM_U8", "PCM_S8"):
        raised: npt.NDArray[np.float32] = block + np.float32(0.5 / 128)
        return raised
    if subtype != "PCM_16":
        return block
    return PcmFormat(np.dtype(np.int16), 1, False).restore([block])


def pieces(block: npt.NDArray[Any], rate: int) -> Iterator[npt.NDArray[Any]]:
    """The same samples, at most `PIECE_S` at a time."""
    size = int(PIECE_S * rate)
    return (block[start : start + size] for start in range(0, len(block), size))


def to_channels(block: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """[samples] or [samples, channels] -> one [samples] per channel."""
    return [block] if block.ndim == 1 else list(block.T)


def sanitise(samples: npt.NDArray[Any]) -> tuple[Float32, int]:
    """float32 (int16 scaled to -1..1), and how many samples were NaN, infinite or glitches and are now silence."""
    if samples.dtype.type is np.int16:
        return samples.astype(np.float32) / np.float32(INT16_SCALE), 0
    good = np.abs(samples) <= LOUDEST  # false for NaN too
    bad = len(samples) - int(np.count_nonzero(good))
    if not bad:
        return samples.astype(np.float32), 0
    return np.where(good, samples, 0).astype(np.float32), bad


def must_be_scaled(block: npt.NDArray[Any], name: str = "") -> None:
    """Raise `UsageError`, of the audio called ``name``, for floats of another scale: int16 samples cast to float.

    A glitch is none of it, nor are NaN, infinite or absurd samples, which become silence.
    """
    if block.dtype.type is np.int16:
        return
    magnitude = np.abs(block)
    wrong = (magnitude > LOUDEST) & (magnitude <= LARGEST)
    if np.count_nonzero(wrong) > max(FEWEST_GLITCHES, GLITCHES * block.size):  # blocks may be short
        where = f"{name}: " if name else ""
        raise UsageError(f"{where}float samples up to {magnitude[wrong].max():.0f}: full scale is 1.0; divide them by "
                         "32768, or give int16 samples")  # fmt: skip


def check_rate(rate: int, name: str = "") -> int:
    """``rate`` as an int; raises `UsageError`, of the audio called ``name``, outside 8 to 192 kHz."""
    number = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool)
    if not (number and MIN_RATE <= rate <= MAX_RATE and int(rate) == rate):
        where = f"{name}: " if name else ""
        raise UsageError(f"{where}sample rate {rate!r}: must be a whole number from {MIN_RATE} to {MAX_RATE} Hz; "
                         "resample the audio first")  # fmt: skip
    return int(rate)
