"""A comparison of the smallest models on recordings that exist in memory only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pse_sdk.models import StackConfig
from pse_sdk.training import train
from pse_sdk.training.data import Clip, Clips
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.reproduce.stages import Trial

MODEL = StackConfig(blocks=3, filters=64, channels=16, hidden=16, window=32, hop=16)
MIXING = MixingRecipe(seconds=0.2, room=0, clean=0, silent=0, band_limit=0, speed=0, equaliser=0, coloured_noise=0)
RECIPE = Recipe("tiny", MODEL, MIXING, steps=12, batch=2, warmup_steps=2, decay_steps=4, spectral_weight=0.0)


def clips(kind: str, speakers: int = 4, per_speaker: int = 2, length: int = 4000) -> Clips:
    """Noise as recordings, of so many speakers in one source."""
    rng = np.random.default_rng(len(kind))
    count = speakers * per_speaker
    samples = (3000 * rng.standard_normal(count * length)).astype(np.int16)
    names = [f"{kind}{i}" for i in range(count)]
    return Clips(samples, [Clip(n, "source", f"s{i % speakers}", "c", i * length, length) for i, n in enumerate(names)])


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(train, "load_clips", lambda _, kind, split: clips(kind))
    return Trial(RECIPE, Path("nowhere"), tmp_path)


@pytest.fixture
def held_out() -> Callable[..., Mixtures]:
    return lambda items=4: Mixtures(*(clips(kind) for kind in ("speech", "noise", "rir")), MIXING, items, seed=1)
