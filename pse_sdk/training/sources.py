"""What mixtures are made of: one speaker's utterances, babble of many, recorded and synthetic noises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import soxr

from pse_sdk.errors import UsageError
from pse_sdk.training.augment import Samples, coloured_noise, gain_for_snr, gain_to_level, random_equaliser
from pse_sdk.training.data import SAMPLE_RATE, Clip, Clips
from pse_sdk.training.loudness import loudest
from pse_sdk.training.noise_variety import synthetic_noise, vary

if TYPE_CHECKING:
    from pse_sdk.training.mixing import MixingRecipe

# A crop is tried again so often, until its loudest part is within 25 dB of the recording's; a short one may be a pause.
CROPS = 8
FAINTEST = 10 ** (-25 / 20)
SHORTEST_SPOKEN = SAMPLE_RATE


class Utterances:
    """Draws utterances of one speaker, with pauses."""

    def __init__(self, clips: Clips, recipe: MixingRecipe) -> None:
        self.clips, self.recipe = clips, recipe
        weights = recipe.speech_weights or dict.fromkeys(clips.by_source, 1.0)
        check_sources(weights, clips.by_source, "mixing.speech_weights")
        self.sources = sorted(weights)
        total = sum(weights.values())
        self.source_p = [weights[source] / total for source in self.sources]

    def draw(self, rng: np.random.Generator, length: int) -> Samples:
        """``length`` samples, full to the end."""
        clips = self.clips.by_source[self.sources[rng.choice(len(self.sources), p=self.source_p)]]
        clip = clips[rng.integers(len(clips))]
        named = clip.speaker and clip.source not in self.recipe.unlabelled
        same_voice = self.clips.by_speaker[clip.source, clip.speaker] if named else [clip]
        factor = rng.uniform(0.9, 1.1) if rng.random() < self.recipe.speed else 1.0
        out = np.zeros(length, np.float32)
        at = 0
        while at < length:
            piece = self._crop(rng, clip, int((length - at) * factor) + 1)
            if factor != 1.0:
                piece = soxr.resample(piece, SAMPLE_RATE * factor, SAMPLE_RATE, quality="MQ")
            piece = piece[: length - at]
            out[at : at + len(piece)] = piece
            at += len(piece) + int(rng.uniform(0.05, 0.4) * SAMPLE_RATE)
            clip = same_voice[rng.integers(len(same_voice))]
        return out

    def _crop(self, rng: np.random.Generator, clip: Clip, length: int) -> Samples:
        """A crop in which somebody speaks: of a pause the SNR would make a voice that is to be kept."""
        piece = self.clips.crop(rng, clip, length)
        for _ in range(CROPS):
            if len(piece) < SHORTEST_SPOKEN or loudest(piece) >= FAINTEST * self.clips.loudest(clip):
                break
            piece = self.clips.crop(rng, clip, length)
        return piece


class Babble:
    """Draws many talkers at once, of different loudness: what one hears of a restaurant or a square."""

    # Of fewer, one voice is more often followed than not, and is then no noise to someone who enrolled nobody. The
    # mixture's own speaker is hardly ever among them: there are hundreds.
    TALKERS = (4, 16)

    def __init__(self, utterances: Utterances) -> None:
        self.utterances = utterances

    def draw(self, rng: np.random.Generator, length: int) -> Samples:
        babble = np.zeros(length, np.float32)
        for _ in range(rng.integers(self.TALKERS[0], self.TALKERS[1] + 1)):
            voice = self.utterances.draw(rng, length)
            babble += voice * gain_to_level(voice, rng.uniform(-32, -20))
        return babble


class Noises:
    """Draws one or two noises: recorded, synthetic, or of many talkers."""

    def __init__(self, clips: Clips, recipe: MixingRecipe, babble: Babble) -> None:
        self.clips, self.recipe, self.babble = clips, recipe, babble
        weights = dict.fromkeys(sorted(clips.by_category), 1.0) | recipe.noise_weights
        check_sources(weights, clips.by_category, "mixing.noise_weights")
        self.categories = [category for category in weights if weights[category] > 0]
        drawn = np.array([weights[category] for category in self.categories])
        # Drawn alike, mixtures stay what they were before there were weights.
        self.category_p = None if np.ptp(drawn) == 0 else drawn / drawn.sum()

    def draw(self, rng: np.random.Generator, length: int) -> Samples:
        noise = self._one(rng, length)
        if rng.random() < self.recipe.second_noise:
            second = self._one(rng, length)
            noise = noise + second * gain_for_snr(noise, second, rng.uniform(0, 12))
        return noise

    def _one(self, rng: np.random.Generator, length: int) -> Samples:
        if rng.random() < self.recipe.coloured_noise:
            return coloured_noise(rng, length)
        # A probability of zero draws nothing, so that recipes without it draw what they always drew.
        if self.recipe.babble and rng.random() < self.recipe.babble:
            return self.babble.draw(rng, length)
        if self.recipe.synthetic_noise and rng.random() < self.recipe.synthetic_noise:
            return synthetic_noise(rng, length)
        if self.recipe.vary_noise and rng.random() < self.recipe.vary_noise:
            return vary(rng, lambda length: self._recorded(rng, length), length)
        noise = self._recorded(rng, length)
        for _ in range(CROPS):
            # Some recordings are silent for seconds, and of silence the SNR would make a mixture without noise.
            if noise.any():
                break
            noise = self._recorded(rng, length)
        return random_equaliser(rng, noise) if rng.random() < self.recipe.equaliser else noise

    def _recorded(self, rng: np.random.Generator, length: int) -> Samples:
        clips = self.clips.by_category[self._category(rng)]
        pieces: list[Samples] = []
        missing = length
        while missing > 0:
            pieces.append(self.clips.crop(rng, clips[rng.integers(len(clips))], missing))
            missing -= len(pieces[-1])
        return np.concatenate(pieces)

    def _category(self, rng: np.random.Generator) -> str:
        if self.category_p is None:
            return self.categories[rng.integers(len(self.categories))]
        return self.categories[rng.choice(len(self.categories), p=self.category_p)]


def check_sources(weights: Mapping[str, float], known: Mapping[str, object], key: str) -> None:
    """Raise `UsageError` if ``weights`` name a source that the data lack, or leave none."""
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise UsageError(f"{key} names {unknown[0]!r}, which the data lack; they have {', '.join(sorted(known))} "
                         f"(--set '{key}={{}}' draws all alike)")  # fmt: skip
    if not sum(weights.values()) > 0:
        raise UsageError(f"{key}: at least one weight must be above 0")
