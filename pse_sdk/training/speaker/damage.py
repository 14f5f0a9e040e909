"""What a poor microphone in a poor place makes of a voice: filters, rooms, noise, band limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pse_sdk.training.augment import (
    Samples,
    coloured_noise,
    gain_for_snr,
    gain_to_level,
    in_room,
    low_pass,
    random_equaliser,
)
from pse_sdk.training.data import Clips
from pse_sdk.training.ranges import check_probabilities, check_ranges


@dataclass(frozen=True)
class DamageRecipe:
    """Probabilities, ``snr_db`` of the noise, and ``level_dbfs`` of the result."""

    equaliser: float = 0.4
    room: float = 0.4
    noise: float = 0.7
    coloured_noise: float = 0.2
    band_limit: float = 0.1
    snr_db: tuple[float, float] = (0.0, 20.0)
    level_dbfs: tuple[float, float] = (-35.0, -15.0)

    def __post_init__(self) -> None:
        check_probabilities(self, ("equaliser", "room", "noise", "coloured_noise", "band_limit"))
        check_ranges(self, ("snr_db", "level_dbfs"))


class Damage:
    """Draws damage from a recipe."""

    def __init__(self, noise: Clips, rooms: Clips, recipe: DamageRecipe) -> None:
        self.noise, self.rooms, self.recipe = noise, rooms, recipe

    def apply(self, rng: np.random.Generator, x: Samples) -> Samples:
        recipe = self.recipe
        if rng.random() < recipe.equaliser:
            x = random_equaliser(rng, x)
        if rng.random() < recipe.room:
            x = in_room(x, self.rooms.read(self.rooms.clips[rng.integers(len(self.rooms.clips))]))[0]
        if rng.random() < recipe.noise:
            noise = self._noise(rng, len(x))
            x = x + noise * gain_for_snr(x, noise, rng.uniform(*recipe.snr_db))
        if rng.random() < recipe.band_limit:
            x = low_pass(x, rng.uniform(3400, 7500))
        return (x * gain_to_level(x, rng.uniform(*recipe.level_dbfs))).astype(np.float32)

    def _noise(self, rng: np.random.Generator, length: int) -> Samples:
        if rng.random() < self.recipe.coloured_noise:
            return coloured_noise(rng, length)
        clip = self.noise.clips[rng.integers(len(self.noise.clips))]
        return crop(rng, self.noise.read(clip), length)


def crop(rng: np.random.Generator, x: Samples, length: int) -> Samples:
    """A random part; what is shorter is repeated."""
    if len(x) < length:
        x = np.tile(x, -(-length // len(x)))
    start = int(rng.integers(len(x) - length + 1))
    return x[start : start + length]
