"""Time per frame of every runtime and precision at every depth, beside the time that reading its weights takes.

    for p in fp32 int8; do for k in onnx tflite; do pse export model.safetensors m-$p.$k --precision $p; done; done
    python benchmarks/runtimes.py m-fp32.onnx m-int8.onnx m-fp32.tflite m-int8.tflite --output docs/runtimes.json

At one frame per call every weight is read once and used once, so no runtime is faster than memory: the floor is the
time in which this thread reads as many bytes as the depth has weights, from a buffer of that size, taken in turns with
the frames within one run. ``--cold`` empties the caches before every frame and every reading: what a frame costs where
others have used the processor in the 10 ms since the last one. Needs nothing but the files and their runtimes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # the reader is one thread, as the runtimes

import command
import numpy as np
import numpy.typing as npt
import typer
from pse_sdk.runtimes.base import Stream
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.runtimes.select import open_file
from rich.console import Console
from rich.progress import track
from rich.table import Table

TURN = 25  # frames of one candidate before the next has its turn
SWEEP_BYTES = 128 << 20  # larger than the last-level cache of any machine that this is meant for

Row = dict[str, str | int | float]


@dataclass
class Candidate:
    """One depth of one file, and a buffer of as many bytes as that depth reads."""

    file: str
    runtime: str
    description: ModelDescription
    depth: int
    stream: Stream
    weights: npt.NDArray[np.float32]
    frame_s: list[float] = field(default_factory=list)
    read_s: list[float] = field(default_factory=list)


def main(
    models: Annotated[list[Path], typer.Argument(help=".onnx and .tflite files of one model.")],
    frames: Annotated[int, typer.Option(help="Frames per candidate.")] = 1000,
    cold: Annotated[bool, typer.Option("--cold", help="Empty the caches before every frame.")] = False,
    output: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
) -> None:
    """Print the table."""
    candidates = [candidate for model in models for candidate in _candidates(model)]
    sweep = np.ones(SWEEP_BYTES // 4, np.float32)
    empty = (lambda: float(sweep.sum())) if cold else (lambda: 0.0)
    for turn in track(range(-(-frames // TURN) + 1), "measuring"):
        for candidate in candidates:
            _take_turn(candidate, empty, keep=turn > 0)
    rows = [_row(candidate) for candidate in candidates]
    _print(rows, cold)
    if output:
        output.write_text(json.dumps({"cold": cold, "frames": frames, "rows": rows}, indent=1) + "\n")


def _candidates(model: Path) -> list[Candidate]:
    runtime = open_file(model)
    d = runtime.description
    return [
        Candidate(model.name, runtime.name, d, depth, runtime.open_stream(), np.ones(_bytes_read(d, depth) // 4, "f4"))
        for depth in range(1, d.blocks + 1)
    ]


def _bytes_read(d: ModelDescription, depth: int) -> int:
    """Bytes of the weights that a depth uses, as they lie in memory while it runs.

    fp16 is a storage format: both runtimes expand it when they load. In int8 filterbanks and masks are floats; the
    few biases and scales, which are too, are counted as bytes, so that the floor is rather too low than too high.
    """
    # The projection of the embedding runs once, at enrolment.
    parameters = d.parameters[depth - 1] - d.speaker_dim * d.channels
    if d.precision != "int8":
        return 4 * parameters
    floats = int(d.architecture["filters"]) * (2 * d.written + d.channels)
    return parameters + 3 * floats


def _take_turn(candidate: Candidate, empty: Callable[[], float], keep: bool) -> None:
    rng = np.random.default_rng(0)
    windows = (0.1 * rng.standard_normal((TURN, 1, candidate.description.window))).astype(np.float32)
    half = len(candidate.weights) // 2
    first, second = candidate.weights[:half], candidate.weights[half : 2 * half]
    depth = candidate.depth
    frame_s = [_timed(lambda w=window: candidate.stream.step(w, depth, depth), empty) for window in windows]
    # BLAS's inner product reads faster than NumPy's reductions: both halves once, which together are the weights.
    read_s = [_timed(lambda: np.dot(first, second), empty) for _ in windows]
    if keep:
        candidate.frame_s += frame_s
        candidate.read_s += read_s


def _timed(call: Callable[[], object], empty: Callable[[], float]) -> float:
    empty()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _row(candidate: Candidate) -> Row:
    frame_ms, read_ms = (1e3 * np.array(times) for times in (candidate.frame_s, candidate.read_s))
    return {
        "file": candidate.file,
        "runtime": candidate.runtime,
        "precision": candidate.description.precision,
        "depth": candidate.depth,
        "megabytes": candidate.weights.nbytes / 1e6,
        "p50_ms": float(np.median(frame_ms)),
        "p99_ms": float(np.quantile(frame_ms, 0.99)),
        "floor_ms": float(np.median(read_ms)),
        "read_gb_per_s": float(candidate.weights.nbytes / np.median(read_ms) / 1e6),
        "over_floor": float(np.median(frame_ms) / np.median(read_ms)),
    }


def _print(rows: list[Row], cold: bool) -> None:
    table = Table(
        "runtime", "precision", "depth", "weights MB", "p50 ms", "p99 ms", "floor ms", "read GB/s", "over floor",
        title=f"One frame, one thread, {'empty' if cold else 'warm'} caches", title_justify="left",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            str(row["runtime"]), str(row["precision"]), str(row["depth"]), f"{row['megabytes']:.1f}",
            f"{row['p50_ms']:.3f}", f"{row['p99_ms']:.3f}", f"{row['floor_ms']:.3f}", f"{row['read_gb_per_s']:.0f}",
            f"{row['over_floor']:.2f}", end_section=row["depth"] == max(int(r["depth"]) for r in rows),
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    command.run(main)
