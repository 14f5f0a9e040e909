"""Noisy mixtures drawn at random: a speaker, perhaps in a room, with noise, at some level and bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

from pse_sdk.errors import UsageError
from pse_sdk.training.augment import (
    Samples,
    gain_for_snr,
    gain_to_level,
    high_pass,
    in_room,
    low_pass,
    random_equaliser,
)
from pse_sdk.training.channel import any_codec, lose_packets, overload
from pse_sdk.training.data import SAMPLE_RATE, Clips
from pse_sdk.training.ranges import check_least, check_probabilities, check_ranges, check_weights
from pse_sdk.training.scenes import SceneRecipe, Scenes
from pse_sdk.training.sources import Babble, Noises, Utterances
from pse_sdk.training.speaker.voices import Voices

# Of a mixture: some windows of the spectral loss.
SHORTEST_S = 0.1
# Where a telephone's band ends.
TELEPHONE_HZ = 3400
# Of two who talk to each other, how much weaker one of them is, how often who speaks changes, and how often one of them
# talks on meanwhile.
WEAKER_DB = (0.0, 20.0)
CHANGES = (1, 3)
TALKS_ON = 0.5
# Up or down; and how long a turn or a step in level takes to come in, so that it does not click.
STEP_DB = 25.0
RAMP_S = 0.02


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
    noise_room : that the noise comes through a room response too, one of its own
    coloured_noise : that a noise is synthetic, with a random spectral slope, instead of recorded
    babble : that it is otherwise 4 to 16 talkers at once
    synthetic_noise, vary_noise : that it is otherwise synthetic, or a recording made unlike itself
        (`pse_sdk.training.noise_variety`)
    equaliser : that speech (or noise, drawn apart) passes a random second-order filter
    band_limit : that the whole mixture is cut off between 3.4 and 7.5 kHz
    high_pass : that it is cut off below 80 to 500 Hz, gently or sharply, as small microphones do; every other time
        also above 3.4 kHz, as telephones do
    conversation : where nobody is enrolled, that two talk, in turn or at once, one up to 20 dB weaker than the other;
        both are wanted
    level_step : that the whole mixture gets up to 25 dB louder or quieter at once, as when a microphone is moved
    speed : that the speech is played 10 % slower to 10 % faster, which also changes the voice
    clean, silent, empty : that there is no noise at all, no speech at all, or neither: digital silence
    clipping, codec, packet_loss : that the mixture is overloaded, coded at a low rate, or loses packets
        (`pse_sdk.training.channel`); drawn apart from all else, so that speech and noise stay the same with and without
    speech_weights : how often each source is drawn; a source not named here is left out
    noise_weights : how often noise categories are drawn, against 1 of each that is not named here; 0: never
    unlabelled : sources whose index names no single speaker, so that only one recording is sure to be one voice
    scene : mixtures with an enrolled voice and other talkers
    """

    seconds: float = 2.5
    snr_db: tuple[float, float] = (-5.0, 20.0)
    level_dbfs: tuple[float, float] = (-35.0, -10.0)
    room: float = 0.45
    second_noise: float = 0.35
    noise_room: float = 0.0
    coloured_noise: float = 0.1
    babble: float = 0.0
    synthetic_noise: float = 0.0
    vary_noise: float = 0.0
    equaliser: float = 0.4
    band_limit: float = 0.1
    high_pass: float = 0.0
    conversation: float = 0.0
    level_step: float = 0.0
    speed: float = 0.3
    clean: float = 0.03
    silent: float = 0.03
    empty: float = 0.0
    clipping: float = 0.0
    codec: float = 0.0
    packet_loss: float = 0.0
    speech_weights: dict[str, float] = field(default_factory=dict)
    noise_weights: dict[str, float] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    scene: SceneRecipe = field(default_factory=SceneRecipe)

    def __post_init__(self) -> None:
        check_probabilities(self, _PROBABILITIES)
        check_ranges(self, ("snr_db", "level_dbfs"))
        check_least(self, SHORTEST_S, ("seconds",))
        check_weights("speech_weights", self.speech_weights)
        check_weights("noise_weights", self.noise_weights)
        if self.clean + self.silent + self.empty > 1:
            raise ValueError(f"clean + silent + empty = {self.clean + self.silent + self.empty}: must be at most 1")


_PROBABILITIES = (
    "room", "second_noise", "noise_room", "coloured_noise", "babble", "synthetic_noise", "vary_noise", "equaliser",
    "band_limit", "high_pass", "conversation", "level_step", "speed", "clean", "silent", "empty", "clipping", "codec",
    "packet_loss",
)  # fmt: skip


class Mixture(NamedTuple):
    """One training item: noisy and target, float32 [samples]; the enrolled voice's embedding [dim], if enrolled.

    ``noise`` [samples] is what of ``noisy`` another noise could stand for; silent where none could, because there is
    none, or because the mixture is no sum any more: cut off in frequency, clipped, or damaged.
    """

    noisy: Samples
    target: Samples
    embedding: Samples
    enrolled: bool
    noise: Samples


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
        self.utterances = Utterances(speech, recipe)
        self.noises = Noises(noise, recipe, Babble(self.utterances))
        self.rooms, self.recipe = rooms, recipe
        self.items, self.seed, self.first = items, seed, first
        self.dim, self.speaker_encoder, self.scenes = 0, "", None
        if recipe.scene.enrolled > 0:
            if voices is None:
                raise UsageError("the recipe has scenes with an enrolled voice: give the table of voices (--voices)")
            self.dim, self.speaker_encoder = voices.dim, voices.encoder
            self.scenes = Scenes(voices, rooms, recipe.scene, recipe.room, recipe.equaliser)

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> Mixture:
        rng = np.random.default_rng([self.seed, self.first + index])
        if self.scenes and rng.random() < self.recipe.scene.enrolled:
            mixture = self._enrolled(rng, self.scenes)
        else:
            mixture = self._plain(rng)
        return self._transmit(np.random.default_rng([self.seed, self.first + index, 1]), mixture)

    def _plain(self, rng: np.random.Generator) -> Mixture:
        recipe = self.recipe
        length = int(recipe.seconds * SAMPLE_RATE)
        kinds = {"clean": recipe.clean, "silent": recipe.silent, "noisy": 1.0, "empty": recipe.empty}
        kinds["noisy"] -= recipe.clean + recipe.silent + recipe.empty
        kind = list(kinds)[rng.choice(len(kinds), p=list(kinds.values()))]
        # A probability of zero draws nothing, so that recipes without it draw what they always drew.
        if recipe.conversation and rng.random() < recipe.conversation:
            speech, target, reference = self._conversation(rng, length)
        else:
            speech, target = self._speech(rng, length)
            reference = target
        noise = self._noise(rng, length)
        if kind in ("clean", "empty"):
            noise = np.zeros_like(noise)
        if kind in ("silent", "empty"):
            speech, target = np.zeros_like(speech), np.zeros_like(target)
        if kind == "noisy":
            noise = noise * gain_for_snr(reference, noise, rng.uniform(*recipe.snr_db))
        return self._record(rng, speech + noise, target, noise, np.zeros(self.dim, np.float32), False)

    def _enrolled(self, rng: np.random.Generator, scenes: Scenes) -> Mixture:
        length = int(self.recipe.seconds * SAMPLE_RATE)
        scene = scenes.draw(rng, length)
        mixture, noise = scene.heard + scene.others, np.zeros(length, np.float32)
        if rng.random() < self.recipe.scene.noise or not mixture.any():
            noise = self._noise(rng, length)
            loudest = scene.target if scene.target.any() else scene.others
            noise = noise * gain_for_snr(loudest, noise, rng.uniform(*self.recipe.snr_db))
        return self._record(rng, mixture + noise, scene.target, noise, scene.embedding, True)

    def _record(
        self,
        rng: np.random.Generator,
        mixture: Samples,
        target: Samples,
        noise: Samples,
        embedding: Samples,
        enrolled: bool,
    ) -> Mixture:
        """What the microphone and its converter make of it."""
        pair = np.stack([mixture, target])
        if rng.random() < self.recipe.band_limit:
            pair = low_pass(pair, rng.uniform(3400, 7500))
            noise = np.zeros_like(noise)
        if self.recipe.high_pass and rng.random() < self.recipe.high_pass:
            pair = high_pass(pair, rng.uniform(80, 500), int(rng.integers(1, 11)))
            pair = low_pass(pair, TELEPHONE_HZ) if rng.random() < 0.5 else pair
            noise = np.zeros_like(noise)
        if self.recipe.level_step and rng.random() < self.recipe.level_step:
            step = 10 ** (rng.uniform(-STEP_DB, STEP_DB) / 20)
            pair = pair * (1 + (step - 1) * _switched(pair.shape[1], [rng.uniform(0.1, 0.9)]))
            noise = np.zeros_like(noise)
        gain = gain_to_level(pair[0], rng.uniform(*self.recipe.level_dbfs))
        pair *= gain
        # A converter clips; the target keeps the shape that the microphone would have had to record.
        noisy = np.clip(pair[0], -1, 1)
        noise = noise * gain if np.array_equal(noisy, pair[0]) else np.zeros_like(noise)
        return Mixture(noisy, pair[1], embedding, enrolled, noise)

    def _transmit(self, rng: np.random.Generator, mixture: Mixture) -> Mixture:
        """What overload, a codec and a network leave of it."""
        noisy, target = mixture.noisy, mixture.target
        if rng.random() < self.recipe.clipping:
            noisy = overload(rng, noisy)
        if rng.random() < self.recipe.codec:
            noisy, target = any_codec(rng, noisy, target)
        if rng.random() < self.recipe.packet_loss:
            noisy = lose_packets(rng, noisy)
        if noisy is not mixture.noisy:
            mixture = mixture._replace(noise=np.zeros_like(mixture.noise))
        return mixture._replace(noisy=noisy, target=target)

    def _conversation(self, rng: np.random.Generator, length: int) -> tuple[Samples, Samples, Samples]:
        """What the microphone hears of two talkers, the part of it that is the target, and that of one of them.

        Noise is measured against the last: against both it would nearly always be weak beside the louder one, or bury
        the other.
        """
        second = _switched(length, sorted(rng.uniform(0.1, 0.9, rng.integers(CHANGES[0], CHANGES[1] + 1))))
        first = np.ones_like(second) if rng.random() < TALKS_ON else 1 - second
        voices = [(when, *self._speech(rng, length, when)) for when in (first, second)]
        (long, *louder), (short, *weaker) = (voices[i] for i in rng.permutation(2))
        gain = gain_for_snr(louder[0], weaker[0], rng.uniform(*WEAKER_DB))
        # Where two changes fall on one sample a voice has no turn at all.
        gain *= float(np.sqrt(short.mean() / max(float(long.mean()), 1 / length)))
        speech, target = (a + gain * b for a, b in zip(louder, weaker, strict=True))
        return speech, target, louder[1] if rng.random() < 0.5 else gain * weaker[1]

    def _speech(self, rng: np.random.Generator, length: int, when: Samples | None = None) -> tuple[Samples, Samples]:
        """What the microphone hears of the speaker, ``when`` it speaks, and the part of it that is the target."""
        dry = self.utterances.draw(rng, length)
        dry = dry if when is None else dry * when
        if rng.random() < self.recipe.equaliser:
            dry = random_equaliser(rng, dry)
        if rng.random() >= self.recipe.room:
            return dry, dry
        return in_room(dry, self._room(rng))

    def _noise(self, rng: np.random.Generator, length: int) -> Samples:
        noise = self.noises.draw(rng, length)
        # A probability of zero draws nothing, so that recipes without it draw what they always drew.
        if self.recipe.noise_room and rng.random() < self.recipe.noise_room:
            return in_room(noise, self._room(rng))[0]
        return noise

    def _room(self, rng: np.random.Generator) -> Samples:
        response: Samples = self.rooms.read(self.rooms.clips[rng.integers(len(self.rooms.clips))])
        return response


def _switched(length: int, at: Sequence[float]) -> Samples:
    """Zeros and ones in turn, [length], which change at these parts of the length."""
    changes = np.zeros(length, np.float32)
    for number, share in enumerate(at):
        changes[int(share * length)] += (-1) ** number
    ramp = int(RAMP_S * SAMPLE_RATE)
    switched: Samples = np.convolve(np.cumsum(changes), np.full(ramp, 1 / ramp, np.float32))[:length].astype(np.float32)
    return switched
