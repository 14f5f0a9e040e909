"""``pse record-load``: what this machine does to frames, as a trace that `pse simulate` replays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from pse_sdk.simulate.record import record_trace
from pse_sdk.simulate.trace import SUFFIX, check_place, save_trace


def record_load(
    output: Annotated[Path, typer.Argument(metavar=f"OUT{SUFFIX}", help="The trace to write.")],
    seconds: Annotated[float, typer.Option(min=1, max=86400, help="How long to record.")] = 60,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx or .tflite file.")] = None,
) -> None:
    """Record this machine's load while it runs one frame every 10 ms. Use the machine meanwhile as you usually do.

    Ctrl-C ends the recording early and keeps it, once what each depth takes has been measured (some seconds).
    """
    check_place(output)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    # Drawing ten times a second would be a part of what is recorded.
    with Progress(console=console, transient=True, refresh_per_second=1, disable=not console.is_terminal) as progress:
        task = progress.add_task("recording", total=1.0)
        trace = record_trace(
            seconds, name=output.stem, model=model, progress=lambda done: progress.update(task, completed=done)
        )
    save_trace(trace, output)
    stalls = trace.stall_s[trace.stall_s > 1e-4]
    costs = ", ".join(f"{1e3 * cost:.2f}" for cost in trace.costs_s)
    low, high = np.quantile(trace.slowdown, [0.01, 0.99])
    console.print(
        f"wrote {output}: {trace.frames} frames; depth 1 to {trace.depths} cost {costs} ms; 98 % of the frames ran "
        f"at {low:.2f} to {high:.2f} times that; {len(stalls)} stalls of over 0.1 ms, the longest "
        f"{1e3 * trace.stall_s.max():.1f} ms; {np.mean(trace.wait_s > 1e-3):.1%} of the frames waited for over 1 ms",
        markup=False,
    )
