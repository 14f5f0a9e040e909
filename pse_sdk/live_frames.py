"""The frames of a stream as they come: each at the depth of the moment, timed, and the times told to who decides."""

from __future__ import annotations

import threading

from pse_sdk.depth_policy import DepthPolicy
from pse_sdk.load import Clocks, LoadMonitor
from pse_sdk.pace import Pace, tolerance_s
from pse_sdk.pipeline import Float32, Frame, Pipeline
from pse_sdk.statistics import FrameStatistics


class LiveFrames:
    """Call `begin` and `end` around every block of a stream, and `run` for every frame that it completes.

    Parameters
    ----------
    policy : chooses the depths
    statistics : counts what happened
    clocks, monitor : where times and the system's load are read
    hop_s : seconds between frames
    """

    def __init__(
        self, policy: DepthPolicy, statistics: FrameStatistics, clocks: Clocks, monitor: LoadMonitor, hop_s: float
    ) -> None:
        self._policy, self._statistics = policy, statistics
        self._clocks, self._monitor = clocks, monitor
        self._hop_s = hop_s
        self.restart()

    def restart(self) -> None:
        """Another stream begins: when its blocks are due is not known yet."""
        self._policy.guard.begin_stream()
        self._pace = Pace()
        self._wait_s = self._owed_s = self._block_s = 0.0
        self._begun = (0.0, 0.0)
        # Of which thread, and how long it had been held off when the last block ended: that time is the thread's own.
        self._held_off: tuple[int, float] | None = None

    def begin(self, block_s: float) -> None:
        """A block of ``block_s`` seconds was handed over, this moment."""
        held_off_s = self._held_off_since_the_last_block()
        self._block_s, self._begun = block_s, (self._clocks.wall(), self._clocks.cpu())
        arrival = self._pace.enter(self._begun[0], block_s, held_off_s)
        # Sound cards hand over late as well, and what they bring late is not due yet: only what the system says that
        # this thread waited for a core counts, until the stream has caught up. Where it says nothing, nothing does.
        self._owed_s += held_off_s
        stalled = arrival.stalled and self._owed_s >= block_s
        if arrival.late_s is not None:
            self._owed_s = min(self._owed_s, arrival.late_s)
        late_s = 0.0 if arrival.late_s is None else self._owed_s
        # A block of several frames may take as many deadlines: each bears its part of the wait.
        self._wait_s = late_s * min(1.0, self._hop_s / max(block_s, self._hop_s))
        # What the pace allows a block to be late by is no late start, though the thread had waited for some of it.
        self._statistics.count_late_start(late_s > tolerance_s(block_s), stalled)

    def end(self) -> None:
        """The block is done, this moment: what the thread waits from here on, it waits for the next one."""
        wall, cpu = self._clocks.wall(), self._clocks.cpu()
        self._statistics.add_block(self._block_s, wall - self._begun[0], cpu - self._begun[1])
        self._pace.leave(wall)
        self._held_off = threading.get_ident(), self._clocks.held_off()

    def _held_off_since_the_last_block(self) -> float:
        """Nothing for the first block, and for that of another thread than the last one's."""
        if self._held_off is None or self._held_off[0] != threading.get_ident():
            return 0.0
        return max(0.0, self._clocks.held_off() - self._held_off[1])

    def run(self, pipeline: Pipeline, wet: float) -> Float32:
        """Run one frame at the depth of the moment, and tell the policy what it took."""
        wall, cpu = self._clocks.wall(), self._clocks.cpu()
        frame = self._guarded(pipeline, wet)
        wall, cpu = self._clocks.wall() - wall, self._clocks.cpu() - cpu
        late = self._policy.observe(frame, wall, cpu, self._wait_s, self._monitor.load)
        self._statistics.add_frame(frame.heard, wall, late, frame.resting)
        return frame.samples

    def _guarded(self, pipeline: Pipeline, wet: float) -> Frame:
        """`Pipeline.run_frame` at the depth of the moment; bypass where the model fails or has just failed."""
        guard = self._policy.guard
        depth = self._policy.depth_after(self._wait_s) if guard.may_run() else 0
        try:
            frame = pipeline.run_frame(depth, wet, self._policy.rest, self._policy.pinned_depth is not None)
        except Exception as error:  # a runtime's exceptions are its own, and audio must go on whatever they are
            guard.failed(error)
            return pipeline.run_frame(0, wet)
        if frame.ran:
            guard.worked()
        return frame
