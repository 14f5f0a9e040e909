"""One channel's way: rate in, windows, model, overlap-add, rate out. Who calls it decides about the depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pse_sdk.depth_change import DepthChange
from pse_sdk.guard import check_output
from pse_sdk.level import InputLevel
from pse_sdk.offset import InputOffset
from pse_sdk.runtimes.base import Runtime
from pse_sdk.silence import FADED, HEARD_FRAMES, LONG_SILENCE_S, Rest, SpeechDetector, is_silent
from pse_sdk.streaming import TINY, Framer, OverlapAdd, RateAdapter

Float32 = npt.NDArray[np.float32]


class Frame(NamedTuple):
    """One frame's result.

    Parameters
    ----------
    samples : the [hop] samples that are now complete
    ran : how many blocks ran
    heard : whose head was heard; 0 is bypass
    resting : nobody speaks: as many blocks ran as `Rest` says, or none in digital silence
    """

    samples: Float32
    ran: int
    heard: int
    resting: bool = False


class Pipeline:
    """Everything that one signal needs and that changes while it runs.

    ``push`` takes samples and returns as many, `latency` later. For each frame that became complete it calls
    back, and the callback calls `run_frame`: so the caller can measure a frame, or choose its depth. ``resting`` says
    whether the last frame that the model saw was one of a pause.
    """

    def __init__(self, runtime: Runtime, rate: int, speaker: Float32 | None = None) -> None:
        d = runtime.description
        self._rates = RateAdapter(rate, d.sample_rate, d.window, d.hop)
        self._framer = Framer(d.window, d.hop)
        self._overlap_add = OverlapAdd(d.window, d.hop)
        self._change = DepthChange()
        self._offset = InputOffset(d.hop_seconds, d.written)
        self._level = InputLevel()
        self._speech = SpeechDetector()
        self._hop_s = d.hop_seconds
        self._written = d.written
        # Of other blocks a part of the state is no less of the same: the samples and statistics that they go on from.
        self._fades = d.architecture.get("block") == "e3net"
        self._heard = 1  # whose head was heard in the last frame
        self._silent = 0  # frames of digital silence before this one
        self.resting = False
        self.stream = runtime.open_stream()
        self.stream.set_speaker(speaker)
        self._window: Float32 = np.zeros((1, d.window), np.float32)
        self._centred = self._window  # without its offset
        self._gain = 1.0  # that brings this window to a level that the model knows

    @property
    def latency(self) -> int:
        return self._rates.latency

    def reset(self) -> None:
        for part in (
            self._rates, self._framer, self._overlap_add, self._change, self._offset, self._level, self._speech,
            self.stream,
        ):  # fmt: skip
            part.reset()
        self._heard, self._silent, self.resting = 1, 0, False

    def set_speaker(self, speaker: Float32 | None) -> None:
        """Whose voice stays from the next frame on; None for everybody's."""
        self.stream.set_speaker(speaker)

    def push(self, samples: Float32, frame: Callable[[Pipeline], Float32]) -> Float32:
        self._advance(self._rates.enter(samples), frame)
        return self._rates.take(len(samples))

    def flush(self, frame: Callable[[Pipeline], Float32]) -> Float32:
        """The last `latency` samples, as if silence followed."""
        self._advance(self._rates.enter_rest(), frame)
        # Silence until the last real sample has left the overlap-add.
        overlap = self._framer.window - self._framer.hop
        self._advance(np.zeros(overlap + self._framer.missing % self._framer.hop, np.float32), frame)
        self._rates.leave_rest()
        return self._rates.take(self._rates.latency)

    def _advance(self, samples: Float32, frame: Callable[[Pipeline], Float32]) -> None:
        self._framer.push(np.where(np.abs(samples) < TINY, np.float32(0), samples))
        while (window := self._framer.pop()) is not None:
            self._window, self._centred = window, self._offset.remove(window)
            self._gain = self._level.gain(self._centred[:, -self._written :])
            self._rates.leave(frame(self), window[0, : self._framer.hop])

    def run_frame(self, depth: int, wet: float, rest: Rest | None = None, pinned: bool = False) -> Frame:
        """Enhance the frame at hand, at ``depth`` or, where ``rest`` is given, at less in pauses and silence.

        ``pinned`` says that the app chose the depth.

        States of blocks that rest wait, and at the onset their head is heard at once: what they knew is of the same
        pause. A change of depth waits for the onset. After long digital silence most of what the model knew is
        forgotten. `pse_sdk.silence` has what was measured.

        Raises
        ------
        Exception
            What the runtime raises, and `ModelError` for an output that is not finite. The frame is then still at
            hand: run it at depth 0, or `reset`.
        """
        if rest and depth and is_silent(self._window):
            self._silent += 1
            if self._silent > HEARD_FRAMES:
                return self._skip(wet, rest)
        else:
            silent_s, self._silent = self._silent * self._hop_s, 0  # before a runtime may raise: it is asked only once
            if silent_s >= LONG_SILENCE_S:
                self._come_back()
        self.resting = bool(rest and self._speech.quiet * self._hop_s >= rest.after_s)
        if rest and self.resting and depth >= rest.depth:
            # The depth stays until the onset: blocks that wake up now would not run, and be heard cold after their
            # warm-up; those of a depth that a late frame took back would be forgotten, though none of them ran in it.
            depth = max(self._change.ran, rest.depth)
        ran, head = self._change.next(depth, pinned)
        if ran > self._change.kept:
            self.stream.forget(self._change.kept)
        if rest and self.resting:
            ran, head = min(ran, rest.depth), min(head, rest.depth)
        self._heard = head
        if ran == 0:
            return Frame(self._overlap_add.add(np.zeros_like(self._window), self._window, 0.0), 0, 0)
        enhanced = self._enhance(ran, max(head, 1))
        if not self._silent:  # a gap between words is no pause yet
            self._speech.observe(self._centred[:, : self._written], enhanced[:, : self._written])
        return Frame(self._overlap_add.add(enhanced, self._window, wet if head else 0.0), ran, head, self.resting)

    def _enhance(self, depth: int, head: int) -> Float32:
        """The window at hand through the model, without its offset and at a level that the model knows."""
        if self._gain == 1:
            return check_output(self.stream.step(self._centred, depth, head), self._centred)
        gain = np.float32(self._gain)
        lifted = self._centred * gain
        enhanced: Float32 = check_output(self.stream.step(lifted, depth, head), lifted) / gain
        return enhanced

    def _skip(self, wet: float, rest: Rest) -> Frame:
        """Digital silence: a mask makes silence of it, so no block needs to run.

        It counts as heard as the frame before it was, and after a while as pauses are: a gap changes no depth.
        """
        self.resting = self.resting or self._silent * self._hop_s >= rest.after_s
        if self.resting:
            self._heard = min(self._heard, rest.depth)
        share = wet if self._heard else 0.0
        return Frame(self._overlap_add.add(np.zeros_like(self._window), self._window, share), 0, self._heard, True)

    def _come_back(self) -> None:
        """After long silence: the states fade where they are an LSTM's, else they begin from zero."""
        self._speech.quiet = 0
        if self._fades:
            hidden, cell = self.stream.states()
            self.stream.set_states(FADED * hidden, FADED * cell)
        else:
            self._change.reset()
