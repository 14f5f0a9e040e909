"""`Enhancer`: noisy audio in, clean audio out, as deep as the moment allows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pse_sdk.controller import Load
from pse_sdk.costs import expected_costs
from pse_sdk.depth_policy import DepthPolicy
from pse_sdk.errors import UsageError
from pse_sdk.live_frames import LiveFrames
from pse_sdk.load import Clocks, LoadMonitor, held_off_s, read_sensors
from pse_sdk.pcm import PcmFormat, as_audio, check_rate, must_be_scaled, pieces, sanitise
from pse_sdk.personal import Personal
from pse_sdk.pipeline import Float32, Pipeline
from pse_sdk.power import AUTO
from pse_sdk.profiles import Profile, load_profile
from pse_sdk.recording import Recording
from pse_sdk.runtimes.bundled import find_model
from pse_sdk.runtimes.select import open_runtime
from pse_sdk.statistics import FrameStatistics, Stats
from pse_sdk.voice_profile import VoiceProfile

AnyAudio = npt.NDArray[Any]


class Enhancer(Personal):
    """Speech enhancement for recordings (`enhance`) and streams (`process`).

    Parameters
    ----------
    profile
        ``"battery"``, ``"balanced"``, ``"quality"``, ``"fixed-N"``, the path of a TOML file, or a `Profile`.
        ``"auto"`` follows the power supply, also while a stream runs: see `pse_sdk.power`.
    model
        Name of a bundled model or path of an ``.onnx`` or ``.tflite`` file; the default model if None.
    runtime
        ``"onnx"``, ``"tflite"``, ``"torch"``, or ``"auto"``: the fastest that has its package, a file of this model,
        and passes a self-test.
    sample_rate
        Of the blocks given to `process`, 8000 to 192000 Hz. The model works at 16 kHz; what lies above 8 kHz
        is attenuated as the model attenuates the top of its own band.
    voice
        A `VoiceProfile` or the path of one: other talkers are weakened. None keeps every voice; see `enroll`.
    strength_db
        Attenuate nothing by more than this many dB (the "attenuation limit"); None takes the profile's, 0 is no limit.
    clocks
        Where time is read; for tests and simulations.

    Raises
    ------
    ProfileError, ModelError, UsageError, AudioError
        With what is wrong, and what to do.

    Notes
    -----
    An object belongs to one thread at a time, and to one process. Use one `Enhancer` per stream, and make it before
    audio runs: loading takes a fraction of a second, of which LiteRT keeps all Python threads waiting for some 30 ms.
    """

    def __init__(
        self,
        profile: str | Path | Profile = "balanced",
        *,
        model: str | Path | None = None,
        runtime: str = "auto",
        sample_rate: int = 16000,
        strength_db: float | None = None,
        voice: VoiceProfile | str | Path | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        if profile != AUTO:
            profile = load_profile(profile)  # a mistake is told before the model loads
        self._strength_db = _checked_strength(strength_db)
        rate = check_rate(sample_rate)
        loaded = open_runtime(runtime, find_model(model))
        self._pipeline = Pipeline(loaded, rate)
        self._statistics = FrameStatistics(loaded.description.blocks)
        super().__init__(loaded, rate, self._statistics.count_replaced, self._pipeline.set_speaker)
        self._policy = DepthPolicy(profile, self.description, expected_costs(loaded), _sensors(profile))
        self._monitor = LoadMonitor()
        self._frames = LiveFrames(
            self._policy,
            self._statistics,
            clocks or Clocks(held_off=held_off_s),
            self._monitor,
            self.description.hop_seconds,
        )
        self._lock = threading.Lock()
        self._format: PcmFormat | None = None
        if voice is not None:
            self.set_voice(voice)

    # ---- whole recordings

    def enhance(self, noisy: AnyAudio, sample_rate: int | None = None, *, warm_start: bool = False) -> AnyAudio:
        """Enhance a whole recording; the state of a running stream is not touched.

        While a stream must not miss a deadline, let another `Enhancer` do it: a model runs one frame at a time, and
        the stream's frames would wait for the recording's.

        Parameters
        ----------
        noisy : [samples] or [samples, channels], int16, float32 or float64; channels are enhanced one by one
        sample_rate : of the recording, 8000 to 192000 Hz; the Enhancer's own if None
        warm_start : hear the first 5 s of sound once before they are enhanced, as `pse enhance` does: the beginning of
            the recording comes out cleaner. Without it the output is that of a live stream, which cannot look ahead

        Returns
        -------
        Same shape, type and rate, aligned with the input. There is no deadline here: the depth is the deepest
        that the profile allows, or the pinned one.
        """
        noisy = as_audio(noisy)
        blocks = list(self.enhance_blocks([noisy], sample_rate, warm_start=warm_start))
        return np.concatenate(blocks) if blocks else noisy.copy()

    def enhance_blocks(
        self, blocks: Iterable[AnyAudio], sample_rate: int | None = None, *, warm_start: bool = False
    ) -> Iterator[AnyAudio]:
        """`enhance` for recordings larger than memory: blocks in, blocks out, together of the same length.

        Their sizes differ from those that go in: count samples. Depth, strength and voice are those of the call. To go
        on where an earlier call was left, begin some seconds earlier and drop what comes out of those.
        """
        if not isinstance(blocks, Iterable):
            raise UsageError(f"blocks of type {type(blocks).__name__}: give an iterable of arrays")
        rate = self.sample_rate if sample_rate is None else check_rate(sample_rate)
        depth, wet = self._policy.offline_depth, self._wet
        replaced = self._statistics.count_replaced
        return Recording(self._runtime, rate, depth, wet, self._speaker, replaced, warm_start).enhance(blocks)

    # ---- streams

    def process(self, block: AnyAudio) -> AnyAudio:
        """Enhance the next block of a stream: any length in, as many samples out, `latency` samples later.

        Parameters
        ----------
        block : [samples], int16, float32 or float64 at ``sample_rate``

        Raises
        ------
        UsageError
            For more than one channel, a type that changes within a stream, floats of another scale than -1..1, or use
            from two threads at once; the stream goes on.

        Notes
        -----
        A model that fails does not raise here: the audio goes on unprocessed and aligned, and the model is tried again
        (`Stats` counts the faults, the logger ``pse_sdk`` warns once).
        """
        with self._exclusive(), self._restart_on_error():
            block = as_audio(block)
            if not block.size:
                nothing: AnyAudio = block.copy()  # of a type that says nothing of those to come
                return nothing
            pcm = PcmFormat.of(block).must_be_mono() if self._format is None else self._format.same_as(block)
            must_be_scaled(block)
            self._format = pcm
            self._monitor.start()
            self._frames.begin(block.size / self.sample_rate)
            out = np.empty(block.size, np.float32)
            parts = zip(pieces(block.reshape(-1), self.sample_rate), pieces(out, self.sample_rate), strict=True)
            for noisy, clean in parts:
                samples, bad = sanitise(noisy)
                self._statistics.count_replaced(bad)
                clean[:] = self._pipeline.push(samples, self._live_frame)
            self._frames.end()
            return self._format.restore([out]).reshape(block.shape)

    def flush(self) -> AnyAudio:
        """The last `latency` samples of the stream; afterwards a new one begins."""
        with self._exclusive(), self._restart_on_error():
            pcm = self._format or PcmFormat(np.dtype(np.float32), 1, False)
            self._frames.restart()  # these samples wait for nothing
            tail = self._pipeline.flush(self._live_frame)
            self._restart()
            return pcm.restore([tail])

    def reset(self) -> None:
        """Forget the stream; what the controller learned about the machine stays."""
        with self._exclusive():
            self._restart()

    @property
    def sample_rate(self) -> int:
        """Of the blocks given to `process`, in Hz."""
        return self._sample_rate

    @sample_rate.setter
    def sample_rate(self, rate: int) -> None:
        raise UsageError(
            f"the rate of a stream cannot change (from {self._sample_rate} to {rate} Hz): make another Enhancer"
        )

    @property
    def latency(self) -> int:
        """Delay of `process` in samples at ``sample_rate``."""
        return self._pipeline.latency

    # ---- depth, profile, strength

    @property
    def runtime(self) -> str:
        """Name of the runtime at work: what ``"auto"`` chose."""
        return self._runtime.name

    @property
    def max_depth(self) -> int:
        """Blocks that the model has."""
        return self.description.blocks

    @property
    def depth(self) -> int:
        """The depth that the next frame of a stream aims at; 0 is bypass."""
        return self._policy.depth

    @property
    def pinned_depth(self) -> int | None:
        """What `set_depth` was given last: None where the controller chooses."""
        return self._policy.pinned_depth

    def set_depth(self, depth: int | None) -> None:
        """Pin the depth (0 bypasses), or give it back to the controller with None. Takes effect with the next frame."""
        self._policy.pin(depth)

    @property
    def profile(self) -> Profile:
        """The one in force; with ``"auto"`` what the supply asks for now: to follow it again, ask for "auto" again."""
        return self._policy.profile

    def set_profile(self, profile: str | Path | Profile) -> None:
        """Change the profile, also while a stream runs: neither a click nor a lost sample."""
        self._policy.set_profile(profile, _sensors(profile))

    @property
    def strength_db(self) -> float:
        """Attenuation limit in dB; 0 is no limit."""
        return self.profile.strength_db if self._strength_db is None else self._strength_db

    def set_strength(self, strength_db: float | None) -> None:
        """Change the attenuation limit, also while a stream runs; None takes the profile's."""
        self._strength_db = _checked_strength(strength_db)

    def stats(self) -> Stats:
        """What the streams of this object did so far, and why the present one runs at its depth."""
        policy = self._policy
        depth, reason = policy.depth_and_reason(self._pipeline.resting)
        return self._statistics.summary(
            depth=depth,
            reason=reason,
            faults=policy.guard.faults,
            last_fault=policy.guard.last_fault,
            deadline_s=policy.controller.deadline_s,
            load=self._monitor.load,
        )

    def close(self) -> None:
        """Stop watching the system's load. The object can still be used: the next `process` watches again."""
        self._monitor.stop()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise UsageError("an Enhancer can be neither copied nor sent to another process: make another one there")

    def __enter__(self) -> Enhancer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- one frame

    def _live_frame(self, pipeline: Pipeline) -> Float32:
        return self._frames.run(pipeline, self._wet)

    # ---- the rest

    @property
    def _wet(self) -> float:
        """Share of the enhanced signal: its complement is what the attenuation limit lets through."""
        return 1.0 - 10 ** (-self.strength_db / 20) if self.strength_db else 1.0

    def _restart(self) -> None:
        self._pipeline.reset()
        self._frames.restart()
        self._format = None

    @contextmanager
    def _restart_on_error(self) -> Iterator[None]:
        """A frame that failed has left samples half-way: a new stream is better than one that is shifted for good."""
        try:
            yield
        except UsageError:
            raise
        except BaseException:
            self._restart()
            raise

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Who comes second is told so, and does not wait."""
        if self._lock.locked():
            raise UsageError("this Enhancer is in use by another thread: make one Enhancer per stream")
        with self._lock:  # unlike acquire() and try, an interrupt cannot come between
            yield


def _sensors(profile: str | Path | Profile) -> Load:
    """What the system says of its supply, where the profile follows it: to ask takes tens of milliseconds."""
    return read_sensors() if profile == AUTO else Load()


def _checked_strength(strength_db: float | None) -> float | None:
    if strength_db is None:
        return None
    if not (isinstance(strength_db, Real) and not isinstance(strength_db, bool) and 0 <= strength_db <= 120):
        raise UsageError(f"strength_db = {strength_db!r}: must be a number from 0 (no limit) to 120")
    return float(strength_db)
