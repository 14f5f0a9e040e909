"""Enrolment: a few seconds of a voice -> a voice profile, after a look at whether the recording will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soxr

from pse_sdk.audio import open_audio, read_blocks
from pse_sdk.errors import AudioError, ModelError, UsageError
from pse_sdk.pcm import PcmFormat, as_audio, check_rate, must_be_scaled, sanitise, to_channels
from pse_sdk.runtimes.bundled import DEFAULT_MODEL, speaker_encoder_path
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.voice_profile import VoiceProfile

if TYPE_CHECKING:
    from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime

Float32 = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
FRAME = 160
# More adds nothing to an embedding.
LONGEST_S = 60.0
# Limits: what lies beyond them was measured to harm, or cannot be told from it.
SHORTEST_SPEECH_S = 2.0
QUIETEST_DBFS = -60.0
MOST_CLIPPED = 0.01
NOISIEST_DB = 0.0
# A frame is speech if what enhancement leaves of it is this close to the loudest frames, and not cut to nothing.
SPEECH_RANGE_DB = 30.0
MARGIN_FRAMES = 10
# The encoder was trained on pieces of this length; the profile is the mean over them.
PIECE_S = 3.0


@dataclass(frozen=True)
class Enrolment:
    """A recording as `enrol` takes it.

    Parameters
    ----------
    audio : [samples] at 16 kHz
    clipped : share of the samples at full scale, as they were recorded: of the worst channel, before resampling, which
        leaves nothing to be seen of it
    replaced : how many samples were no audio and are now silence
    """

    audio: Float32
    clipped: float = 0.0
    replaced: int = 0


@dataclass(frozen=True)
class EnrolmentReport:
    """What was measured on an enrolment recording.

    Parameters
    ----------
    seconds : that were looked at
    speech_s : of them, how many hold speech
    snr_db : of the speech against the noise in the same frames
    clipped : share of samples at full scale
    """

    seconds: float
    speech_s: float
    snr_db: float
    clipped: float


def enrol(
    recorded: Enrolment, enhance: Callable[[Float32], Float32], encoder: SpeakerEncoderRuntime, name: str
) -> tuple[VoiceProfile, EnrolmentReport]:
    """A voice profile from a recording.

    Parameters
    ----------
    enhance : plain enhancement, [samples] -> [samples] aligned: tells speech from noise
    name : of the recording, for messages

    Raises
    ------
    AudioError
        Too short, silent, clipped or noisy, with the measured value.
    """
    audio = recorded.audio[: int(LONGEST_S * SAMPLE_RATE)]
    seconds = len(audio) / SAMPLE_RATE
    _check_level(audio, name)
    clean = enhance(audio)
    active = _active_frames(clean)
    report = EnrolmentReport(
        seconds=seconds,
        speech_s=float(active.sum()) * FRAME / SAMPLE_RATE,
        snr_db=_snr_db(audio, clean, active),
        clipped=recorded.clipped,
    )
    _check(report, name)
    spoken = audio[: len(active) * FRAME][np.repeat(_widen(active), FRAME)]
    pieces = np.array_split(spoken, max(1, round(len(spoken) / (PIECE_S * SAMPLE_RATE))))
    mean = np.mean([encoder.embed(piece) for piece in pieces], axis=0)
    return VoiceProfile((mean / np.linalg.norm(mean)).astype(np.float32), encoder.description.identity), report


def read_enrolment(audio: npt.NDArray[Any] | str | Path, sample_rate: int) -> tuple[npt.NDArray[Any], int, str]:
    """Samples, their rate, and a name for messages; of a file only what is used is read."""
    if not isinstance(audio, (str, Path)):
        return as_audio(audio), sample_rate, "enrolment"
    path = Path(audio)
    with open_audio(path) as file:
        check_rate(file.samplerate, str(path))
        blocks, wanted = [], LONGEST_S * file.samplerate
        for block in read_blocks(file, path):
            blocks.append(block)
            wanted -= len(block)
            if wanted <= 0:
                break
        return np.concatenate(blocks), int(file.samplerate), str(path)


def prepare(audio: npt.NDArray[Any], sample_rate: int, name: str = "enrolment") -> Enrolment:
    """[samples] or [samples, channels] of any kind that `Enhancer` takes -> the mean channel, cleaned, at 16 kHz.

    Without its offset, which enhancement takes away too: it would be taken for noise, and the encoder never met one.
    """
    check_rate(sample_rate)
    audio = as_audio(audio)
    PcmFormat.of(audio)
    longest = int(LONGEST_S * sample_rate)
    must_be_scaled(audio[:longest], name)
    cleaned = [sanitise(channel) for channel in to_channels(audio[:longest])]
    channels = [channel for channel, _ in cleaned]
    mono: Float32 = np.mean(np.stack(channels), axis=0, dtype=np.float32)
    if len(mono):
        mono = mono - np.mean(mono, dtype=np.float64).astype(np.float32)
    if sample_rate != SAMPLE_RATE and len(mono):
        mono = soxr.resample(mono, sample_rate, SAMPLE_RATE)
    return Enrolment(mono, max(_clipped(channel) for channel in channels), sum(bad for _, bad in cleaned))


def open_speaker_encoder(description: ModelDescription) -> SpeakerEncoderRuntime:
    """The speaker encoder that came with the package, if ``description``'s model was trained with it."""
    # Here and not above: an app that enrols nobody and runs LiteRT does without ONNX Runtime.
    from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime

    _must_take_voices(description)
    encoder = SpeakerEncoderRuntime(speaker_encoder_path())
    if encoder.description.identity != description.speaker_encoder:
        raise ModelError(f"model {description.name!r} was trained with speaker encoder "
                         f"{description.speaker_encoder or 'unknown'}, but {encoder.description.identity} came with "
                         "this version of pse-sdk: export the model again")  # fmt: skip
    return encoder


def project_voice(description: ModelDescription, voice: VoiceProfile) -> Float32:
    """The model's ``speaker`` input for a voice; raises `UsageError` if the model does not understand it."""
    _must_take_voices(description)
    if voice.encoder != description.speaker_encoder or len(voice.embedding) != description.speaker_dim:
        raise UsageError(f"this voice profile was made with speaker encoder {voice.encoder}, but model "
                         f"{description.name!r} needs {description.speaker_encoder}: enrol again")  # fmt: skip
    return description.project(voice.embedding)


def _must_take_voices(description: ModelDescription) -> None:
    if not description.speaker_dim:
        raise UsageError(f"model {description.name!r} cannot be personalised: it was trained without a speaker input; "
                         f"use model={DEFAULT_MODEL!r}")  # fmt: skip


def _check_level(audio: Float32, name: str) -> None:
    if not len(audio):
        raise AudioError(f"{name}: holds no samples")
    rms = float(np.sqrt(np.mean(audio**2)))
    level = 20 * np.log10(rms + 1e-9)
    if level < QUIETEST_DBFS:
        heard = f"its level is {level:.0f} dBFS" if rms else "there is nothing in it"
        raise AudioError(f"{name}: too quiet to enrol ({heard}, at least {QUIETEST_DBFS:.0f} dBFS is needed); "
                         "check the microphone and record again")  # fmt: skip


def _check(report: EnrolmentReport, name: str) -> None:
    if report.clipped > MOST_CLIPPED:
        raise AudioError(f"{name}: {report.clipped:.1%} of the samples are clipped (at most {MOST_CLIPPED:.0%}); "
                         "lower the microphone's gain and record again")  # fmt: skip
    if report.speech_s < SHORTEST_SPEECH_S:
        raise AudioError(f"{name}: only {report.speech_s:.1f} s of speech in {report.seconds:.1f} s; at least "
                         f"{SHORTEST_SPEECH_S:.0f} s are needed, 5 to 10 s are good")  # fmt: skip
    if report.snr_db < NOISIEST_DB:
        raise AudioError(f"{name}: too noisy to enrol (speech is {report.snr_db:+.0f} dB against the noise, at least "
                         f"{NOISIEST_DB:+.0f} dB is needed); record in a quieter place, or see whether the sample rate "
                         "is the right one")  # fmt: skip


def _active_frames(clean: Float32) -> npt.NDArray[np.bool_]:
    """[frames], whether each 10 ms hold speech, judged on the enhanced recording."""
    frames = clean[: len(clean) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    if not len(level):
        return np.zeros(0, bool)
    loud = float(np.quantile(level, 0.95))
    active: npt.NDArray[np.bool_] = (level > loud - SPEECH_RANGE_DB) & (level > QUIETEST_DBFS - 10)
    return active


def _widen(active: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Active frames with a little of what surrounds them, so that no consonant is cut."""
    wider: npt.NDArray[np.bool_] = np.convolve(active, np.ones(2 * MARGIN_FRAMES + 1), "same") > 0
    return wider


def _snr_db(audio: Float32, clean: Float32, active: npt.NDArray[np.bool_]) -> float:
    mask = np.repeat(active, FRAME)
    speech, noise = clean[: len(mask)][mask], (audio - clean)[: len(mask)][mask]
    return float(10 * np.log10((np.sum(speech**2) + 1e-12) / (np.sum(noise**2) + 1e-12)))


def _clipped(audio: Float32) -> float:
    """Share of samples in runs of at least two at the recording's largest value, if that is near full scale."""
    full = np.abs(audio) >= max(0.98, float(np.max(np.abs(audio), initial=0.0)) * 0.999)
    runs = full & (np.roll(full, 1) | np.roll(full, -1))
    return float(np.mean(runs)) if len(audio) else 0.0
