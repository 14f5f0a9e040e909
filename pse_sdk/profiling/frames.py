"""Time single frames as a stream runs them, either one per hop or back to back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pse_sdk.device_table import Timing
from pse_sdk.load import Clocks
from pse_sdk.pipeline import Pipeline
from pse_sdk.runtimes.base import Runtime

Float32 = npt.NDArray[np.float32]

# Frames at the start of every turn that are not counted: what ran before has left its own data in the caches.
WARM_UP = 5


@dataclass(frozen=True)
class Time:
    """Where time is read, and how it is waited for. Tests pass their own."""

    clocks: Clocks = field(default_factory=Clocks)
    sleep: Callable[[float], None] = time.sleep


class TimedDepth:
    """One runtime at one depth: runs frames of noise and keeps what each took.

    Timed is what the `Enhancer` times of a frame: the model, the overlap-add and the blending.
    """

    def __init__(self, runtime: Runtime, depth: int, clock: Time) -> None:
        d = runtime.description
        self.depth = depth
        self.hop_s = d.hop_seconds
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self._clock = clock
        self._pipeline = Pipeline(runtime, d.sample_rate)
        # Seeded, at the level of speech: a frame's time does not depend on what is in it.
        self._hop: Float32 = (0.05 * np.random.default_rng(0).standard_normal(d.hop)).astype(np.float32)

    def run(self, frames: int, paced: bool) -> None:
        """Time ``frames`` more frames after a few that do not count. Paced frames that are late start at once."""
        due = self._clock.clocks.wall()
        for number in range(-WARM_UP, frames):
            if paced:
                self._clock.sleep(max(0.0, due - self._clock.clocks.wall()))
                due += self.hop_s
            self._pipeline.push(self._hop, self._time if number >= 0 else self._only_run)

    def timing(self, condition: str, energy_mj: float | None) -> Timing:
        """Quantiles over all frames so far."""
        wall, cpu = (1e3 * np.array(times) for times in (self.wall_s, self.cpu_s))
        late = float(np.mean(wall > 1e3 * self.hop_s))
        return Timing(self.depth, condition, len(wall), *_quantiles(wall), *_quantiles(cpu), late, energy_mj)

    def _time(self, pipeline: Pipeline) -> Float32:
        clocks = self._clock.clocks
        wall, cpu = clocks.wall(), clocks.cpu()
        done = self._only_run(pipeline)
        self.wall_s.append(clocks.wall() - wall)
        self.cpu_s.append(clocks.cpu() - cpu)
        return done

    def _only_run(self, pipeline: Pipeline) -> Float32:
        return pipeline.run_frame(self.depth, 1.0).samples


def _quantiles(ms: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    p50, p95, p99 = (float(q) for q in np.quantile(ms, [0.5, 0.95, 0.99]))
    return p50, p95, p99, float(ms.max())
