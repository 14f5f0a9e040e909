"""Data, mixing, losses and recipes."""

import dataclasses
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.errors import AudioError, ProfileError, UsageError
from pse_sdk.models import preset
from pse_sdk.training.data import data_folder, load_clips
from pse_sdk.training.losses import compressed_spectral_loss, enhancement_loss, power_of, snr_loss, spectrum
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.mixing import MixingRecipe, Mixtures, in_room
from pse_sdk.training.recipe import load_encoder_recipe, load_recipe


@pytest.fixture(scope="module")
def make_mixtures(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    cache = tmp_path_factory.mktemp("cache")
    clips = [load_clips(folder, kind, "train", cache) for kind in ("speech", "noise", "rir")]
    return lambda seed=0, **changes: Mixtures(*clips, MixingRecipe(**{"seconds": 1.0, **changes}), 20, seed)


DRY = {"room": 0, "band_limit": 0, "clean": 0, "silent": 0, "level_dbfs": (-35.0, -30.0)}


def test_files_come_back_from_the_cache_as_they_are(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):  # decoded, then from the cache
        clips = load_clips(folder, "speech", "valid", tmp_path)
        expected = soundfile.read(folder / clips.clips[1].path, dtype="float32")[0]
        np.testing.assert_allclose(clips.read(clips.clips[1]), expected, atol=1e-4)


def test_a_recording_that_was_replaced_is_decoded_anew(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    before = load_clips(data, "speech", "valid", tmp_path).clips[0]
    soundfile.write(data / before.path, np.full(before.length // 2, 0.25), 16000)
    clips = load_clips(data, "speech", "valid", tmp_path)
    np.testing.assert_allclose(clips.read(clips.clips[0]), np.full(before.length // 2, 0.25), atol=1e-4)


def test_a_recording_that_was_edited_in_place_is_decoded_anew_and_the_old_samples_go(
    folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    before = load_clips(data, "speech", "valid", tmp_path).clips[0]
    soundfile.write(data / before.path, np.full(before.length, -0.5), 16000)
    clips = load_clips(data, "speech", "valid", tmp_path)
    np.testing.assert_allclose(clips.read(clips.clips[0]), np.full(before.length, -0.5), atol=1e-4)
    assert len(list(tmp_path.glob("speech-valid-*"))) == 2  # samples and lengths


@pytest.mark.parametrize("lost", [".pcm", ".json"])
def test_what_somebody_took_from_the_cache_is_decoded_anew(folder: Path, tmp_path: Path, lost: str) -> None:
    before = load_clips(folder, "speech", "valid", tmp_path)
    (path,) = tmp_path.glob(f"*{lost}")
    for damage in (path.unlink, lambda: path.write_bytes(b"[1]")):
        damage()
        clips = load_clips(folder, "speech", "valid", tmp_path)
        assert clips.clips == before.clips
        np.testing.assert_array_equal(clips.read(clips.clips[1]), before.read(before.clips[1]))


def test_clips_travel_to_other_processes_by_name(folder: Path, tmp_path: Path) -> None:
    clips = load_clips(folder, "noise", "train", tmp_path)
    sent = pickle.dumps(clips)
    assert len(sent) < 2000 < clips.samples.nbytes
    received = pickle.loads(sent)
    np.testing.assert_array_equal(received.read(received.clips[1]), clips.read(clips.clips[1]))


def test_missing_data_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PSE_DATA", raising=False)
    with pytest.raises(AudioError, match="pass --data FOLDER or set PSE_DATA"):
        data_folder(None)
    with pytest.raises(AudioError, match=str(tmp_path)):
        data_folder(tmp_path)


def test_a_mixture_depends_on_seed_and_index_alone(make_mixtures) -> None:
    first, again, other = make_mixtures(), make_mixtures(), make_mixtures(seed=1)
    np.testing.assert_array_equal(first[3][0], again[3][0])
    assert not np.array_equal(first[3][0], first[4][0])
    assert not np.array_equal(first[3][0], other[3][0])


@pytest.mark.parametrize("snr", [-5.0, 0.0, 15.0])
def test_mixtures_have_the_snr_and_level_asked_for(make_mixtures, snr: float) -> None:
    mixtures = make_mixtures(**{**DRY, "snr_db": (snr, snr), "level_dbfs": (-26.0, -26.0)})
    for i in range(10):
        noisy, target, *_ = mixtures[i]
        measured = 10 * np.log10(np.mean(target**2) / np.mean((noisy - target) ** 2))
        assert measured == pytest.approx(snr, abs=0.1)
        assert 20 * np.log10(np.sqrt(np.mean(noisy**2))) == pytest.approx(-26, abs=0.1)


def test_clean_items_have_no_noise_and_silent_items_no_speech(make_mixtures) -> None:
    for noisy, target, *_ in (make_mixtures(**{**DRY, "clean": 1})[i] for i in range(5)):
        np.testing.assert_array_equal(noisy, target)
    for noisy, target, *_ in (make_mixtures(**{**DRY, "silent": 1})[i] for i in range(5)):
        assert noisy.any()
        assert not target.any()


def test_noise_comes_through_a_room_and_the_speech_does_not(make_mixtures) -> None:
    dry = make_mixtures(**{**DRY, "coloured_noise": 0})
    wet = make_mixtures(**{**DRY, "coloured_noise": 0, "noise_room": 1})
    for i in range(5):
        speech = [target / np.std(target) for _, target, *_ in (dry[i], wet[i])]
        noise = [(noisy - target) / np.std(noisy - target) for noisy, target, *_ in (dry[i], wet[i])]
        np.testing.assert_allclose(speech[0], speech[1], rtol=1e-3, atol=1e-3)
        assert np.std(noise[0] - noise[1]) > 0.1


def test_babble_is_made_of_many_voices_and_leaves_the_speech_alone(make_mixtures) -> None:
    only = {**DRY, "coloured_noise": 0, "second_noise": 0, "babble": 1, "clean": 0}
    recorded, babble = make_mixtures(**{**only, "babble": 0}), make_mixtures(**only)
    for i in range(5):
        speech = [target / np.std(target) for _, target, *_ in (recorded[i], babble[i])]
        np.testing.assert_allclose(speech[0], speech[1], rtol=1e-3, atol=1e-3)
    voices = make_mixtures(**only).noises.babble
    drawn = [voices.draw(np.random.default_rng(seed), 16000) for seed in range(20)]
    # 4 to 16 voices of -32 to -20 dBFS each.
    levels = [20 * np.log10(np.std(x)) for x in drawn]
    assert -26 < min(levels) < max(levels) < -20 + 10 * np.log10(16)
    np.testing.assert_array_equal(drawn[3], voices.draw(np.random.default_rng(3), 16000))


def test_a_high_pass_takes_the_low_end_of_mixture_and_target_alike(make_mixtures) -> None:
    """A recorded noise is no tone: what lies below the lowest cut-off shows that all of it went through the filter."""

    def low_db(x: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(x)) ** 2
        return 10 * np.log10(spectrum[:60].sum() / spectrum.sum() + 1e-12)  # of 1 s: below 60 Hz

    plain, cut = make_mixtures(**DRY), make_mixtures(**DRY, high_pass=1.0)
    telephones = 0
    for i in range(20):
        for before, after in zip(plain[i][:2], cut[i][:2], strict=True):
            assert low_db(after) < low_db(before) + 0.1
        above = np.abs(np.fft.rfft(cut[i].noisy))[5000:].max() / np.abs(np.fft.rfft(plain[i].noisy))[5000:].max()
        telephones += above < 0.1
        assert not cut[i].noise.any()  # no other noise may take the place of one that was filtered
    assert 3 < telephones < 17


def test_of_two_who_talk_both_are_the_target(make_mixtures) -> None:
    alone, turns = make_mixtures(**{**DRY, "clean": 1}), make_mixtures(**{**DRY, "clean": 1, "conversation": 1})
    for i in range(10):
        noisy, target, *_, noise = turns[i]
        np.testing.assert_array_equal(noisy, target)
        assert not noise.any()
        assert np.isfinite(noisy).all()
        assert np.std(noisy) == pytest.approx(np.std(alone[i].noisy), rel=0.5)
    noisy = make_mixtures(**DRY, conversation=1)[0]
    np.testing.assert_allclose(noisy.noisy - noisy.target, noisy.noise, atol=1e-6)


def test_voices_of_a_conversation_have_levels_of_their_own(make_mixtures) -> None:
    mixtures = make_mixtures(**DRY, conversation=1)
    differences, at_once = [], []
    for seed in range(30):
        speech, target, reference = mixtures._conversation(np.random.default_rng(seed), 16000)
        np.testing.assert_array_equal(speech, target)  # dry
        other = target - reference
        spoken, heard = (np.abs(x) > 1e-3 * np.abs(x).max() for x in (reference, other))
        at_once.append((spoken & heard).mean() > 0.05)  # more than the ramps
        levels = [np.sqrt(np.mean(x[when] ** 2)) for x, when in ((reference, spoken), (other, heard))]
        differences.append(20 * np.log10(levels[0] / levels[1]))
    assert min(differences) < -8
    assert max(differences) > 8
    assert 5 < sum(at_once) < 25


def test_a_level_step_is_one_of_mixture_and_target_alike(make_mixtures) -> None:
    plain, stepped = make_mixtures(**DRY), make_mixtures(**DRY, level_step=1)
    steps = []
    for i in range(20):
        gains = [np.median(np.abs(after / before)) for before, after in _ends(plain[i], stepped[i])]
        noisy, target = gains[1] / gains[0], gains[3] / gains[2]
        assert noisy == pytest.approx(target, rel=0.01)
        steps.append(20 * np.log10(noisy))
        assert not stepped[i].noise.any()  # another noise would not have the step
    assert -25.1 < min(steps) < -10
    assert 10 < max(steps) < 25.1


def _ends(before, after):
    """The first and the last tenth of the mixtures, then of the targets, where there is sound, before and after."""
    for x, y in zip(before[:2], after[:2], strict=True):
        tenth = len(x) // 10
        for part in (slice(0, tenth), slice(-tenth, None)):
            loud = np.abs(x[part]) > 1e-4
            yield x[part][loud], y[part][loud]


def test_empty_items_hold_digital_silence(make_mixtures) -> None:
    for noisy, target, *_ in (
        make_mixtures(**{**DRY, "empty": 1, "clipping": 1, "packet_loss": 1})[i] for i in range(5)
    ):
        assert not noisy.any()
        assert not target.any()


DAMAGES = ("clipping", "codec", "packet_loss")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_reaches_the_mixture_and_not_what_it_is_made_of(make_mixtures, damage: str) -> None:
    whole, damaged = make_mixtures(), make_mixtures(**{damage: 1.0})
    changed = 0
    for i in range(6):
        assert damaged[i].noisy.shape == damaged[i].target.shape == whole[i].noisy.shape
        changed += not np.allclose(damaged[i].noisy, whole[i].noisy, atol=1e-4)
        if damage != "codec":  # which takes the band from the target that its sampling rate lacks
            np.testing.assert_array_equal(damaged[i].target, whole[i].target)
    assert changed >= (2 if damage == "packet_loss" else 5)  # a second of audio may keep all its packets


def test_damaged_mixtures_depend_on_seed_and_index_alone(make_mixtures) -> None:
    first, again = (make_mixtures(**dict.fromkeys(DAMAGES, 0.5)) for _ in range(2))
    order = np.random.default_rng(0).permutation(12)
    assert {int(i): again[int(i)].noisy.tobytes() for i in order} == {i: first[i].noisy.tobytes() for i in range(12)}


@pytest.mark.parametrize(
    ("weights", "message"), [({"gone": 1.0}, r"'gone'.*they have speech"), ({"speech": 0}, "above 0")]
)
def test_sources_that_cannot_be_drawn_are_named(make_mixtures, weights: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_mixtures(speech_weights=weights)


def test_the_target_in_a_room_is_its_early_part() -> None:
    click = np.zeros(8000, np.float32)
    click[0] = 1
    response = np.zeros(6000, np.float32)
    response[[30, 400, 4000]] = 1, 0.5, 0.5  # direct, an early and a late reflection
    heard, target = in_room(click, response)
    gain = heard[0]
    assert heard[[0, 370, 3970]] / gain == pytest.approx([1, 0.5, 0.5], abs=1e-3)
    assert target[[0, 370, 3970]] / gain == pytest.approx([1, 0.5, 0], abs=1e-3)


@given(st.floats(-40, 40), st.integers(0, 100))
def test_losses_fall_as_noise_falls_and_ignore_the_level(level_db: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target, noise = torch.randn(2, 2, 4000, generator=generator) * 0.1
    noisy = target + noise
    losses = [enhancement_loss(target + share * noise, target, noisy) for share in (0.0, 0.3, 0.6, 1.0)]
    assert losses == sorted(losses)
    if level_db > -30:  # far below, the floor that keeps silence finite is felt
        gain = 10 ** (level_db / 20)
        louder = enhancement_loss(gain * noisy, gain * target, gain * noisy)
        torch.testing.assert_close(louder, losses[-1], rtol=0.02, atol=0.02)


def test_losses_and_gradients_are_finite_for_silence() -> None:
    silence, noise = torch.zeros(1, 4000), torch.randn(1, 4000) * 0.1
    for estimate, target, noisy in ((silence, silence, silence), (noise, silence, noise), (silence, noise, noise)):
        estimate = estimate.clone().requires_grad_()
        loss = enhancement_loss(estimate, target, noisy, perceptual_weight=0.1)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(estimate.grad).all()


def test_the_waveform_loss_is_the_negative_snr() -> None:
    target = torch.randn(1, 16000)
    noise = torch.randn(1, 16000)
    noise *= target.norm() / noise.norm() * 10 ** (-10 / 20)
    assert snr_loss(target + noise, target, target + noise).item() == pytest.approx(-10, abs=0.1)


def test_of_a_silent_target_the_loss_is_how_far_the_output_lies_above_a_thousandth_of_the_input() -> None:
    noisy, silent = torch.randn(1, 16000), torch.zeros(1, 16000)
    assert snr_loss(noisy, silent, noisy).item() == pytest.approx(30, abs=0.1)
    assert snr_loss(silent, silent, noisy).item() == pytest.approx(0, abs=0.1)


def test_over_suppression_counts_what_is_missing_and_not_what_is_left_in() -> None:
    target = spectrum(torch.randn(1, 4000))
    for estimate, dearer in ((0.5 * target, True), (2 * target, False)):
        plain, weighted = (
            compressed_spectral_loss(estimate, target, over_suppression=weight).item() for weight in (0.0, 1.0)
        )
        assert (weighted > 1.2 * plain) == dearer
        assert weighted >= plain


def test_the_spectral_loss_is_zero_only_for_the_target() -> None:
    target = spectrum(torch.randn(1, 4000))
    assert compressed_spectral_loss(target, target).item() == pytest.approx(0, abs=1e-7)
    # A wrong sign keeps every magnitude: only the part with phase sees it.
    assert compressed_spectral_loss(-target, target).item() > 0.01
    assert compressed_spectral_loss(-target, target, complex_weight=0).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("samples", [1024, 1500])
def test_the_spectrum_is_torchs_with_its_gradient(samples: int) -> None:
    x = torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    window = torch.hann_window(512, dtype=torch.float64)
    bins = torch.stft(x, 512, 256, window=window * (2 / 512**0.5), return_complex=True).transpose(1, 2)
    expected = torch.stack([bins.real, bins.imag])
    torch.testing.assert_close(spectrum(x), expected)
    weights = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = (torch.autograd.grad((weights * y).sum(), x)[0] for y in (spectrum(x), expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("complex_weight", "over_suppression"), [(0.0, 0.0), (1.0, 0.0), (0.3, 0.8)])
def test_the_spectral_loss_has_the_gradient_that_it_says(complex_weight: float, over_suppression: float) -> None:
    y, s = torch.randn(2, 2, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y.requires_grad_()
    assert torch.autograd.gradcheck(lambda y: compressed_spectral_loss(y, s, 0.3, complex_weight, over_suppression), y)
    assert torch.autograd.gradcheck(power_of, y)
    silent = torch.zeros_like(s).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda y: compressed_spectral_loss(y, s, 0.3, complex_weight, over_suppression), silent, eps=1e-9, atol=1e-3
    )


def test_si_sdr_is_what_the_paper_defines() -> None:
    target = torch.randn(1, 16000)
    noise = torch.randn(1, 16000)
    noise -= (noise * target).sum() / target.square().sum() * target
    noise *= target.norm() / noise.norm() * 10 ** (-7 / 20)
    assert si_sdr(0.3 * (target + noise), target).item() == pytest.approx(7, abs=1e-3)


def test_a_recipe_takes_settings_and_names_mistakes(tmp_path: Path) -> None:
    recipe = load_recipe("small", ["steps=7", "model.blocks=3", "mixing.snr_db=[0, 5]"])
    assert (recipe.steps, recipe.model.blocks, recipe.mixing.snr_db) == (7, 3, (0, 5))
    with pytest.raises(ProfileError, match="unknown key 'step'"):
        load_recipe("small", ["step=7"])
    with pytest.raises(ProfileError, match="hop"):
        load_recipe("small", ["model.hop=150"])
    with pytest.raises(ProfileError, match="recipe 'speaker-encoder' is one of `pse train-encoder`"):
        load_recipe("speaker-encoder")
    with pytest.raises(ProfileError, match="recipe 'small' is one of `pse train`"):
        load_encoder_recipe("small")
    with pytest.raises(ProfileError, match=r"unknown recipe 'huge'.*small"):
        load_recipe("huge")
    for setting in ("steps", "steps=abc", "steps="):
        with pytest.raises(ProfileError, match=f"setting '{setting}'"):
            load_recipe("small", [setting])
    with pytest.raises(ProfileError, match=r"gone\.toml: cannot be read"):
        load_recipe(str(tmp_path / "gone.toml"))
    (tmp_path / "r.toml").write_text("steps = ")
    with pytest.raises(ProfileError, match=r"r\.toml"):
        load_recipe(str(tmp_path / "r.toml"))


def test_a_recipe_with_a_base_says_only_in_what_it_differs(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "personal"\nsteps = 7\n[model]\nblocks = 3\n[mixing.noise_weights]\nwind = 9.0\n')
    theirs, ours = load_recipe("personal"), load_recipe(str(mine), ["head_weights=[]", "mixing.scene.enrolled=0.1"])
    assert (ours.name, ours.steps, ours.model, ours.seed) == ("mine", 7, theirs.model.replace(blocks=3), theirs.seed)
    assert ours.mixing.noise_weights == {"wind": 9.0}  # weights name what one's own data have
    assert ours.mixing.speech_weights == theirs.mixing.speech_weights
    assert ours.mixing.scene == dataclasses.replace(theirs.mixing.scene, enrolled=0.1)
    for base in ("'huge'", "'mine.toml'", "'./personal'", "3", "'speaker-encoder'"):
        mine.write_text(f"base = {base}")
        with pytest.raises(ProfileError, match=rf"mine\.toml: base = {base}: must be one of .*personal, small, toy"):
            load_recipe(str(mine))


@pytest.mark.parametrize(
    ("recipe", "name"),
    [("personal", "small"), ("large", "large"), ("e3net", "e3net"), ("bloom-paper-convtasnet", "bloom-convtasnet")],
)
def test_bundled_recipes_train_the_presets_of_their_size(recipe: str, name: str) -> None:
    assert load_recipe(recipe).model == preset(name)


def test_the_toy_recipe_has_filters_enough_to_give_back_what_came_in() -> None:
    model = load_recipe("toy").model
    assert model.filters >= model.window


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("schedule='step'", "linear.*cosine.*plateau"),
        ("precision='fp8'", "bf16-mixed"),
        ("batch=0", "at least 1"),
        ("heads=0", "at least 1"),
        ("heads='two'", "heads = 'two': must be int"),
        ("steps=2.5", "steps = 2.5: must be int"),
        ("learning_rate='fast'", "must be float"),
        ("ema=1.5", "below 1"),
        ("head_weights=[1, 1, 1, 1, 0]", "nor the deepest head's 0"),
        ("mixing.snr_db=[1, 2, 3]", r"must be tuple\[float, float\]"),
        ("mixing.room=7", "must be a probability"),
        ("seed=-1", "seed = -1: must be at least 0"),
        ("learning_rate=nan", "learning_rate = nan: must be a number, at least 0"),
        ("model.sample_rate=8000", "recordings are trained on at 16000"),
        ("model.block=convtasnet", "text needs quotes: --set 'model.block=\"convtasnet\"'"),
        ("switching=2", "must be a probability"),
        ("mixing.seconds=0", "seconds = 0: must be at least 0.1"),
        ("mixing.snr_db=[20, -5]", "the lower one first"),
        ("mixing.scene.sir_db=[5, -5]", "the lower one first"),
        ("mixing.speech_weights={a=2.0, b=-1.0}", "b = -1.0: must be at least 0"),
        ("mixing.clean=0.9", "must be at most 1"),
        ("mixing.scene.absent=-0.1", "must be a probability"),
        ("mixing.speech_weights={a='b'}", r"must be dict\[str, float\]"),
        ("model=3", "must be a table"),
        ("steps.x=1", "steps is a value, not a table"),
    ],
)
def test_values_of_a_recipe_that_are_not_allowed_are_named(setting: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        load_recipe("small", ["mixing.silent=0.2", setting])


def test_a_stack_of_one_block_cannot_be_trained_to_change_its_depth() -> None:
    with pytest.raises(ProfileError, match="no other depth"):
        load_recipe("toy", ["model.blocks=1", "switching=0.1"])


def test_a_recipe_without_a_loss_or_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="are all 0: nothing to learn"):
        load_recipe("toy", ["snr_weight=0", "spectral_weight=0"])
    for settings, message in (
        (["spectral_weight=0", "over_suppression=1.0"], "over_suppression is a part of the spectral loss"),
        (["distillation=0.5", "heads=1"], "distillation needs the loss of a shallower head"),
        (["distillation=0.5", "heads=2", "model.blocks=1"], "distillation needs two blocks that are trained"),
        (["switching=0.1", "model.norm='global'"], "cannot stream"),
    ):
        with pytest.raises(ProfileError, match=message):
            load_recipe("toy", settings)
    (tmp_path / "r.toml").write_text("steps = 3")
    with pytest.raises(ProfileError, match=r"r\.toml: lacks 'model'"):
        load_recipe(str(tmp_path / "r.toml"))


def test_a_setting_names_keys_as_toml_does() -> None:
    name = "librispeech_train-clean-100"
    for key in (f'mixing.speech_weights."{name}"', f"mixing.speech_weights.{name}"):
        assert load_recipe("small", [f"{key}=0.2"]).mixing.speech_weights[name] == 0.2


def test_a_weighted_noise_that_is_not_there_is_named(make_mixtures) -> None:
    with pytest.raises(UsageError, match=r"noise_weights names 'c9', which the data lack; they have c0, c1"):
        make_mixtures(noise_weights={"c1": 0.0, "c9": 2.0})


def test_noise_is_drawn_as_often_as_its_weight_says(make_mixtures) -> None:
    noises = make_mixtures(noise_weights={"c1": 3.0}).noises
    rng = np.random.default_rng(0)
    drawn = [noises._category(rng) for _ in range(2000)]
    assert drawn.count("c1") == pytest.approx(1500, abs=100)  # five standard deviations


def test_a_recording_that_holds_no_numbers_is_named(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    samples = np.zeros(16000, np.float32)
    samples[7] = np.nan
    (data / "valid-speech-0.flac").unlink()
    index = (data / "index.csv").read_text().replace("valid-speech-0.flac", "valid-speech-0.wav")
    (data / "index.csv").write_text(index)
    soundfile.write(data / "valid-speech-0.wav", samples, 16000, "FLOAT")
    with pytest.raises(AudioError, match=r"valid-speech-0\.wav: holds samples that are not numbers"):
        load_clips(data, "speech", "valid", tmp_path / "cache")


def test_a_talker_without_a_turn_leaves_no_gain_that_is_no_number(make_mixtures, monkeypatch) -> None:
    mixtures = make_mixtures(**DRY, conversation=1)
    monkeypatch.setattr("pse_sdk.training.mixing._switched", lambda length, _: np.zeros(length, np.float32))
    monkeypatch.setattr("pse_sdk.training.mixing.TALKS_ON", 0.0)
    for seed in range(4):
        assert all(np.isfinite(part).all() for part in mixtures._conversation(np.random.default_rng(seed), 16000))


@pytest.mark.parametrize("setting", ["#x=1", "a.b\n=1"])
def test_a_setting_that_is_none_is_told(setting: str) -> None:
    with pytest.raises(ProfileError, match="setting"):
        load_recipe("small", [setting])


def test_a_recipe_with_a_mark_at_its_beginning_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("steps = 7\n[model]\nblocks = 2\n", encoding="utf-8-sig")
    assert load_recipe(str(tmp_path / "mine.toml"), ["decay_steps=2", "warmup_steps=1"]).steps == 7
