"""Remixes on the device that trains: what changes places, what stays, and how loud it all is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from pse_sdk.training.data import load_clips
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.remix import Batch, with_remixes

DRY = {"seconds": 1.0, "room": 0.0, "band_limit": 0.0, "clean": 0.0, "silent": 0.0, "level_dbfs": (-40.0, -30.0)}


@pytest.fixture(scope="module")
def draw(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """Batches of eight mixtures, and the recipe that they are drawn from."""
    cache = tmp_path_factory.mktemp("cache")
    clips = [load_clips(folder, kind, "train", cache) for kind in ("speech", "noise", "rir")]

    def draw(**changes: object) -> tuple[Batch, MixingRecipe]:
        recipe = MixingRecipe(**{**DRY, **changes})
        mixtures = Mixtures(*clips, recipe, 8, seed=3)
        return Batch(*default_collate([mixtures[i] for i in range(8)])), recipe

    return draw


def remixed(batch: Batch, recipe: MixingRecipe, seed: int = 0) -> Batch:
    """One remix of each item, without those that were drawn."""
    items = len(batch.noisy)
    return Batch(*(x[items:] for x in with_remixes(batch, 2, recipe, torch.Generator().manual_seed(seed))))


def normalised(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=1, keepdim=True)


def test_what_was_drawn_comes_first_and_as_it_was(draw) -> None:
    batch, recipe = draw()
    several = with_remixes(batch, 3, recipe, torch.Generator().manual_seed(0))
    for before, after in zip(batch, several, strict=True):
        assert len(after) == 3 * len(before)
        assert torch.equal(after[: len(before)], before)
    assert not torch.allclose(several.noisy[8:16], several.noisy[16:], atol=1e-3)


def test_drawn_mixtures_are_speech_and_noise(draw) -> None:
    batch, _ = draw()
    torch.testing.assert_close(batch.noisy, batch.target + batch.noise, rtol=0, atol=1e-6)


@pytest.mark.parametrize("snr", [-5.0, 15.0])
def test_remixes_have_the_snr_and_level_of_the_recipe_and_every_noise_once(draw, snr: float) -> None:
    batch, recipe = draw(snr_db=(snr, snr), level_dbfs=(-33.0, -33.0))
    again = remixed(batch, recipe)
    noise = again.noisy - again.target
    measured = 20 * torch.log10(again.target.norm(dim=1) / noise.norm(dim=1))
    torch.testing.assert_close(measured, torch.full((8,), snr), rtol=0, atol=0.1)
    level = 20 * torch.log10(again.noisy.square().mean(1).sqrt())
    torch.testing.assert_close(level, torch.full((8,), -33.0), rtol=0, atol=0.01)
    torch.testing.assert_close(normalised(again.target), normalised(batch.target), rtol=0, atol=1e-5)
    # Which noise each remix has: every one of the batch once, and not all in their old places.
    partners = (normalised(noise) @ normalised(batch.noise).T).argmax(dim=1)
    assert sorted(partners.tolist()) == list(range(8))
    assert partners.tolist() != list(range(8))


def test_a_speaker_in_a_room_is_measured_by_the_early_part_and_heard_whole(draw) -> None:
    batch, recipe = draw(room=1.0, snr_db=(0.0, 0.0))
    again = remixed(batch, recipe)
    gain = (again.target.norm(dim=1) / batch.target.norm(dim=1))[:, None]
    noise = again.noisy - gain * (batch.noisy - batch.noise)
    torch.testing.assert_close(noise.norm(dim=1), again.target.norm(dim=1), rtol=1e-3, atol=0)


@pytest.mark.parametrize("whole", [{"clean": 1.0}, {"band_limit": 1.0}, {"clipping": 1.0}, {"level_dbfs": (0.0, 0.0)}])
def test_what_is_no_sum_of_speech_and_noise_stays_as_it_was_drawn(draw, whole: dict[str, object]) -> None:
    batch, recipe = draw(**whole)
    assert not batch.noise.any()
    for before, after in zip(batch, remixed(batch, recipe), strict=True):
        assert torch.equal(before, after)


def test_items_without_a_noise_to_exchange_stay_among_others(draw) -> None:
    batch, recipe = draw(clean=0.5)
    clean = ~batch.noise.any(dim=1)
    assert 0 < clean.sum() < 8
    again = remixed(batch, recipe)
    assert torch.equal(again.noisy[clean], batch.noisy[clean])
    assert not torch.isclose(again.noisy[~clean], batch.noisy[~clean]).all(dim=1).any()


def test_silent_items_stay_without_a_target_and_get_a_noise(draw) -> None:
    batch, recipe = draw(silent=0.5)
    again = remixed(batch, recipe)
    silent = ~batch.target.any(dim=1)
    assert 0 < silent.sum() < 8
    assert not again.target[silent].any()
    assert torch.isfinite(again.noisy).all()
    assert again.noisy.any(dim=1).all()


def test_the_same_generator_makes_the_same_remixes(draw) -> None:
    batch, recipe = draw()
    assert torch.equal(remixed(batch, recipe).noisy, remixed(batch, recipe).noisy)
    assert not torch.equal(remixed(batch, recipe).noisy, remixed(batch, recipe, seed=1).noisy)


def test_loud_remixes_are_clipped_as_a_converter_clips(draw) -> None:
    batch, _ = draw()
    loud = remixed(batch, MixingRecipe(level_dbfs=(-3.0, -3.0)))
    assert np.isclose(loud.noisy.abs().max(), 1.0)
    assert loud.target.abs().max() > 0
