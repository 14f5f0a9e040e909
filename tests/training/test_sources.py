"""One speaker's utterances: somebody speaks in every crop, and only one."""

import csv
import dataclasses

import numpy as np
import pytest
import soundfile

from pse_sdk.training.data import Clips, load_clips
from pse_sdk.training.loudness import loudest
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.sources import Babble, Noises, Utterances

RATE = 16000
PITCH = {"a": 300.0, "b": 1000.0, "c": 3000.0}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Three recordings under one name: 2 s of a tone, then 4 s of next to nothing."""
    root = tmp_path_factory.mktemp("tones")
    rows = []
    t = np.arange(2 * RATE) / RATE
    for name, pitch in PITCH.items():
        samples = 1e-4 * np.random.default_rng(0).standard_normal(6 * RATE)
        samples[: 2 * RATE] += 0.3 * np.sin(2 * np.pi * pitch * t)
        soundfile.write(root / f"{name}.wav", samples, RATE)
        rows.append({"path": f"{name}.wav", "kind": "speech", "split": "train", "source": "s", "speaker": "many",
                     "category": ""})  # fmt: skip
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return load_clips(root, "speech", "train", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """A tone of each pitch, 3 s, every one a category."""
    root = tmp_path_factory.mktemp("noise")
    rows = []
    for name, pitch in PITCH.items():
        soundfile.write(root / f"{name}.wav", 0.3 * np.sin(2 * np.pi * pitch * np.arange(3 * RATE) / RATE), RATE)
        rows.append({"path": f"{name}.wav", "kind": "noise", "split": "train", "source": "s", "speaker": "",
                     "category": name})  # fmt: skip
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return load_clips(root, "noise", "train", tmp_path_factory.mktemp("cache"))


def never() -> Babble:
    """For recipes without babble: drawing it fails."""
    return Babble(None)  # type: ignore[arg-type]


def test_a_crop_in_which_nobody_speaks_is_drawn_again(speech: Clips) -> None:
    utterances = Utterances(speech, MixingRecipe(speed=0))
    drawn = [utterances.draw(np.random.default_rng(seed), RATE * 3 // 2) for seed in range(60)]
    # By chance 5 of 9 crops of 1.5 s would hold next to nothing; nine in a row hardly ever do.
    assert sum(loudest(x) < 0.01 for x in drawn) <= 2


@pytest.mark.parametrize(("unlabelled", "voices"), [((), {1, 2, 3}), (("s",), {1})])
def test_where_names_say_nothing_every_recording_is_a_voice_of_its_own(
    speech: Clips, unlabelled: tuple[str, ...], voices: set[int]
) -> None:
    utterances = Utterances(speech, MixingRecipe(speed=0, unlabelled=unlabelled))
    heard = set()
    for seed in range(12):
        power = np.abs(np.fft.rfft(utterances.draw(np.random.default_rng(seed), 30 * RATE))) ** 2
        around = [power[int(30 * pitch) - 60 : int(30 * pitch) + 60].sum() for pitch in PITCH.values()]
        heard.add(sum(x > 0.01 * max(around) for x in around))
    assert heard <= voices
    assert max(heard) == max(voices)


def test_a_band_limit_reaches_what_is_heard_and_what_is_wanted(speech: Clips) -> None:
    recipe = MixingRecipe(
        seconds=1.0, band_limit=1.0, equaliser=0, room=0, silent=0, clean=1, speed=0, speech_weights={}
    )
    mixtures = Mixtures(speech, speech, Clips.none(), recipe, 30, 0)
    for i in range(30):
        item = mixtures[i]
        np.testing.assert_allclose(item.noisy, np.clip(item.target, -1, 1), atol=1e-5)


def pitch_of(x: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(x * np.hanning(len(x)), 10 * len(x)))) * RATE / (10 * len(x)))


@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_speech_is_played_up_to_a_tenth_slower_or_faster(speech: Clips, speed: float) -> None:
    utterances = Utterances(speech, MixingRecipe(speed=speed, unlabelled=("s",)))
    factors = []
    for seed in range(60):
        x = utterances.draw(np.random.default_rng(seed), RATE)
        if np.std(x) < 0.1:
            continue  # mostly pauses: even nine crops can be that
        factors.append(min((pitch_of(x) / pitch for pitch in PITCH.values()), key=lambda f: abs(np.log(f))))
    if speed:
        assert 0.895 < min(factors) < 0.92
        assert 1.08 < max(factors) < 1.105
    else:
        np.testing.assert_allclose(factors, 1, atol=0.01)


def test_of_a_noise_that_falls_silent_a_crop_with_sound_is_drawn(noise: Clips) -> None:
    sound = np.zeros(20 * RATE, np.int16)
    sound[: 2 * RATE] = noise.samples[: 2 * RATE]
    clips = [dataclasses.replace(noise.clips[0], start=len(noise.samples), length=len(sound)), *noise.clips[1:]]
    gated = Clips(np.concatenate([noise.samples, sound]), clips)
    recipe = MixingRecipe(second_noise=0, coloured_noise=0, equaliser=0)
    drawn = [Noises(gated, recipe, never()).draw(np.random.default_rng(seed), RATE) for seed in range(60)]
    assert all(x.any() for x in drawn)


def test_a_second_noise_is_0_to_12_db_weaker(noise: Clips) -> None:
    both = Noises(noise, MixingRecipe(second_noise=1, coloured_noise=0, equaliser=0), never())
    weaker = []
    for seed in range(60):
        x = both.draw(np.random.default_rng(seed), RATE)
        power = np.abs(np.fft.rfft(x)) ** 2
        levels = sorted(power[int(pitch) - 5 : int(pitch) + 5].sum() for pitch in PITCH.values())
        if levels[1] > 1e-6 * levels[2]:  # else twice the same
            weaker.append(10 * np.log10(levels[2] / levels[1]))
    assert len(weaker) > 20
    assert 0 <= min(weaker) < 1
    assert 11 < max(weaker) < 12.1
