"""What is compared: a model at its depths, or a folder of files that anything else enhanced."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import PseWarning, UsageError
from pse_sdk.evaluation.alignment import delay
from pse_sdk.evaluation.items import SAMPLE_RATE, Item, Recordings, Samples, read_mono
from pse_sdk.evaluation.pairs import audio_by_name, check_lengths, matching
from pse_sdk.profiling.frames import Time, TimedDepth
from pse_sdk.runtimes.bundled import bundled_models, checksum, find_model
from pse_sdk.runtimes.select import SUFFIXES, open_runtime

UNPROCESSED = "unprocessed"

# Depths take turns, so that a machine that slows down slows down all.
TURNS, FRAMES_PER_TURN = 10, 50

# Of a folder's files, how many are looked at for a delay. A single sample costs a waveform metric many dB.
LISTENED = 10
# Of what is in place no correlation is largest this many samples off; by fewer, noise may move it.
SURELY_LATE = 8


@dataclass(frozen=True)
class Cost:
    """What a depth costs. None where nobody can know."""

    ms_per_frame: float | None = None  # median, one thread
    macs_per_second: float | None = None
    frame_ms: float | None = None  # the time that there is
    runtime: str = ""


Output = Callable[[Item, int | None], Samples]


class System(Protocol):
    """Something that turns noisy recordings into cleaner ones. Processes get copies: cheap to pickle."""

    @property
    def name(self) -> str: ...

    @property
    def depths(self) -> Sequence[int | None]:
        """The variants that it has; None for a system that has one."""
        ...

    def open(self) -> Output:
        """What makes the output for an item at a depth."""
        ...

    def check(self, recordings: Recordings) -> None:
        """Raise `UsageError` or `AudioError` if there will be no output for some of the items."""
        ...

    def costs(self) -> list[Cost]:
        """One for each of ``depths``; measured now."""
        ...

    def origin(self) -> str:
        """What it is, so that another one of its name can be told from it."""
        ...


@dataclass(frozen=True)
class Unprocessed:
    """The noisy recordings themselves."""

    name: str = UNPROCESSED
    depths: tuple[None] = (None,)

    def open(self) -> Output:
        return lambda item, _: item.noisy

    def check(self, recordings: Recordings) -> None:
        """Nothing can be missing."""

    def costs(self) -> list[Cost]:
        return [Cost(0.0, 0.0)]

    def origin(self) -> str:
        return ""


@dataclass(frozen=True)
class Model:
    """A bundled model or a model file, at some depths."""

    name: str
    model: str
    runtime: str
    depths: tuple[int, ...]
    warm_start: bool = False

    def open(self) -> Output:
        enhancer = Enhancer("quality", model=self.model, runtime=self.runtime)

        def enhance(item: Item, depth: int | None) -> Samples:
            enhancer.set_depth(depth)
            output: Samples = enhancer.enhance(item.noisy, SAMPLE_RATE, warm_start=self.warm_start)
            return output

        return enhance

    def check(self, recordings: Recordings) -> None:
        """A model takes any recording."""

    def costs(self) -> list[Cost]:
        """Median time of a frame at each depth, and the multiplications that the file states."""
        runtime = open_runtime(self.runtime, find_model(self.model))
        timed = [TimedDepth(runtime, depth, Time()) for depth in self.depths]
        for _ in range(TURNS):
            for candidate in timed:
                candidate.run(FRAMES_PER_TURN, paced=False)
        d = runtime.description
        return [
            Cost(1e3 * float(np.median(t.wall_s)), d.macs_per_second[t.depth - 1], 1e3 * d.hop_seconds, runtime.name)
            for t in timed
        ]

    def origin(self) -> str:
        """The file that is run, its precision, and the first half of its sha256."""
        runtime = open_runtime(self.runtime, find_model(self.model))
        path = runtime.path or find_model(self.model)
        start = "from a warm start, " if self.warm_start else ""
        return f"{path.name}, {runtime.description.precision}, {start}sha256 {checksum(path)[:32]}"


@dataclass(frozen=True)
class Folder:
    """Files that something else enhanced, matched by name."""

    name: str
    folder: Path
    depths: tuple[None] = (None,)

    def open(self) -> Output:
        files: dict[str, Path] = {}

        def read(item: Item, _: int | None) -> Samples:
            if not files:  # where it is used: a worker searches the folder once
                files.update(audio_by_name(self.folder))
            return read_mono(files[item.label.name])

        return read

    def check(self, recordings: Recordings) -> None:
        """Raise where a file is missing or of another length; warn of files that are late or early."""
        files = matching([label.name for label in recordings.labels], self.folder, "enhanced file")
        check_lengths({label.name: label.seconds for label in recordings.labels}, files, self.folder)
        output_of = self.open()
        numbers = np.linspace(0, len(files) - 1, min(LISTENED, len(files))).astype(int)
        delays = np.array([delay(output_of(item, None), item.noisy) for item in map(recordings.load, numbers)])
        off = delays[delays != 0]
        if 2 * len(off) > len(delays) or np.sum(np.abs(delays) >= SURELY_LATE) > 1:
            late = round(float(np.median(off)))
            message = (
                f"{self.folder}: late by {late:+d} samples ({1e3 * late / SAMPLE_RATE:+.2f} ms), the median of "
                f"{len(off)} files that are not in place, of {len(delays)} looked at; SI-SDR and TSOS compare samples "
                "in place: shift them first"
            )
            warnings.warn(message, PseWarning, stacklevel=2)

    def costs(self) -> list[Cost]:
        return [Cost()]

    def origin(self) -> str:
        return f"files in {self.folder.name}"


def find_systems(
    given: Sequence[str], depths: Sequence[int], runtime: str = "auto", warm_start: bool = False
) -> list[System]:
    """Systems as people name them: a bundled model, a model file or a folder, perhaps as ``NAME=...``.

    A file is run by the runtime for its kind. With ``warm_start`` models hear a recording's beginning before it
    begins. Raises `UsageError` for a name that is given twice and for depths that a
    model does not have.
    """
    systems: list[System] = [_system(text, depths, runtime, warm_start) for text in given]
    names = [UNPROCESSED, *(system.name for system in systems)]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two systems are called {name!r}: name them, as in `better=path`")
    return systems


def _system(text: str, depths: Sequence[int], runtime: str, warm_start: bool) -> System:
    name, what = "", text
    if "=" in text and not Path(text).exists():
        name, _, what = text.partition("=")
    path = Path(what)
    # A bundled model's name is that, whatever folders there are; `small/` is a folder.
    if path.is_dir() and what not in bundled_models():
        return Folder(name or path.resolve().name, path)
    kinds = {suffix: kind for kind, suffix in SUFFIXES.items()}
    if path.suffix not in kinds and what not in bundled_models():
        raise UsageError(f"{what}: no such folder, and neither a model file (.onnx, .tflite, .safetensors) nor a "
                         f"bundled model ({', '.join(bundled_models())})")  # fmt: skip
    runtime = kinds.get(path.suffix, runtime)
    description = open_runtime(runtime, find_model(what)).description
    wrong = [depth for depth in depths if not 1 <= depth <= description.blocks]
    if wrong:
        raise UsageError(f"{what}: no depth {wrong[0]}; it has 1 to {description.blocks}")
    short = path.name if path.suffix == SUFFIXES["tflite"] else path.stem
    chosen = tuple(sorted(set(depths))) or tuple(range(1, description.blocks + 1))
    return Model(name or short, what, runtime, chosen, warm_start)
