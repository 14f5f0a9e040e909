"""A load trace: what a machine did to each frame, said so that the frame time of any depth follows from it.

The file is a NumPy archive (``.npz``) without pickled objects; docs/controller.md lists its arrays.
"""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import TraceError
from pse_sdk.files import check_writable, write_atomically

Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FORMAT = "pse-load-trace"
VERSION = 2
# Traces of version 1 know nothing of waits.
READABLE = (1, VERSION)
SUFFIX = ".npz"
# A day of frames is 350 MB: what claims more is not a trace.
MAX_BYTES = 1 << 29
# Seconds from frame to frame.
HOPS_S = (1e-3, 1.0)
MOST_DEPTHS = 64
# What no machine does to a frame: seconds that it takes or waits, and times that it is slower.
MOST_S, MOST_SLOWDOWN = 1e6, 1e6
# What no frame costs less than, and times that no machine is faster: what is smaller has no ratios left.
LEAST_S, LEAST_SLOWDOWN = 1e-9, 1e-6

# What the libraries raise for archives that are damaged, foreign, encrypted or packed in ways that they do not know, or
# whose arrays' headers are no Python.
_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, ArithmeticError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

_PER_DEPTH = ("costs_s", "expected_s")
_PER_FRAME = ("slowdown", "stall_s", "stall_at", "wait_s", "cpu_load", "loaded")


@dataclass(frozen=True)
class LoadTrace:
    """One machine's behaviour over ``frames`` frames, whatever depth runs on it.

    Depth d of frame n takes ``costs_s[d-1] * slowdown[n]`` seconds of CPU time, and as much wall time, plus
    ``stall_s[n]`` if it meets the stall. A stall is time in which the thread was held off its core; it lies where
    the share ``stall_at[n]`` of the deepest depth's work is done, so a shallower depth may be through before.

    Parameters
    ----------
    name : for tables
    hop_s : seconds from one frame to the next
    costs_s : [depths], CPU seconds per frame at depth 1..L where slowdown is 1; rising
    expected_s : [depths], what the controller is told to expect before it has measured anything
    slowdown : [frames], from 1e-6
    wait_s : [frames], seconds from the moment when a frame's samples were there until it began, from 0: the thread
        waited for a core, or for an earlier frame that had been held up
    stall_s, stall_at : [frames], seconds from 0, and 0..1
    cpu_load : [frames], what the system says of its load, 0..1; NaN where it says nothing
    loaded : [frames], whether an outside load is at work; onsets and ends are what reaction and recovery are
        counted from. All False in recorded traces: nobody knows
    note : where it comes from, in a sentence
    """

    name: str
    hop_s: float
    costs_s: Float64
    expected_s: Float64
    slowdown: Float64
    stall_s: Float64
    stall_at: Float64
    wait_s: Float64
    cpu_load: Float64
    loaded: Bools
    note: str = ""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise TraceError(f"trace {self.name}: {problem}")

    @property
    def frames(self) -> int:
        return len(self.slowdown)

    @property
    def depths(self) -> int:
        return len(self.costs_s)

    @property
    def seconds(self) -> float:
        return self.frames * self.hop_s

    def ready_s(self) -> Float64:
        """Seconds from a frame's samples to its output at every depth, [frames, 1 + depths]: what deadlines are of."""
        return self.times()[0] + self.wait_s[:, None]

    def times(self) -> tuple[Float64, Float64]:
        """Wall and CPU seconds of every frame at every depth: two arrays [frames, 1 + depths]; bypass takes none."""
        cpu = np.outer(self.slowdown, np.concatenate([[0.0], self.costs_s]))
        done = np.concatenate([[-1.0], self.costs_s / self.costs_s[-1]])
        meets = done[None, :] >= self.stall_at[:, None]
        return cpu + meets * self.stall_s[:, None], cpu


def check_place(path: Path) -> None:
    """Raise a `PseError` for a trace that could not be written later."""
    if path.suffix != SUFFIX:
        raise TraceError(f"{path}: the name of a load trace ends in {SUFFIX}")
    check_writable(path)


def save_trace(trace: LoadTrace, path: Path) -> None:
    """Write ``trace`` to ``path``, completely or not at all."""
    check_place(path)
    head = {"format": FORMAT, "version": VERSION, "name": trace.name, "hop_s": trace.hop_s, "note": trace.note}
    arrays = {name: getattr(trace, name) for name in _PER_DEPTH + _PER_FRAME}
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)


def load_trace(path: Path) -> LoadTrace:
    """Read and check a trace. Raises `TraceError` for what is missing, foreign, newer or damaged; runs nothing."""
    if not path.is_file():
        raise TraceError(f"{path}: {'is not a file' if path.exists() else 'no such file'}; `pse record-load` writes "
                         "load traces")  # fmt: skip
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError("larger than any trace")
        with np.load(path, allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"][()]))
            if head["format"] != FORMAT:
                raise ValueError("of another format")
            _check_version(head["version"])
            known = _PER_DEPTH + tuple(name for name in _PER_FRAME if name != "wait_s" or head["version"] > 1)
            values: dict[str, Any] = {name: _read(arrays, name) for name in known}
            values.setdefault("wait_s", np.zeros(len(values["slowdown"])))
            return LoadTrace(name=str(head["name"]), hop_s=float(head["hop_s"]), note=str(head["note"]), **values)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error
    except PermissionError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror})") from error
    except _DAMAGE as error:
        raise TraceError(f"{path}: not a load trace, or a damaged one ({error}); `pse record-load` writes them"
                         ) from error  # fmt: skip


def _check_version(version: object) -> None:
    if version not in READABLE:
        raise TraceError(f"trace format {version}, but this version of pse-sdk reads formats "
                         f"{' and '.join(map(str, READABLE))}; update pse-sdk")  # fmt: skip


def _read(arrays: Any, name: str) -> npt.NDArray[Any]:
    values = arrays[name]
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{name} is no array")
    kind = np.bool_ if name == "loaded" else np.float64
    if values.dtype != kind or values.ndim != 1:
        raise ValueError(f"{name} is {values.dtype} with {values.ndim} dimensions")
    return values


def _problem(trace: LoadTrace) -> str:
    """What is wrong with the values of a trace; empty if nothing is."""
    if not HOPS_S[0] <= trace.hop_s <= HOPS_S[1]:
        return f"hop_s = {trace.hop_s}: must be from {HOPS_S[0]} to {HOPS_S[1]}"
    if trace.frames == 0 or trace.depths == 0:
        return "it is empty"
    if trace.depths > MOST_DEPTHS:
        return f"it has {trace.depths} depths, more than {MOST_DEPTHS}"
    for names, length in ((_PER_DEPTH, trace.depths), (_PER_FRAME, trace.frames)):
        for name in names:
            if len(getattr(trace, name)) != length:
                return f"{name} has {len(getattr(trace, name))} values, expected {length}"
    rules = {
        "costs_s": (trace.costs_s >= LEAST_S) & (trace.costs_s <= MOST_S) & (np.diff(trace.costs_s, prepend=0) > 0),
        "expected_s": (trace.expected_s >= LEAST_S) & (trace.expected_s <= MOST_S),
        "slowdown": (trace.slowdown >= LEAST_SLOWDOWN) & (trace.slowdown <= MOST_SLOWDOWN),
        "stall_s": (trace.stall_s >= 0) & (trace.stall_s <= MOST_S),
        "wait_s": (trace.wait_s >= 0) & (trace.wait_s <= MOST_S),
        "stall_at": (trace.stall_at >= 0) & (trace.stall_at <= 1),
        "cpu_load": np.isnan(trace.cpu_load) | ((trace.cpu_load >= 0) & (trace.cpu_load <= 1)),
    }
    for name, holds in rules.items():
        if not holds.all():
            index = int(np.argmin(holds))
            return f"{name}[{index}] = {getattr(trace, name)[index]} is out of range"
    return ""
