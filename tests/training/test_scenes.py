"""Scenes with an enrolled voice, drawn from a small made-up data set."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pse_sdk.errors import AudioError, UsageError
from pse_sdk.training.data import Clips, load_clips
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.scenes import SceneRecipe, Scenes
from pse_sdk.training.speaker.segments import Segment, cut, voice
from pse_sdk.training.speaker.voices import Voices, load_voices

PITCH = {"low": 200.0, "high": 1000.0, "wild": 3000.0}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clips, Clips, Clips]:
    """Speech: tones whose pitch is the speaker; three clips of each of two speakers, one clip without a name."""
    root = tmp_path_factory.mktemp("data")
    rows = []

    def add(path: str, kind: str, samples: np.ndarray, source: str = "", speaker: str = "") -> None:
        soundfile.write(root / path, samples, 16000)
        rows.append({"path": path, "kind": kind, "split": "train", "source": source, "speaker": speaker,
                     "category": "c"})  # fmt: skip

    t = np.arange(16000) / 16000
    for speaker in ("low", "high"):
        for i in range(3):
            add(f"{speaker}{i}.wav", "speech", 0.3 * np.sin(2 * np.pi * PITCH[speaker] * t), "named", speaker)
    add("wild.wav", "speech", 0.3 * np.sin(2 * np.pi * PITCH["wild"] * t), "wild", "unlabelled")
    rng = np.random.default_rng(0)
    add("noise.wav", "noise", 0.05 * rng.standard_normal(32000))
    for place in ("near", "far"):
        response = np.zeros(4000)
        response[[10, 3000]] = (1, 0.2) if place == "near" else (0.5, 0.5)
        add(f"room0_{place}.wav", "rir", response)
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    cache = tmp_path_factory.mktemp("cache")
    speech, noise, rooms = (load_clips(root, kind, "train", cache) for kind in ("speech", "noise", "rir"))
    return speech, noise, rooms


@pytest.fixture(scope="module")
def voices(clips: tuple[Clips, Clips, Clips]) -> Voices:
    """Embeddings that tell the speaker: (1, 0), (0, 1), and (-1, 0) for the clip without a name."""
    speech = clips[0]
    segments = cut(speech, (1.0,))
    vectors = {"low": [1, 0], "high": [0, 1], "unlabelled": [-1, 0]}
    embeddings = np.array([[vectors[speech.clips[s.clip].speaker]] for s in segments], np.float32)
    return Voices(speech, segments, embeddings, ("wild",))


def share(x: np.ndarray, pitch: float) -> float:
    """Of the energy, how much lies near a pitch."""
    power = np.abs(np.fft.rfft(x)) ** 2
    at = int(pitch * len(x) / 16000)
    return float(power[at - 20 : at + 20].sum() / (power.sum() + 1e-12))


def draw(clips, voices, seed: int, room: float = 0, **changes):
    recipe = SceneRecipe(**{"enrolled": 1, "interferer": 1, "second_interferer": 0, "absent": 0, **changes})
    return Scenes(voices, clips[2], recipe, room, 0.0).draw(np.random.default_rng(seed), 32000)


def test_the_target_is_the_enrolled_voice_and_the_others_are_not(clips, voices) -> None:
    for seed in range(20):
        scene = draw(clips, voices, seed)
        enrolled = "low" if scene.embedding[0] == 1 else "high"
        assert share(scene.target, PITCH[enrolled]) > 0.9
        assert share(scene.others, PITCH[enrolled]) < 0.1
        np.testing.assert_array_equal(scene.heard, scene.target)


def test_one_recording_without_a_name_is_never_enrolled_but_does_interfere(clips, voices) -> None:
    scenes = [draw(clips, voices, seed) for seed in range(30)]
    assert not any(scene.embedding[0] == -1 for scene in scenes)
    assert any(share(scene.others, PITCH["wild"]) > 0.5 for scene in scenes)


def test_what_is_spoken_is_not_the_recording_that_was_enrolled(clips, voices, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = Segment.read
    monkeypatch.setattr(Segment, "read", lambda self, clips: read.append(self.clip) or real(self, clips))
    for number in voices.numbers["named", "low", 1.0]:
        alone = Voices(voices.clips, voices.segments, voices.embeddings.copy(), ("wild",))
        alone.embeddings[number] = 7  # tells which one was enrolled
        for seed in range(12):
            read.clear()
            scene = draw(clips, alone, seed, interferer=0)
            assert scene.embedding[0] != 7 or alone.segments[number].clip not in read


def test_who_is_enrolled_from_a_source_without_names_is_not_interfered_with_by_it(clips) -> None:
    segments = cut(clips[0], (1.0,))
    embeddings = np.ones((len(segments), 1, 2), np.float32)
    voices = Voices(clips[0], [*segments, *segments], np.concatenate([embeddings] * 2), ("named",))
    for seed in range(20):
        scene = draw(clips, voices, seed, speech_weights={"named": 1.0})
        assert share(scene.others, PITCH["wild"]) > 0.9


@pytest.mark.parametrize("sir", [-5.0, 10.0])
def test_others_have_the_sir_asked_for(clips, voices, sir: float) -> None:
    scene = draw(clips, voices, 1, sir_db=(sir, sir))
    measured = 10 * np.log10(np.mean(scene.heard**2) / np.mean(scene.others**2))
    assert measured == pytest.approx(sir, abs=0.1)


def test_a_third_voice_is_0_to_6_db_weaker_than_the_second_and_within_the_sir(clips, voices, monkeypatch) -> None:
    drawn: list[np.ndarray] = []
    interferer = Scenes._interferer

    def listen(self, *arguments):
        drawn.append(interferer(self, *arguments))
        return drawn[-1]

    monkeypatch.setattr(Scenes, "_interferer", listen)
    weaker = []
    for seed in range(40):
        drawn.clear()
        scene = draw(clips, voices, seed, second_interferer=1, sir_db=(3, 3))
        assert 10 * np.log10(np.mean(scene.heard**2) / np.mean(scene.others**2)) == pytest.approx(3, abs=0.1)
        (second, third), *_ = np.linalg.lstsq(np.stack(drawn, axis=1), scene.others, rcond=None)
        weaker.append(20 * np.log10(second * np.std(drawn[0]) / (third * np.std(drawn[1]))))
    assert -0.2 < min(weaker) < 1
    assert 5 < max(weaker) < 6.2


def test_an_absent_target_is_silent_while_others_talk(clips, voices) -> None:
    scene = draw(clips, voices, 2, absent=1)
    assert not scene.target.any()
    assert not scene.heard.any()
    assert scene.others.any()


def test_in_a_room_the_target_is_the_early_part_of_what_is_heard(clips, voices) -> None:
    scene = draw(clips, voices, 3, room=1)
    # The room of `clips` has its direct sound at 10 and one echo at 3000, a fifth as loud: only that is not wanted.
    echo = np.concatenate([np.zeros(2990), 0.2 * scene.target[:-2990]])
    assert np.std(echo) > 0.01 * np.std(scene.target) > 0
    np.testing.assert_allclose(scene.heard, scene.target + echo, atol=1e-4)


def test_mixtures_mark_who_is_enrolled_and_keep_plain_items_as_they_were(clips, voices) -> None:
    plain = Mixtures(*clips, MixingRecipe(seconds=1), 10, 0)
    assert not plain[0].enrolled
    assert plain[0].embedding.shape == (0,)
    personal = Mixtures(*clips, MixingRecipe(seconds=1, scene=SceneRecipe(enrolled=0.5)), 40, 0, voices=voices)
    items = [personal[i] for i in range(40)]
    assert 8 < sum(item.enrolled for item in items) < 32
    assert all(item.embedding.any() == item.enrolled for item in items)
    np.testing.assert_array_equal(personal[7].noisy, items[7].noisy)


def test_scenes_without_a_table_of_voices_are_refused(clips) -> None:
    with pytest.raises(UsageError, match="--voices"):
        Mixtures(*clips, MixingRecipe(scene=SceneRecipe(enrolled=0.5)), 1, 0)


def test_a_split_with_one_speaker_is_refused_instead_of_searched_for_another(clips, voices) -> None:
    alone = Voices(clips[0], voices.segments[:3], voices.embeddings[:3])
    with pytest.raises(UsageError, match="two speakers in each split"):
        Scenes(alone, clips[2], SceneRecipe(enrolled=1), 0, 0)
    with pytest.raises(UsageError, match=r"another to speak"):
        draw(clips, voices, 0, speech_weights={"wild": 1.0})


def test_a_table_of_voices_comes_back_and_fits_only_its_recordings(clips, voices, tmp_path: Path) -> None:
    voices.save(tmp_path / "train.npz")
    loaded = load_voices(tmp_path / "train.npz", clips[0], ("wild",))
    assert loaded.segments == voices.segments
    np.testing.assert_array_equal(loaded.embeddings, voices.embeddings)
    with pytest.raises(AudioError, match="made of other recordings"):
        load_voices(tmp_path / "train.npz", clips[1], ())
    first, *others = clips[0].clips
    shorter = Clips(clips[0].samples, [dataclasses.replace(first, length=first.length - 1), *others])
    with pytest.raises(AudioError, match="made of other recordings"):
        load_voices(tmp_path / "train.npz", shorter, ())
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(AudioError, match="not a table of voices"):
        load_voices(tmp_path / "broken.npz", clips[0], ())


def test_long_recordings_are_cut_and_speeds_are_other_voices(clips) -> None:
    speech = clips[0]
    long = Clips(speech.samples, [speech.clips[0].__class__("x", "named", "low", "", 0, 15 * 16000)])
    segments = cut(long, (1.0, 0.9))
    assert [s.length for s in segments] == [80000] * 6
    assert len({voice(long, s, ()) for s in segments}) == 2
    slow = Segment(0, 0, 16000, 0.9).read(speech)
    assert len(slow) == pytest.approx(16000 / 0.9, abs=2)
