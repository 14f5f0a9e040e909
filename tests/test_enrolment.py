"""Enrolment: a voice in, a profile out; recordings that will not do are told so with the measured value."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from pse_sdk.runtimes.bundled import speaker_encoder_path
from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime

import pse_sdk as sdk
from pse_sdk import personal
from pse_sdk.enrolment import SAMPLE_RATE, _snr_db, enrol, prepare
from tests.conftest import plain, voice

ENCODER = SpeakerEncoderRuntime(speaker_encoder_path())


def unchanged(audio: np.ndarray) -> np.ndarray:
    return audio


def measured(audio: np.ndarray, enhance=unchanged):
    return enrol(prepare(audio, SAMPLE_RATE), enhance, ENCODER, "me.wav")


def test_a_good_recording_gives_a_profile_and_what_was_measured() -> None:
    profile, report = measured(voice(5))
    assert np.linalg.norm(profile.embedding) == pytest.approx(1, abs=1e-4)
    assert profile.encoder == ENCODER.description.identity
    assert report.seconds == pytest.approx(5.5)
    assert report.speech_s == pytest.approx(5, abs=0.2)
    assert report.clipped == 0


def test_level_silence_and_length_hardly_change_the_embedding_and_another_voice_does() -> None:
    profile = measured(voice(5))[0].embedding
    silence = np.zeros(3 * SAMPLE_RATE, np.float32)
    for same in (0.2 * voice(5), np.concatenate([silence, voice(5), silence]), voice(8)):
        assert measured(same)[0].embedding @ profile > 0.97
    assert measured(voice(5, pitch=230))[0].embedding @ profile < 0.9


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (voice(1.2), r"only 1\.\d s of speech in 1\.7 s; at least 2 s"),
        (np.zeros(5 * SAMPLE_RATE, np.float32), "too quiet to enrol .there is nothing in it"),
        (1e-4 * voice(5), r"its level is -\d+ dBFS, at least -60 dBFS"),
        (np.zeros(0, np.float32), "holds no samples"),
        (np.clip(20 * voice(5), -1, 1), r"\d+\.\d% of the samples are clipped"),
    ],
    ids=["short", "silent", "quiet", "empty", "clipped"],
)
def test_a_recording_that_will_not_do_is_told_the_measured_value(audio: np.ndarray, message: str) -> None:
    with pytest.raises(sdk.AudioError, match=rf"^me\.wav: .*{message}"):
        measured(audio)


@pytest.mark.parametrize("rate", [SAMPLE_RATE, 44100, 48000])
def test_clipping_is_seen_at_any_rate_and_in_any_channel(rate: int) -> None:
    loud = np.clip(20 * soxr.resample(voice(3), SAMPLE_RATE, rate), -1, 1)
    share = prepare(loud, rate).clipped
    assert share > 0.1
    assert prepare(np.stack([0.1 * loud, loud], axis=1), rate).clipped == pytest.approx(share)
    assert prepare((32767 * loud).astype(np.int16), rate).clipped == pytest.approx(share, rel=0.05)
    assert prepare(0.1 * loud, rate).clipped == 0


@pytest.mark.parametrize("offset", [0.05, 0.2])
def test_an_offset_changes_nothing(offset: float) -> None:
    plain, shifted = measured(voice(5)), measured(np.stack([voice(5) + offset, voice(5) - 0.1], axis=1))
    assert shifted[0].embedding @ plain[0].embedding > 0.9999
    assert prepare(voice(3) + offset, 44100).audio.mean() == pytest.approx(0, abs=1e-5)


def test_a_model_of_another_rate_hears_the_enrolment_at_its_own(personal_model: Path, monkeypatch) -> None:
    enhancer, rates = sdk.Enhancer(model=personal_model), []
    real = personal.Recording
    monkeypatch.setattr(personal, "Recording", lambda *args: rates.append(args[1]) or real(*args))
    enhancer.description = dataclasses.replace(enhancer.description, sample_rate=8000)
    enhancer.enroll(voice(5), SAMPLE_RATE)
    assert rates == [SAMPLE_RATE]


def test_samples_that_are_no_audio_are_counted() -> None:
    audio = voice(3)
    audio[100:400] = np.nan
    assert prepare(audio, SAMPLE_RATE).replaced == 300


def test_a_noisy_recording_is_refused_with_its_snr() -> None:
    clean = voice(5)
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    noise *= np.std(clean) / np.std(noise) * 10 ** (10 / 20)
    with pytest.raises(sdk.AudioError, match=r"too noisy to enrol .speech is -1\d dB"):
        measured(clean + noise, enhance=lambda _: clean)
    assert measured(clean + 0.1 * noise, enhance=lambda _: clean)[1].snr_db == pytest.approx(10, abs=1)


def test_an_enrolled_voice_changes_the_output_and_forgetting_restores_it(personal_model: Path, speechlike) -> None:
    noisy = speechlike(16000)
    enhancer = sdk.Enhancer(model=personal_model)
    before = enhancer.enhance(noisy)
    profile = enhancer.enroll(voice(5))
    assert enhancer.voice is profile
    enrolled = enhancer.enhance(noisy)
    assert not np.allclose(enrolled, before, atol=1e-4)
    enhancer.forget()
    assert enhancer.voice is None
    np.testing.assert_array_equal(enhancer.enhance(noisy), before)
    again = sdk.Enhancer(model=personal_model, voice=profile)
    np.testing.assert_array_equal(again.enhance(noisy), enrolled)


def test_a_running_stream_follows_the_enrolment_and_equals_the_recording(personal_model: Path, speechlike) -> None:
    noisy = speechlike(8000)
    enhancer = sdk.Enhancer(model=personal_model, profile="fixed-2")
    profile = enhancer.enroll(voice(5))
    streamed = np.concatenate([*(enhancer.process(b) for b in np.split(noisy, 10)), enhancer.flush()])
    np.testing.assert_allclose(streamed[enhancer.latency :], enhancer.enhance(noisy), atol=1e-6)
    enhancer.process(noisy[:4000])
    enhancer.set_voice(None)
    first = enhancer.process(noisy[:4000])
    assert np.isfinite(first).all()
    enhancer.set_voice(profile)
    assert not np.allclose(enhancer.process(noisy[:4000]), first, atol=1e-5)


def test_files_of_any_rate_and_channels_enrol_alike(personal_model: Path, tmp_path: Path) -> None:
    import soxr

    mono = voice(5)
    soundfile.write(tmp_path / "mono.wav", mono, SAMPLE_RATE)
    soundfile.write(tmp_path / "stereo.flac", np.stack([soxr.resample(mono, 16000, 44100)] * 2, 1), 44100)
    enhancer = sdk.Enhancer(model=personal_model)
    one = enhancer.enroll(tmp_path / "mono.wav")
    assert enhancer.enroll(str(tmp_path / "stereo.flac")).embedding @ one.embedding > 0.99
    assert enhancer.enroll(mono, 16000).embedding @ one.embedding > 0.999
    with pytest.raises(sdk.AudioError, match=r"gone\.wav: no such file"):
        enhancer.enroll(tmp_path / "gone.wav")
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.full(48000, 9000.0), 16000, "FLOAT")
    with pytest.raises(sdk.UsageError, match=r"loud\.wav: float samples up to 9000"):
        enhancer.enroll(loud)
    with pytest.raises(sdk.UsageError, match="sample rate 1000"):
        enhancer.enroll(mono, 1000)


def test_a_refused_enrolment_leaves_the_one_before(personal_model: Path) -> None:
    enhancer = sdk.Enhancer(model=personal_model)
    profile = enhancer.enroll(voice(5))
    with pytest.raises(sdk.AudioError):
        enhancer.enroll(voice(0.5))
    assert enhancer.voice is profile


def test_a_profile_of_another_encoder_and_a_model_without_speaker_input_are_refused(
    personal_model: Path, tiny_model: Path
) -> None:
    profile = sdk.Enhancer(model=personal_model).enroll(voice(5))
    foreign = sdk.VoiceProfile(profile.embedding, "another")
    with pytest.raises(sdk.UsageError, match="speaker encoder another, but model 'm' needs"):
        sdk.Enhancer(model=personal_model, voice=foreign)
    with pytest.raises(sdk.UsageError, match="cannot be personalised"):
        sdk.Enhancer(model=tiny_model).enroll(voice(5))
    with pytest.raises(sdk.UsageError, match="cannot be personalised"):
        sdk.Enhancer(model=tiny_model, voice=profile)


def test_the_voice_counts_at_every_depth_and_through_depth_changes(personal_model: Path, speechlike) -> None:
    noisy = speechlike(12000)
    with_voice, without = sdk.Enhancer(model=personal_model), sdk.Enhancer(model=personal_model)
    with_voice.enroll(voice(5))
    schedule = [1, 3, 2, 1, 3, 3]
    for enhancer in (with_voice, without):
        enhancer.set_depth(3)
    streams = []
    for enhancer in (with_voice, without):
        blocks = []
        for depth, block in zip(schedule, np.split(noisy, len(schedule)), strict=True):
            enhancer.set_depth(depth)
            blocks.append(enhancer.process(block))
        streams.append(np.concatenate(blocks))
    loud = np.abs(noisy[:-320]) > 0.05
    assert np.mean(np.abs(streams[0] - streams[1])[320:][loud]) > 1e-4
    for depth in (1, 2, 3):
        with_voice.set_depth(depth)
        without.set_depth(depth)
        assert not np.allclose(with_voice.enhance(noisy), without.enhance(noisy), atol=1e-4)


def test_the_level_of_a_voice_against_its_noise_is_told_in_db() -> None:
    clean = plain(100, seed=1)
    assert _snr_db(clean + 0.1 * plain(100, seed=2), clean, np.ones(100, bool)) == pytest.approx(20, abs=0.5)
