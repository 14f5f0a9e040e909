"""Synthetic load traces: one per kind of trouble, the same at every call for the same seed.

The figures are those of paced frames of the small model (int8, ONNX Runtime, one thread) on a virtual x86 machine
with two cores, 6000 frames with other work on the cores and 6000 with a busy loop pinned to the same one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pse_sdk.cost_model import assumed_costs
from pse_sdk.simulate.trace import Bools, Float64, LoadTrace

HOP_S = 0.01
SECONDS = 120.0
# Paced frames, caches cold after each pause, while the cores had other work: medians of the CPU time per depth.
COSTS_S = (0.58e-3, 0.71e-3, 0.82e-3, 0.93e-3, 1.06e-3)
# A quiet machine is taken to be twice as fast.
QUIET = 0.5
MACS_PER_S = (154e6, 259e6, 364e6, 469e6, 573e6)
# CPU time around its median: the deviation of its logarithm, and the correlation from frame to frame.
JITTER, JITTER_KEPT = 0.18, 0.75
# Stalls per second of CPU time: quiet (assumed), other work on all cores, and a busy loop on the same core.
QUIET_STALLS, BUSY_STALLS, HOG_STALLS = 1.0, 21.0, 64.0
# Quantiles of the length of a stall, at even steps from 0 to 1.
SHORT_STALLS_S = (0.10e-3, 0.25e-3, 0.40e-3, 0.80e-3, 1.38e-3, 1.9e-3, 2.62e-3, 3.8e-3, 4.83e-3)
HOG_STALLS_S = (0.11e-3, 0.81e-3, 1.19e-3, 1.7e-3, 2.27e-3, 3.1e-3, 3.98e-3, 4.6e-3, 7.98e-3)
# Share of the frames that wait for a core before they begin, and quantiles of how long: 1200 frames of depth 5 with
# other work on the core, 2500 with a busy loop on it, whose turn lasts until the scheduler's next tick.
BUSY_WAITS, BUSY_WAITS_S = 0.03, (1.1e-3, 3.4e-3, 3.4e-3, 3.4e-3, 4.1e-3)
HOG_WAITS, HOG_WAITS_S = 0.34, (3.2e-3, 3.7e-3, 4.1e-3, 4.6e-3, 5.0e-3)
# The system's load is read twice a second, as a mean since the last reading.
READING_S = 0.5


def idle(rng: np.random.Generator) -> LoadTrace:
    """Nothing but the operating system's own jitter."""
    nothing = _nothing()
    return _trace(rng, "idle", nothing + 1.0, nothing + QUIET_STALLS, nothing > 0)


def busy(rng: np.random.Generator) -> LoadTrace:
    """Other work on all cores, all the time."""
    nothing = _nothing()
    made = _trace(rng, "busy", nothing + 1 / QUIET, nothing + BUSY_STALLS, nothing == 0)
    return _with_waits(rng, made, nothing + BUSY_WAITS, BUSY_WAITS_S)


def step(rng: np.random.Generator) -> LoadTrace:
    """Ten seconds of rest, ten of load; each time the load is a heavier one."""
    level = np.repeat([1.0, 2, 1, 4, 1, 6, 1, 9, 1, 12, 1, 15], round(SECONDS / 12 / HOP_S))
    return _trace(rng, "step", level, _nothing() + QUIET_STALLS, level > 1)


def ramp(rng: np.random.Generator) -> LoadTrace:
    """Slower and slower up to twelve-fold, and back."""
    level = np.interp(_time(), [0, 10, 50, 70, 110, 120], [1, 1, 12, 12, 1, 1])
    return _trace(rng, "ramp", level, _nothing() + QUIET_STALLS, _nothing() > 0)


def bursts(rng: np.random.Generator) -> LoadTrace:
    """Loads of 50 to 500 ms, five to ten-fold, every three seconds in the mean."""
    level = _nothing() + 1.0
    start = rng.exponential(3.0)
    while start < SECONDS:
        length = rng.uniform(0.05, 0.5)
        level[round(start / HOP_S) : round((start + length) / HOP_S)] = rng.uniform(5, 10)
        start += length + rng.exponential(3.0)
    return _trace(rng, "bursts", level, _nothing() + QUIET_STALLS, level > 1)


def square(rng: np.random.Generator) -> LoadTrace:
    """Eight-fold load for five seconds, none for five, over and over."""
    level = np.where(_time() % 10 < 5, 1.0, 8.0)
    return _trace(rng, "square", level, _nothing() + QUIET_STALLS, level > 1)


def drift(rng: np.random.Generator) -> LoadTrace:
    """A clock that falls and rises slowly between full speed and a third of it, as with heat."""
    level = 2 - np.cos(2 * np.pi * _time() / SECONDS)
    return _trace(rng, "drift", level, _nothing() + QUIET_STALLS, _nothing() > 0)


def hog(rng: np.random.Generator) -> LoadTrace:
    """A busy loop on the same core, for half a minute and again for half a minute."""
    loaded = _time() % 60 >= 30
    level = np.where(loaded, 1.0 / QUIET, 1.0)
    stalls = np.where(loaded, HOG_STALLS, QUIET_STALLS)
    made = _trace(rng, "hog", level, stalls, loaded, HOG_STALLS_S)
    return _with_waits(rng, made, np.where(loaded, HOG_WAITS, 0.0), HOG_WAITS_S)


LIBRARY: dict[str, Callable[[np.random.Generator], LoadTrace]] = {
    make.__name__: make for make in (idle, busy, step, ramp, bursts, square, drift, hog)
}


def synthetic_trace(name: str, seed: int = 0) -> LoadTrace:
    """The trace called ``name`` in `LIBRARY`; another seed is another instance of the same kind."""
    return LIBRARY[name](np.random.default_rng([seed, list(LIBRARY).index(name)]))


def _trace(
    rng: np.random.Generator,
    name: str,
    level: Float64,
    stalls_per_cpu_s: Float64,
    loaded: Bools,
    stall_lengths_s: tuple[float, ...] = SHORT_STALLS_S,
) -> LoadTrace:
    """Jitter and stalls added to a course of slowdowns."""
    frames = len(level)
    costs = QUIET * np.array(COSTS_S)
    slowdown = level * np.exp(JITTER * _correlated(rng, frames))
    stalled = rng.uniform(size=frames) < stalls_per_cpu_s * costs[-1] * slowdown
    lengths = np.interp(rng.uniform(size=frames), np.linspace(0, 1, len(stall_lengths_s)), stall_lengths_s)
    return LoadTrace(
        name=name,
        hop_s=HOP_S,
        costs_s=costs,
        expected_s=np.array(assumed_costs(MACS_PER_S, HOP_S, "int8")),
        slowdown=slowdown,
        stall_s=np.where(stalled, lengths, 0.0),
        stall_at=rng.uniform(size=frames),
        wait_s=np.zeros(frames),
        cpu_load=_readings(loaded),
        loaded=loaded,
        note=f"synthetic: {LIBRARY[name].__doc__}",
    )


def _with_waits(rng: np.random.Generator, trace: LoadTrace, share: Float64, lengths_s: tuple[float, ...]) -> LoadTrace:
    """The same trace, where each frame waits for its core with the probability ``share``."""
    lengths = np.interp(rng.uniform(size=trace.frames), np.linspace(0, 1, len(lengths_s)), lengths_s)
    return dataclasses.replace(trace, wait_s=np.where(rng.uniform(size=trace.frames) < share, lengths, 0.0))


def _correlated(rng: np.random.Generator, frames: int) -> Float64:
    """Normal noise of unit variance whose neighbours are alike."""
    noise = rng.standard_normal(frames)
    for n in range(1, frames):
        noise[n] = JITTER_KEPT * noise[n - 1] + np.sqrt(1 - JITTER_KEPT**2) * noise[n]
    return noise


def _readings(loaded: Bools) -> Float64:
    """What the system says: the last reading before each frame, of a load of 0.1 or 1."""
    every = round(READING_S / HOP_S)
    readings: Float64 = np.where(loaded, 1.0, 0.1)[: len(loaded) // every * every].reshape(-1, every).mean(axis=1)
    shown = np.concatenate([np.full(every, np.nan), np.repeat(readings, every)])
    return np.asarray(shown[: len(loaded)], np.float64)


def _time() -> Float64:
    return np.arange(round(SECONDS / HOP_S), dtype=np.float64) * HOP_S


def _nothing() -> Float64:
    return np.zeros(round(SECONDS / HOP_S))
