"""Records what this machine does to paced frames of the real model, as a load trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pse_sdk.costs import expected_costs
from pse_sdk.load import Clocks, LoadMonitor
from pse_sdk.pipeline import Float32, Pipeline
from pse_sdk.runtimes.bundled import find_model
from pse_sdk.runtimes.select import open_runtime
from pse_sdk.simulate.trace import Float64, LoadTrace

# Frames per depth that the costs are the medians of, before the recording.
CALIBRATION = 60
# Wall time beyond the CPU time that is shorter than this is the clocks' own, and no stall.
LEAST_STALL_S = 20e-6


def record_trace(
    seconds: float,
    *,
    name: str = "recorded",
    model: str | Path | None = None,
    clocks: Clocks | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[float], None] | None = None,
) -> LoadTrace:
    """Run ``seconds`` of frames at the deepest depth, one per hop as audio would bring them.

    Before that, a few frames of each depth in turn tell what a depth costs here. What the CPU time of a frame is more
    than that is the slowdown; what the wall time is more than the CPU time is a stall; what a frame begins after its
    time is its wait, but for the queue that the deepest depth makes by itself where its CPU time exceeds a hop: a
    shallower one would not have made it. Where in the frame a stall lay cannot be measured: it is drawn evenly, from a
    fixed seed. Ctrl-C after the calibration ends the recording early: what was recorded until then is returned.

    Parameters
    ----------
    seconds : of the recording, without the calibration
    model : as for the `Enhancer`
    clocks, sleep : where time comes from, and how to wait; for tests
    progress : called with the share that is done
    """
    clocks = clocks or Clocks()
    runtime = open_runtime("auto", find_model(model))
    d = runtime.description
    hop = d.hop_seconds
    calibrating, frames = CALIBRATION * d.blocks, max(1, round(seconds / hop))
    depths = [1 + n % d.blocks for n in range(calibrating)] + [d.blocks] * frames
    walls, cpus, waits = np.zeros((3, len(depths)))
    loads = np.full(len(depths), np.nan)
    done = 0
    monitor = LoadMonitor()
    monitor.start()
    try:
        pace = _pace(len(depths), hop, clocks, sleep)
        for n, times in enumerate(_times(Pipeline(runtime, d.sample_rate), d.hop, hop, depths, clocks, pace)):
            walls[n], cpus[n], waits[n] = times
            loads[n] = np.nan if monitor.load.cpu is None else monitor.load.cpu
            done = n + 1
            if progress is not None:
                progress(done / len(depths))
    except KeyboardInterrupt:
        if done <= calibrating:
            raise
    finally:
        monitor.stop()
    costs = _rising(np.array([np.median(cpus[depth : calibrating : d.blocks]) for depth in range(d.blocks)]))
    wall, cpu, waited, load = (values[calibrating:done] for values in (walls, cpus, waits, loads))
    held_off = wall - cpu
    return LoadTrace(
        name=name,
        hop_s=hop,
        costs_s=costs,
        expected_s=np.array(expected_costs(runtime)),
        slowdown=np.maximum(cpu / costs[-1], 1e-3),
        stall_s=np.where(held_off > LEAST_STALL_S, held_off, 0.0),
        stall_at=np.random.default_rng(0).uniform(size=len(wall)),
        wait_s=np.maximum(waited, 0.0),
        cpu_load=np.clip(load, 0, 1),
        loaded=np.zeros(len(wall), np.bool_),
        note=f"recorded: model {d.name}, {d.precision}, depth {d.blocks}, {runtime.name}",
    )


def _pace(frames: int, hop_s: float, clocks: Clocks, sleep: Callable[[float], None]) -> Iterator[float]:
    """Yield when each frame is due, not before. Who comes late goes on at once, as with audio that waits."""
    start = clocks.wall()
    for n in range(frames):
        due = start + n * hop_s
        if (early := due - clocks.wall()) > 0:
            sleep(early)
        yield due


def _times(
    pipeline: Pipeline, hop: int, hop_s: float, depths: list[int], clocks: Clocks, pace: Iterator[float]
) -> Iterator[tuple[float, float, float]]:
    """Wall and CPU seconds of each frame, measured where the `Enhancer` measures them, and its wait before."""
    noise = (0.1 * np.random.default_rng(0).standard_normal(100 * hop)).astype(np.float32)
    took = (0.0, 0.0)
    queue = 0.0  # seconds that frames would begin late if nothing but their own CPU time held them up

    def frame(at: Pipeline) -> Float32:
        nonlocal took
        wall, cpu = clocks.wall(), clocks.cpu()
        done = at.run_frame(depths[n], 1.0).samples
        took = clocks.wall() - wall, clocks.cpu() - cpu
        return done

    for n, due in enumerate(pace):
        waited = clocks.wall() - due - queue
        at = n % 100 * hop
        pipeline.push(noise[at : at + hop], frame)
        queue = max(0.0, queue + took[1] - hop_s)
        yield *took, waited


def _rising(costs: Float64) -> Float64:
    """The same costs, each at least a hair above the one before, where noise or a coarse clock hid the difference."""
    out = np.maximum(costs, 1e-9)
    for depth in range(1, len(out)):
        out[depth] = max(out[depth], out[depth - 1] * 1.001)
    return out
