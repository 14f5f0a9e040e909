"""What a stream did: counts that do not grow, and quantiles over its last frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pse_sdk.controller import Load

# Frames that quantiles are taken over: the last 20 s.
RECENT = 2000


@dataclass(frozen=True)
class Stats:
    """Statistics of all streams that went through one Enhancer.

    Parameters
    ----------
    depth, reason : of the next frame, and why
    frames : enhanced so far; frames_at_depth[d] of them were heard at depth d (0: bypass)
    mean_depth, depth_changes : over all of them
    resting_frames : in pauses, where the profile lets fewer blocks run, and none in digital silence; that counts as
        heard at the depth before it, and after a while at that of pauses
    misses : frames that took longer than the profile's part of a hop, ``deadline_ms``, the wait of a block that was
        handed over late included
    late_starts : blocks of a live stream that were handed over after their time: the thread waited for a core
    frame_ms_p50, frame_ms_p95, frame_ms_p99 : wall time of the last 2000 frames
    real_time_factor, cpu_share : wall and CPU time of `Enhancer.process` over the duration of what it got, the last
        2000 blocks; the profile's ``cpu_share`` is of the network alone
    replaced_samples : NaN, infinite or absurd input samples that became silence, whole recordings included
    faults, last_fault : times that the model failed in a stream, which then went on unprocessed, and the last reason
    load : the system's, where it says
    """

    depth: int
    reason: str
    frames: int
    frames_at_depth: tuple[int, ...]
    mean_depth: float
    depth_changes: int
    resting_frames: int
    misses: int
    late_starts: int
    deadline_ms: float
    frame_ms_p50: float
    frame_ms_p95: float
    frame_ms_p99: float
    real_time_factor: float
    cpu_share: float
    replaced_samples: int
    faults: int
    last_fault: str
    load: Load


class FrameStatistics:
    """Collects what `Stats` tells. Nothing in it grows with the stream."""

    def __init__(self, blocks: int) -> None:
        self._frames_at_depth = np.zeros(blocks + 1, np.int64)
        self._wall = np.zeros(RECENT)
        self._blocks = np.zeros((3, RECENT))  # seconds of audio, wall and CPU time
        self._block = 0
        self._frames = self._misses = self._changes = self._replaced = self._resting = self._late_starts = 0
        self._last_depth: int | None = None

    def add_block(self, audio_s: float, wall_s: float, cpu_s: float) -> None:
        """A block of ``audio_s`` seconds, which took so much time from its arrival to its return."""
        # A clock that was set back says nothing; a negative time would spoil the means.
        self._blocks[:, self._block % RECENT] = audio_s, max(0.0, wall_s), max(0.0, cpu_s)
        self._block += 1

    def add_frame(self, depth: int, wall_s: float, late: bool, resting: bool = False) -> None:
        self._wall[self._frames % RECENT] = max(0.0, wall_s)
        self._frames += 1
        self._frames_at_depth[depth] += 1
        self._misses += late
        self._resting += resting
        self._changes += self._last_depth is not None and self._last_depth != depth
        self._last_depth = depth

    def count_late_start(self, late: bool, stalled_before: bool) -> None:
        """A block began ``late``; or it showed that the one before was a whole block late, which is a miss too."""
        self._late_starts += late + stalled_before
        self._misses += stalled_before

    def count_replaced(self, samples: int) -> None:
        self._replaced += samples

    def summary(self, depth: int, reason: str, deadline_s: float, faults: int, last_fault: str, load: Load) -> Stats:
        at_depth = self._frames_at_depth.copy()  # another thread may be counting
        frames = int(at_depth.sum())
        recent = min(frames, RECENT)
        quantiles = _quantiles(self._wall[:recent], [0.5, 0.95, 0.99]) * 1e3 if recent else np.zeros(3)
        audio_s, wall_s, cpu_s = self._blocks.sum(1)
        depths = np.arange(len(at_depth))
        return Stats(
            depth=depth,
            reason=reason,
            frames=frames,
            frames_at_depth=tuple(int(n) for n in at_depth),
            mean_depth=float((at_depth * depths).sum() / max(1, frames)),
            depth_changes=self._changes,
            resting_frames=self._resting,
            misses=self._misses,
            late_starts=self._late_starts,
            deadline_ms=deadline_s * 1e3,
            frame_ms_p50=float(quantiles[0]),
            frame_ms_p95=float(quantiles[1]),
            frame_ms_p99=float(quantiles[2]),
            real_time_factor=float(wall_s / audio_s) if audio_s else 0.0,
            cpu_share=float(cpu_s / audio_s) if audio_s else 0.0,
            replaced_samples=self._replaced,
            faults=faults,
            last_fault=last_fault,
            load=load,
        )


def _quantiles(values: npt.NDArray[np.float64], shares: list[float]) -> npt.NDArray[np.float64]:
    """As `numpy.quantile`, which at its first call imports for milliseconds: a stream has none to spare."""
    places = np.array(shares) * (len(values) - 1)
    found: npt.NDArray[np.float64] = np.interp(places, np.arange(len(values)), np.sort(values))
    return found
