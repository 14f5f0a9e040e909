"""A folder of recordings with an ``index.csv``, decoded once into one memory-mapped file per kind and split.

The index has a header and at least the columns path, kind (speech, noise, rir), split (train, valid), source,
speaker and category. Paths are relative to the folder.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
import soundfile
import soxr

from pse_sdk.errors import AudioError
from pse_sdk.files import write_atomically
from pse_sdk.pcm import must_be_scaled
from pse_sdk.training.loudness import loudest

SAMPLE_RATE = 16000
COLUMNS = ("path", "kind", "split", "source", "speaker", "category")


@dataclass(frozen=True)
class Clip:
    """One recording: where it lies in the cache, and what the index says of it."""

    path: str
    source: str
    speaker: str
    category: str
    start: int
    length: int


class Clips:
    """All recordings of one kind and split, as int16 samples in one memory-mapped array."""

    def __init__(self, samples: npt.NDArray[np.int16], clips: list[Clip]) -> None:
        self.samples = samples
        self.clips = clips
        self._loudest: dict[str, float] = {}
        self.by_source: dict[str, list[Clip]] = defaultdict(list)
        self.by_category: dict[str, list[Clip]] = defaultdict(list)
        self.by_speaker: dict[tuple[str, str], list[Clip]] = defaultdict(list)
        for clip in clips:
            self.by_source[clip.source].append(clip)
            self.by_category[clip.category].append(clip)
            self.by_speaker[clip.source, clip.speaker].append(clip)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes that are spawned: the name of the memory-mapped file in place of its gigabytes."""
        samples = self.samples.filename if isinstance(self.samples, np.memmap) else self.samples
        return {**self.__dict__, "samples": samples}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not isinstance(self.samples, np.ndarray):
            self.samples = np.memmap(self.samples, np.int16, "r")

    @classmethod
    def none(cls) -> Clips:
        """No recordings, for a kind that is not needed."""
        return cls(np.zeros(0, np.int16), [])

    def loudest(self, clip: Clip) -> float:
        """RMS of the loudest 20 ms or so of a recording."""
        if clip.path not in self._loudest:
            self._loudest[clip.path] = loudest(self.read(clip))
        return self._loudest[clip.path]

    def crop(self, rng: np.random.Generator, clip: Clip, length: int) -> npt.NDArray[np.float32]:
        """A random part of a clip; all of it where it is shorter than ``length``."""
        return self.read(clip, int(rng.integers(max(1, clip.length - length + 1))), length)

    def read(self, clip: Clip, start: int = 0, length: int | None = None) -> npt.NDArray[np.float32]:
        """Samples of a clip as float32 in -1..1; shorter than ``length`` where the clip ends."""
        end = clip.length if length is None else min(clip.length, start + length)
        out: npt.NDArray[np.float32] = self.samples[clip.start + start : clip.start + end] / np.float32(32768)
        return out


def data_folder(option: Path | None) -> Path:
    """The folder given as an option, or in ``PSE_DATA``."""
    folder = option or (Path(os.environ["PSE_DATA"]) if "PSE_DATA" in os.environ else None)
    if folder is None or not (folder / "index.csv").is_file():
        raise AudioError(f"no training data: {folder or 'nothing given'} (need a folder with index.csv: "
                         "pass --data FOLDER or set PSE_DATA)")  # fmt: skip
    return folder


def holds(folder: Path, kind: str, split: str) -> bool:
    """Whether the index names recordings of this kind and split."""
    return any(row["kind"] == kind and row["split"] == split for row in read_index(folder / "index.csv"))


def load_clips(folder: Path, kind: str, split: str, cache: Path | None = None, without: str = "") -> Clips:
    """Recordings of one kind and split, decoded into the cache on first use.

    ``without`` says, where there are none, how to do without them.
    The cache file is named after the folder, the rows of the index, and the files' sizes and times: what changed is
    decoded anew, and what it replaces is deleted.
    """
    rows = [row for row in read_index(folder / "index.csv") if row["kind"] == kind and row["split"] == split]
    if not rows:
        way_out = f", or {without} does without" if without else ""
        raise AudioError(f"{folder / 'index.csv'} has no rows of kind {kind!r} in split {split!r}: "
                         f"`pse index` adds them{way_out}")  # fmt: skip
    cache = cache or platformdirs.user_cache_path("pse-sdk") / "audio"
    place = f"{kind}-{split}-{_digest(str(folder.resolve()))}"
    # Room responses are stored at full scale, of whatever level they came; before, they were not.
    scale = ["full scale"] if kind == "rir" else []
    stem = cache / f"{place}-{_digest([rows, [_version(folder / row['path']) for row in rows], *scale])}"
    if (lengths := _decoded(stem, len(rows))) is None:
        lengths = _decode(folder, rows, stem, full_scale=bool(scale))
        _delete_others(stem, place)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    clips = [
        Clip(r["path"], r["source"], r["speaker"], r["category"], int(s), int(n))
        for r, s, n in zip(rows, starts[:-1], lengths, strict=True)
    ]
    return Clips(np.memmap(stem.with_suffix(".pcm"), np.int16, "r"), clips)


def read_index(path: Path) -> list[dict[str, str]]:
    """The rows of an index; raises `AudioError` naming a column that is missing, or the line that is damaged."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin a file with a mark
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise AudioError(f"{path}: no column {missing[0]!r}; needed are {', '.join(COLUMNS)}")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise AudioError(f"{path}, line {reader.line_num}: not as many fields as there are columns")
                rows.append(row)
            return rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise AudioError(f"{path}: cannot be read ({error}); save it as CSV in UTF-8") from error


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _version(path: Path) -> tuple[int, int]:
    """What tells a file from what it was before: size and time of the last change."""
    try:
        found = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: in the index, but cannot be read ({error.strerror}); `pse index` on its "
                         "folder takes out what is gone") from error  # fmt: skip
    return found.st_size, found.st_mtime_ns


def _decoded(stem: Path, count: int) -> list[int] | None:
    """The lengths of the recordings in the cache; None where it is not whole: anybody may empty a cache."""
    try:
        lengths = json.loads(stem.with_suffix(".json").read_text())
        whole = len(lengths) == count and 2 * sum(lengths) == stem.with_suffix(".pcm").stat().st_size
    except (OSError, TypeError, ValueError):
        return None
    return lengths if whole else None


def _decode(folder: Path, rows: list[dict[str, str]], stem: Path, full_scale: bool) -> list[int]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    lengths = []
    with write_atomically(stem.with_suffix(".pcm")) as temporary, temporary.open("wb") as file:
        for row in rows:
            samples = _read_int16(folder / row["path"], full_scale)
            if row["kind"] != "noise" and not samples.any():
                raise AudioError(f"{folder / row['path']}: is silent; take it out of the index")
            file.write(samples.tobytes())
            lengths.append(len(samples))
    # Written last: its presence says that the samples are complete.
    with write_atomically(stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(lengths))
    return lengths


def _delete_others(stem: Path, place: str) -> None:
    """What was decoded of an earlier state of the same recordings."""
    for path in stem.parent.glob(f"{place}-*"):
        if path.stem != stem.name:
            with contextlib.suppress(OSError):  # in use, where the system then keeps it
                path.unlink()


def _read_int16(path: Path, full_scale: bool) -> npt.NDArray[np.int16]:
    """A file at 16 kHz, channels averaged; turned down where floats go beyond full scale, or all brought to it."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be decoded ({error.error_string})") from error
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds samples that are not numbers; take it out of the index, or mend it")
    must_be_scaled(mono, str(path))
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    if not len(mono):  # of one sample at a higher rate nothing is left
        raise AudioError(f"{path}: holds no samples; take it out of the index")
    peak = float(np.abs(mono).max())
    if peak > 1 or (full_scale and peak > 0):
        mono = mono / peak
    out: npt.NDArray[np.int16] = np.clip(np.rint(mono * 32767), -32768, 32767).astype(np.int16)
    return out
