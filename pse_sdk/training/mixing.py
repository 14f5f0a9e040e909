"""Noisy mixtures drawn at random: a speaker, perhaps in a room, with noise, at some level and bandwidth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import soxr
from torch.utils.data import Dataset

from pse_sdk.errors import UsageError
from pse_sdk.training.augment import (
    Samples,
    coloured_noise,
    gain_for_snr,
    gain_to_level,
    in_room,
    low_pass,
    random_equaliser,
)
from pse_sdk.training.data import SAMPLE_RATE, Clip, Clips
from pse_sdk.training.noise_variety import synthetic_noise, vary
from pse_sdk.training.scenes import SceneRecipe, Scenes
from pse_sdk.training.speaker.voices import Voices


@dataclass(frozen=True)
class MixingRecipe:
    """The distribution that mixtures are drawn from. Ranges are (low, high), uniform; the rest probabilities.

    Parameters
    ----------
    seconds : length of a mixture
    snr_db : of the target against all noise, over the whole mixture
    level_dbfs : RMS of the mixture
    room : that the speaker is in a room; the target is then its first 50 ms
    second_noise : that a second noise, 0 to 12 dB weaker, is added
    coloured_noise : that a noise is synthetic, with a random spectral slope, instead of recorded
    synthetic_noise, vary_noise : that it is otherwise synthetic, or a recording made unlike itself
        (`pse_sdk.training.noise_variety`)
    equaliser : that speech (or noise, drawn apart) passes a random second-order filter
    band_limit : that the whole mixture is cut off between 3.4 and 7.5 kHz
    speed : that the speech is played 10 % slower to 10 % faster, which also changes the voice
    clean, silent : that there is no noise at all, or no speech at all
    speech_weights : how often each source is drawn; a source not named here is left out
    left_out_noise : noise categories never used
    unlabelled : sources whose index names no single speaker, so that only one recording is sure to be one voice
    scene : mixtures with an enrolled voice and other talkers
    """

    seconds: float = 2.5
    snr_db: tuple[float, float] = (-5.0, 20.0)
    level_dbfs: tuple[float, float] = (-35.0, -10.0)
    room: float = 0.45
    second_noise: float = 0.35
    coloured_noise: float = 0.1
    synthetic_noise: float = 0.0
    vary_noise: float = 0.0
    equaliser: float = 0.4
    band_limit: float = 0.1
    speed: float = 0.3
    clean: float = 0.03
    silent: float = 0.03
    speech_weights: dict[str, float] = field(default_factory=dict)
    left_out_noise: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    scene: SceneRecipe = field(default_factory=SceneRecipe)


class Mixture(NamedTuple):
    """One training item: noisy and target, float32 [samples]; the enrolled voice's embedding [dim], if enrolled."""

    noisy: Samples
    target: Samples
    embedding: Samples
    enrolled: bool


class Mixtures(Dataset[Mixture]):
    """Mixtures drawn from a recipe. Item i depends on the seed and ``first + i`` alone: a resumed run goes on.

    ``voices`` are needed, and used, only if the recipe has scenes with an enrolled voice.
    """

    def __init__(
        self,
        speech: Clips,
        noise: Clips,
        rooms: Clips,
        recipe: MixingRecipe,
        items: int,
        seed: int,
        first: int = 0,
        voices: Voices | None = None,
    ) -> None:
        self.speech, self.noise, self.rooms, self.recipe = speech, noise, rooms, recipe
        self.items, self.seed, self.first = items, seed, first
        weights = recipe.speech_weights or dict.fromkeys(speech.by_source, 1.0)
        self.sources = sorted(set(weights) & set(speech.by_source))
        total = sum(weights[source] for source in self.sources)
        self.source_p = [weights[source] / total for source in self.sources]
        self.categories = sorted(set(noise.by_category) - set(recipe.left_out_noise))

        self.dim = voices.dim if voices else 0
        self.scenes = None
        if recipe.scene.enrolled > 0:
            if voices is None:
                raise UsageError("the recipe has scenes with an enrolled voice: give the table of voices (--voices)")
            self.scenes = Scenes(voices, rooms, recipe.scene, recipe.room, recipe.equaliser)

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> Mixture:
        rng = np.random.default_rng([self.seed, self.first + index])
        if self.scenes and rng.random() < self.recipe.scene.enrolled:
            return self._enrolled(rng, self.scenes)
        return self._plain(rng)

    def _plain(self, rng: np.random.Generator) -> Mixture:
        recipe = self.recipe
        length = int(recipe.seconds * SAMPLE_RATE)
        kind = rng.choice(3, p=[recipe.clean, recipe.silent, 1 - recipe.clean - recipe.silent])
        speech, target = self._speech(rng, length)
        noise = self._noises(rng, length)
        if kind == 0:
            noise = np.zeros_like(noise)
        elif kind == 1:
            speech, target = np.zeros_like(speech), np.zeros_like(target)
        else:
            noise = noise * gain_for_snr(target, noise, rng.uniform(*recipe.snr_db))
        return self._record(rng, speech + noise, target, np.zeros(self.dim, np.float32), False)

    def _enrolled(self, rng: np.random.Generator, scenes: Scenes) -> Mixture:
        length = int(self.recipe.seconds * SAMPLE_RATE)
        scene = scenes.draw(rng, length)
        mixture = scene.heard + scene.others
        if rng.random() < self.recipe.scene.noise or not mixture.any():
            noise = self._noises(rng, length)
            loudest = scene.target if scene.target.any() else scene.others
            mixture = mixture + noise * gain_for_snr(loudest, noise, rng.uniform(*self.recipe.snr_db))
        return self._record(rng, mixture, scene.target, scene.embedding, True)

    def _record(
        self, rng: np.random.Generator, mixture: Samples, target: Samples, embedding: Samples, enrolled: bool
    ) -> Mixture:
        """What the microphone and its converter make of it."""
        pair = np.stack([mixture, target])
        if rng.random() < self.recipe.band_limit:
            pair = low_pass(pair, rng.uniform(3400, 7500))
        pair *= gain_to_level(pair[0], rng.uniform(*self.recipe.level_dbfs))
        # A converter clips; the target keeps the shape that the microphone would have had to record.
        pair[0] = np.clip(pair[0], -1, 1)
        return Mixture(pair[0], pair[1], embedding, enrolled)

    def _speech(self, rng: np.random.Generator, length: int) -> tuple[Samples, Samples]:
        """What the microphone hears of the speaker, and the part of it that is the target."""
        dry = self._utterances(rng, length)
        if rng.random() < self.recipe.equaliser:
            dry = random_equaliser(rng, dry)
        if rng.random() >= self.recipe.room:
            return dry, dry
        response = self.rooms.read(self.rooms.clips[rng.integers(len(self.rooms.clips))])
        return in_room(dry, response)

    def _utterances(self, rng: np.random.Generator, length: int) -> Samples:
        """Utterances of one speaker, with pauses, until ``length`` samples are full."""
        clips = self.speech.by_source[self.sources[rng.choice(len(self.sources), p=self.source_p)]]
        clip = clips[rng.integers(len(clips))]
        named = clip.speaker and clip.source not in self.recipe.unlabelled
        same_voice = self.speech.by_speaker[clip.source, clip.speaker] if named else [clip]
        factor = rng.uniform(0.9, 1.1) if rng.random() < self.recipe.speed else 1.0
        out = np.zeros(length, np.float32)
        at = 0
        while at < length:
            piece = self._crop(rng, self.speech, clip, int((length - at) * factor) + 1)
            if factor != 1.0:
                piece = soxr.resample(piece, SAMPLE_RATE * factor, SAMPLE_RATE, quality="MQ")
            piece = piece[: length - at]
            out[at : at + len(piece)] = piece
            at += len(piece) + int(rng.uniform(0.05, 0.4) * SAMPLE_RATE)
            clip = same_voice[rng.integers(len(same_voice))]
        return out

    def _noises(self, rng: np.random.Generator, length: int) -> Samples:
        noise = self._one_noise(rng, length)
        if rng.random() < self.recipe.second_noise:
            second = self._one_noise(rng, length)
            noise = noise + second * gain_for_snr(noise, second, rng.uniform(0, 12))
        return noise

    def _one_noise(self, rng: np.random.Generator, length: int) -> Samples:
        if rng.random() < self.recipe.coloured_noise:
            return coloured_noise(rng, length)
        # A probability of zero draws nothing, so that recipes without it draw what they always drew.
        if self.recipe.synthetic_noise and rng.random() < self.recipe.synthetic_noise:
            return synthetic_noise(rng, length)
        if self.recipe.vary_noise and rng.random() < self.recipe.vary_noise:
            return vary(rng, lambda length: self._recorded_noise(rng, length), length)
        noise = self._recorded_noise(rng, length)
        return random_equaliser(rng, noise) if rng.random() < self.recipe.equaliser else noise

    def _recorded_noise(self, rng: np.random.Generator, length: int) -> Samples:
        clips = self.noise.by_category[self.categories[rng.integers(len(self.categories))]]
        pieces: list[Samples] = []
        missing = length
        while missing > 0:
            pieces.append(self._crop(rng, self.noise, clips[rng.integers(len(clips))], missing))
            missing -= len(pieces[-1])
        return np.concatenate(pieces)

    @staticmethod
    def _crop(rng: np.random.Generator, clips: Clips, clip: Clip, length: int) -> Samples:
        start = int(rng.integers(max(1, clip.length - length + 1)))
        return clips.read(clip, start, length)
