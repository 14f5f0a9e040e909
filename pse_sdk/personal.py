"""Whose voice stays: the part of an `Enhancer` that knows voices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.enrolment import (
    SAMPLE_RATE,
    EnrolmentReport,
    enrol,
    open_speaker_encoder,
    prepare,
    project_voice,
    read_enrolment,
)
from pse_sdk.errors import UsageError
from pse_sdk.pipeline import Float32
from pse_sdk.recording import Recording
from pse_sdk.runtimes.base import Runtime
from pse_sdk.voice_profile import VoiceProfile, load_voice

AnyAudio = npt.NDArray[Any]


class Personal:
    """Enrols a voice, and keeps what the model is to know of it.

    Parameters
    ----------
    runtime : of the model
    sample_rate : of recordings that do not say theirs
    replaced : told how many samples of a recording were no audio
    changed : told the model's new ``speaker`` input; None for everybody
    """

    def __init__(
        self,
        runtime: Runtime,
        sample_rate: int,
        replaced: Callable[[int], None],
        changed: Callable[[Float32 | None], None],
    ) -> None:
        self.description = runtime.description
        self._runtime, self._sample_rate = runtime, sample_rate
        self._replaced, self._changed = replaced, changed
        self._voice: VoiceProfile | None = None
        self._speaker: Float32 | None = None

    def enroll(self, audio: AnyAudio | str | Path, sample_rate: int | None = None) -> VoiceProfile:
        """Learn a voice from a recording of it; from now on, also in a running stream, other talkers are weakened too.

        Parameters
        ----------
        audio : a file, or [samples] or [samples, channels] (their mean is taken). 5 to 10 s of speech are good;
            some noise does no harm, another voice does. Only the first minute is used
        sample_rate : of the samples; the Enhancer's own if None. A file knows its own

        Returns
        -------
        The voice profile, to `VoiceProfile.save` and give to `set_voice` another time.

        It takes up to a fifth of the recording's length, and more on a busy machine: see docs/personalization.md for
        how a stream runs meanwhile.

        Raises
        ------
        AudioError
            Less than 2 s of speech, silent, clipped or very noisy: the message has the measured value.
        UsageError
            The model has no speaker input.
        """
        samples, rate, name = read_enrolment(audio, self._sample_rate if sample_rate is None else sample_rate)
        voice, _ = self.measure_voice(samples, rate, name)
        self.set_voice(voice)
        return voice

    def measure_voice(
        self, audio: AnyAudio, sample_rate: int, name: str = "enrolment"
    ) -> tuple[VoiceProfile, EnrolmentReport]:
        """As `enroll`, but nothing changes here, and what was measured on the recording is told as well."""
        encoder = open_speaker_encoder(self.description)
        recorded = prepare(audio, sample_rate, name)
        self._replaced(recorded.replaced)
        return enrol(recorded, self._enhance_for_all, encoder, name)

    def set_voice(self, voice: VoiceProfile | str | Path | None) -> None:
        """Weaken everybody but this voice, also in a running stream; None keeps every voice.

        Raises `AudioError` for a file that is no voice profile, `UsageError` for one of another speaker encoder.
        """
        profile = load_voice(voice) if isinstance(voice, (str, Path)) else voice
        if not isinstance(profile, (VoiceProfile, NoneType)):
            raise UsageError(f"voice of type {type(voice).__name__}: must be what enroll() returned, or a file of it")
        self._speaker = None if profile is None else project_voice(self.description, profile)
        self._voice = profile
        self._changed(self._speaker)

    def forget(self) -> None:
        """Keep every voice again, and drop the enrolled one."""
        self.set_voice(None)

    @property
    def voice(self) -> VoiceProfile | None:
        """The enrolled voice."""
        return self._voice

    def _enhance_for_all(self, audio: Float32) -> Float32:
        """The whole recording at the deepest depth, 16 kHz, nobody enrolled."""
        recording = Recording(self._runtime, SAMPLE_RATE, self.description.blocks, 1.0, None, self._replaced)
        return np.concatenate(list(recording.enhance([audio])))
