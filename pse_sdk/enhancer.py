"""`Enhancer`: noisy audio in, clean audio out, as deep as the moment allows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.controller import DepthController
from pse_sdk.costs import expected_costs
from pse_sdk.enrolment import (
    EnrolmentReport,
    enrol,
    open_speaker_encoder,
    project_voice,
    read_enrolment,
    to_mono_16k,
)
from pse_sdk.errors import UsageError
from pse_sdk.guard import Guard
from pse_sdk.load import Clocks, LoadMonitor, read_sensors
from pse_sdk.pcm import PcmFormat, check_rate, sanitise, to_channels
from pse_sdk.pipeline import Frame, Pipeline
from pse_sdk.power import AUTO, PowerState, first_state, follow, profile_for
from pse_sdk.profiles import Profile, load_profile
from pse_sdk.runtimes.bundled import PERSONAL_MODEL, find_model
from pse_sdk.runtimes.select import open_runtime
from pse_sdk.silence import Rest
from pse_sdk.statistics import FrameStatistics, Stats
from pse_sdk.voice_profile import VoiceProfile, load_voice

AnyAudio = npt.NDArray[Any]

# Blocks are cut into pieces of this many seconds, so that a block of any size takes bounded memory.
PIECE_S = 1.0


class Enhancer:
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
        A `VoiceProfile` or the path of one: only that voice stays. None keeps every voice; see `enroll`.
    strength_db
        Attenuate nothing by more than this many dB (the "attenuation limit"); None takes the profile's, 0 is no limit.
    clocks
        Where time is read; for tests and simulations.

    Raises
    ------
    ProfileError, ModelError, UsageError
        With what is wrong, and what to do.

    Notes
    -----
    An object belongs to one thread at a time. Use one `Enhancer` per stream; loading takes a fraction of a second.
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
        self._sample_rate = check_rate(sample_rate)
        if model is None and voice is not None:
            model = PERSONAL_MODEL
        self._runtime = open_runtime(runtime, find_model(model))
        self.description = self._runtime.description
        self._power: PowerState | None = None
        self._profile = self._chosen(profile)
        self._clocks = clocks or Clocks()
        self._monitor = LoadMonitor()
        self._lock = threading.Lock()
        self._pinned: int | None = None
        costs = expected_costs(self._runtime)
        self._controller = DepthController(self._profile, costs, self.description.hop_seconds)
        self._guard = Guard()
        self._statistics = FrameStatistics(self.description.blocks)
        self._pipeline = Pipeline(self._runtime, self.sample_rate)
        self._format: PcmFormat | None = None
        self._voice: VoiceProfile | None = None
        self._speaker: npt.NDArray[np.float32] | None = None
        if voice is not None:
            self.set_voice(voice)

    # ---- whole recordings

    def enhance(self, noisy: AnyAudio, sample_rate: int | None = None) -> AnyAudio:
        """Enhance a whole recording; a running stream is not touched.

        Parameters
        ----------
        noisy : [samples] or [samples, channels], int16, float32 or float64; channels are enhanced one by one
        sample_rate : of the recording, 8000 to 192000 Hz; the Enhancer's own if None

        Returns
        -------
        Same shape, type and rate, aligned with the input. There is no deadline here: the depth is the deepest
        that the profile allows, or the pinned one.
        """
        noisy = np.asarray(noisy)
        blocks = list(self.enhance_blocks([noisy], sample_rate))
        return np.concatenate(blocks) if blocks else noisy.copy()

    def enhance_blocks(self, blocks: Iterable[AnyAudio], sample_rate: int | None = None) -> Iterator[AnyAudio]:
        """`enhance` for recordings larger than memory: blocks in, blocks out, together of the same length."""
        rate = self.sample_rate if sample_rate is None else check_rate(sample_rate)
        depth = self._pinned if self._pinned is not None else self._controller.deepest
        wet = self._wet
        pipelines: list[Pipeline] = []
        pcm: PcmFormat | None = None
        to_drop = 0
        for block in blocks:
            block = np.asarray(block)
            pcm = PcmFormat.of(block) if pcm is None else pcm.same_as(block)
            if not pipelines:
                pipelines = [Pipeline(self._runtime, rate, self._speaker) for _ in range(pcm.channels)]
                to_drop = pipelines[0].latency
            for start in range(0, len(block), _piece(rate)):
                piece = block[start : start + _piece(rate)]
                done = [
                    self._offline(pipeline, channel, depth, wet)
                    for pipeline, channel in zip(pipelines, to_channels(piece), strict=True)
                ]
                drop, to_drop = min(to_drop, len(piece)), max(0, to_drop - len(piece))
                if drop < len(piece):
                    yield pcm.restore([channel[drop:] for channel in done])
        if pcm is not None and pipelines:
            # A recording shorter than the latency has part of the padding before it in the tail.
            tails = [self._flush(pipeline, depth, wet)[to_drop:] for pipeline in pipelines]
            yield pcm.restore(tails)

    # ---- streams

    def process(self, block: AnyAudio) -> AnyAudio:
        """Enhance the next block of a stream: any length in, as many samples out, `latency` samples later.

        Parameters
        ----------
        block : [samples], int16, float32 or float64 at ``sample_rate``

        Raises
        ------
        UsageError
            For more than one channel, a type that changes within a stream, or use from two threads at once; the
            stream goes on.

        Notes
        -----
        A model that fails does not raise here: the audio goes on unprocessed and aligned, and the model is tried again
        (`Stats` counts the faults, the logger ``pse_sdk`` warns once).
        """
        with self._exclusive(), self._restart_on_error():
            block = np.asarray(block)
            if self._format is None:
                self._format = PcmFormat.of(block).must_be_mono()
                self._monitor.start()
            else:
                self._format.same_as(block)
            channel = block.reshape(-1)
            out = np.empty(len(channel), np.float32)
            for start in range(0, len(channel), _piece(self.sample_rate)):
                piece, bad = sanitise(channel[start : start + _piece(self.sample_rate)])
                self._statistics.count_replaced(bad)
                out[start : start + len(piece)] = self._pipeline.push(piece, self._live_frame)
            return self._format.restore([out]).reshape(block.shape)

    def flush(self) -> AnyAudio:
        """The last `latency` samples of the stream; afterwards a new one begins."""
        with self._exclusive(), self._restart_on_error():
            pcm = self._format or PcmFormat(np.dtype(np.float32), 1, False)
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

    # ---- whose voice stays

    def enroll(self, audio: AnyAudio | str | Path, sample_rate: int | None = None) -> VoiceProfile:
        """Learn a voice from a recording of it; from now on, also in a running stream, other talkers are removed too.

        Parameters
        ----------
        audio : a file, or [samples] or [samples, channels] (their mean is taken). 5 to 10 s of speech are good;
            some noise does no harm, another voice does. Only the first minute is used
        sample_rate : of the samples; the Enhancer's own if None. A file knows its own

        Returns
        -------
        The voice profile, to `VoiceProfile.save` and give to `set_voice` another time.

        Raises
        ------
        AudioError
            Less than 2 s of speech, silent, clipped or very noisy: the message has the measured value.
        UsageError
            The model has no speaker input.
        """
        samples, rate, name = read_enrolment(audio, self.sample_rate if sample_rate is None else sample_rate)
        voice, _ = self.measure_voice(samples, rate, name)
        self.set_voice(voice)
        return voice

    def measure_voice(
        self, audio: AnyAudio, sample_rate: int, name: str = "enrolment"
    ) -> tuple[VoiceProfile, EnrolmentReport]:
        """As `enroll`, but nothing changes here, and what was measured on the recording is told as well."""
        encoder = open_speaker_encoder(self.description)
        mono = to_mono_16k(audio, sample_rate)
        return enrol(mono, self._enhance_for_all, encoder, name)

    def set_voice(self, voice: VoiceProfile | str | Path | None) -> None:
        """Remove everybody but this voice, also in a running stream; None keeps every voice.

        Raises `AudioError` for a file that is no voice profile, `UsageError` for one of another speaker encoder.
        """
        profile = load_voice(voice) if isinstance(voice, (str, Path)) else voice
        self._speaker = None if profile is None else project_voice(self.description, profile)
        self._voice = profile
        self._pipeline.stream.set_speaker(self._speaker)

    def forget(self) -> None:
        """Keep every voice again, and drop the enrolled one."""
        self.set_voice(None)

    @property
    def voice(self) -> VoiceProfile | None:
        """The enrolled voice."""
        return self._voice

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
        return self._controller.decision.depth if self._pinned is None else self._pinned

    def set_depth(self, depth: int | None) -> None:
        """Pin the depth (0 bypasses), or give it back to the controller with None. Takes effect with the next frame."""
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, (int, np.integer))):
            raise UsageError(f"depth {depth!r}: must be a whole number or None")
        if depth is not None and not 0 <= depth <= self.max_depth:
            raise UsageError(f"depth {depth}: this model has depths 1 to {self.max_depth}, and 0 for bypass")
        self._pinned = None if depth is None else int(depth)

    @property
    def profile(self) -> Profile:
        return self._profile

    def set_profile(self, profile: str | Path | Profile) -> None:
        """Change the profile, also while a stream runs: neither a click nor a lost sample."""
        self._profile = self._chosen(profile)
        self._controller.set_profile(self._profile)

    @property
    def strength_db(self) -> float:
        """Attenuation limit in dB; 0 is no limit."""
        return self._profile.strength_db if self._strength_db is None else self._strength_db

    def set_strength(self, strength_db: float | None) -> None:
        """Change the attenuation limit, also while a stream runs; None takes the profile's."""
        self._strength_db = _checked_strength(strength_db)

    def stats(self) -> Stats:
        """What the streams of this object did so far, and why the present one runs at its depth."""
        depth, reason = self._depth_and_reason()
        return self._statistics.summary(
            depth=depth,
            reason=reason,
            faults=self._guard.faults,
            last_fault=self._guard.last_fault,
            hop_s=self.description.hop_seconds,
            deadline_s=self._controller.deadline_s,
            load=self._monitor.load,
        )

    def _depth_and_reason(self) -> tuple[int, str]:
        if self._guard.reason:
            return 0, self._guard.reason
        if self._pinned is not None:
            return self._pinned, "pinned by set_depth"
        decision = self._controller.decision
        if self._pipeline.resting:
            return min(decision.depth, max(1, self._controller.shallowest)), "nobody speaks"
        return decision.depth, decision.reason

    def close(self) -> None:
        """Stop watching the system's load. The object can still be used."""
        self._monitor.stop()

    def __enter__(self) -> Enhancer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- one frame

    def _live_frame(self, pipeline: Pipeline) -> npt.NDArray[np.float32]:
        """Run one frame of the stream at the depth of the moment, and tell the controller what it took."""
        wall, cpu = self._clocks.wall(), self._clocks.cpu()
        frame = self._guarded_frame(pipeline)
        wall, cpu = self._clocks.wall() - wall, self._clocks.cpu() - cpu
        self._follow_power()
        self._controller.observe_load(self._monitor.load)
        if frame.ran or not frame.resting:  # a frame without the model says nothing of the model's cost
            self._controller.observe(frame.ran, wall, cpu)
        self._statistics.add_frame(frame.heard, wall, cpu, wall > self._controller.deadline_s, frame.resting)
        return frame.samples

    def _guarded_frame(self, pipeline: Pipeline) -> Frame:
        """`Pipeline.run_frame` at the depth of the moment; bypass where the model fails or has just failed."""
        depth = self.depth if self._guard.may_run() else 0
        try:
            frame = pipeline.run_frame(depth, self._wet, self._rest)
        except Exception as error:  # a runtime's exceptions are its own, and audio must go on whatever they are
            self._guard.failed(error)
            return pipeline.run_frame(0, self._wet)
        if frame.ran:
            self._guard.worked()
        return frame

    @property
    def _rest(self) -> Rest | None:
        """What pauses may be used for: nothing where the app pinned the depth."""
        after_s = self._profile.rest_after_s
        return Rest(after_s, max(1, self._controller.shallowest)) if after_s and self._pinned is None else None

    def _enhance_for_all(self, audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The whole recording at the deepest depth, 16 kHz, nobody enrolled."""
        pipeline, depth = Pipeline(self._runtime, self.description.sample_rate), self.max_depth
        done = [self._offline(pipeline, audio, depth, 1.0), self._flush(pipeline, depth, 1.0)]
        return np.concatenate(done)[pipeline.latency :]

    def _offline(self, pipeline: Pipeline, channel: AnyAudio, depth: int, wet: float) -> npt.NDArray[np.float32]:
        clean, bad = sanitise(channel)
        self._statistics.count_replaced(bad)
        return pipeline.push(clean, lambda p: p.run_frame(depth, wet).samples)

    @staticmethod
    def _flush(pipeline: Pipeline, depth: int, wet: float) -> npt.NDArray[np.float32]:
        return pipeline.flush(lambda p: p.run_frame(depth, wet).samples)

    @property
    def _wet(self) -> float:
        """Share of the enhanced signal: its complement is what the attenuation limit lets through."""
        return 1.0 - 10 ** (-self.strength_db / 20) if self.strength_db else 1.0

    def _restart(self) -> None:
        self._pipeline.reset()
        self._format = None

    def _chosen(self, profile: str | Path | Profile) -> Profile:
        """The profile that was asked for, checked; with "auto" the one that the power supply asks for."""
        if profile == AUTO:
            self._power = first_state(read_sensors())
            return profile_for(self._power.supply, self.description.blocks)
        loaded, blocks = load_profile(profile), self.description.blocks
        if max(loaded.min_depth, loaded.max_depth) > blocks:
            raise UsageError(f"profile {loaded.name}: depth {max(loaded.min_depth, loaded.max_depth)}, but model "
                             f"{self.description.name!r} has depths 1 to {blocks}")  # fmt: skip
        self._power = None
        return loaded

    def _follow_power(self) -> None:
        """With profile "auto": change to what the power supply asks for, as soon as that is another profile."""
        if self._power is None:
            return
        before = self._power
        self._power = follow(before, self._monitor.load, self.description.hop_seconds)
        if self._power.supply is not before.supply:
            self._profile = profile_for(self._power.supply, self.description.blocks)
            self._controller.set_profile(self._profile)

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

    def _exclusive(self) -> _Exclusive:
        return _Exclusive(self._lock)


class _Exclusive:
    """A lock that is never waited for: who comes second is told so."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise UsageError("this Enhancer is in use by another thread: make one Enhancer per stream")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _piece(rate: int) -> int:
    return int(PIECE_S * rate)


def _checked_strength(strength_db: float | None) -> float | None:
    number = isinstance(strength_db, (int, float)) and not isinstance(strength_db, bool)
    if strength_db is not None and not (number and 0 <= strength_db <= 120):
        raise UsageError(f"strength_db = {strength_db!r}: must be from 0 (no limit) to 120")
    return strength_db
