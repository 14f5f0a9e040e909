"""Time per frame at every depth: fp32 and int8, one file for all depths against a file per depth.

    python benchmarks/speed.py [--frames 3000] [--output docs/speed.json]

All figures of a ratio are taken in turns within one run, so that a machine that slows down slows down both. Random
weights are timed: time does not depend on their values. Needs the [export] extra.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import command
import numpy as np
import onnx
import torch
import typer
from pse_sdk.exporters.onnx import build
from pse_sdk.runtimes.onnx import OnnxRuntime, OnnxStream
from pse_sdk.runtimes.torch import describe
from rich.console import Console
from rich.table import Table

from pse_sdk.machine import this_machine
from pse_sdk.models import BloomStack, preset

TURN = 50  # frames of one candidate before the next has its turn


def main(
    name: Annotated[str, typer.Option("--preset")] = "small",
    frames: Annotated[int, typer.Option(help="Frames per candidate.")] = 3000,
    output: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
) -> None:
    """Print the tables."""
    torch.manual_seed(0)
    stack = BloomStack(preset(name)).eval()
    hop_ms = 1000 * stack.config.hop / stack.config.sample_rate
    rows = []
    with TemporaryDirectory() as folder:
        for precision in ("fp32", "int8"):
            rows += _measure(stack, precision, frames, Path(folder))
    _print(rows, hop_ms)
    if output:
        measured = {"preset": name, "machine": str(this_machine()), "hop_ms": hop_ms, "rows": rows}
        output.write_text(json.dumps(measured, indent=1) + "\n")


def _measure(stack: BloomStack, precision: str, frames: int, folder: Path) -> list[dict[str, float | str]]:
    blocks = stack.config.blocks
    any_depth = _load(stack, precision, None, folder)
    fixed = {d: _load(stack, precision, d, folder).open_stream() for d in range(1, blocks + 1)}
    one_file = {d: any_depth.open_stream() for d in range(1, blocks + 1)}
    switching = any_depth.open_stream()
    times: dict[str, list[float]] = {}
    rng = np.random.default_rng(0)
    windows = (0.1 * rng.standard_normal((TURN, 1, stack.config.window))).astype(np.float32)
    for turn in range(frames // TURN + 1):
        for d in range(1, blocks + 1):
            _run(fixed[d], windows, [d] * TURN, times.setdefault(f"fixed {d}", []), keep=turn > 0)
            _run(one_file[d], windows, [d] * TURN, times.setdefault(f"any {d}", []), keep=turn > 0)
        depths = [int(d) for d in rng.integers(1, blocks + 1, TURN)]
        _run(switching, windows, depths, times.setdefault("switching", []), keep=turn > 0, by_depth=times)
    rows: list[dict[str, float | str]] = []
    for d in range(1, blocks + 1):
        any_ms, fixed_ms = (1e3 * np.array(times[f"{kind} {d}"]) for kind in ("any", "fixed"))
        switched_ms = 1e3 * np.array(times[f"switched {d}"])
        rows.append({
            "precision": precision,
            "depth": d,
            "p50_ms": float(np.median(any_ms)),
            "p99_ms": float(np.quantile(any_ms, 0.99)),
            "fixed_p50_ms": float(np.median(fixed_ms)),
            "over_fixed": float(np.median(any_ms) / np.median(fixed_ms)),
            "switching_over_steady": float(np.median(switched_ms) / np.median(any_ms)),
        })  # fmt: skip
    return rows


def _load(stack: BloomStack, precision: str, fixed_depth: int | None, folder: Path) -> OnnxRuntime:
    path = folder / f"{precision}-{fixed_depth}.onnx"
    description = describe(stack, "benchmark", precision, "", {})
    onnx.save(build(stack, description, precision, fixed_depth), path)  # type: ignore[arg-type]
    return OnnxRuntime(path)


def _run(
    stream: OnnxStream,
    windows: np.ndarray,
    depths: list[int],
    into: list[float],
    keep: bool,
    by_depth: dict[str, list[float]] | None = None,
) -> None:
    for window, depth in zip(windows, depths, strict=True):
        started = time.perf_counter()
        stream.step(window, depth, depth)
        took = time.perf_counter() - started
        if keep:
            into.append(took)
            if by_depth is not None:
                by_depth.setdefault(f"switched {depth}", []).append(took)


def _print(rows: list[dict[str, float | str]], hop_ms: float) -> None:
    table = Table(
        "precision",
        "depth",
        "p50 ms",
        "p99 ms",
        "real-time factor",
        "of deepest",
        "over fixed graph",
        "switching each frame",
    )
    for row in rows:
        deepest = [r for r in rows if r["precision"] == row["precision"]][-1]
        table.add_row(
            str(row["precision"]),
            str(row["depth"]),
            f"{row['p50_ms']:.3f}",
            f"{row['p99_ms']:.3f}",
            f"{float(row['p50_ms']) / hop_ms:.4f}",
            f"{float(row['p50_ms']) / float(deepest['p50_ms']):.2f}",
            f"{100 * (float(row['over_fixed']) - 1):+.1f} %",
            f"{100 * (float(row['switching_over_steady']) - 1):+.1f} %",
        )
    Console().print(table)


if __name__ == "__main__":
    command.run(main)
