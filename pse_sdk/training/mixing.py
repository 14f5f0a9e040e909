"""Noisy mixtures drawn at random: a speaker, perhaps in a room, with noise, at some level and bandwidth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import soxr
from torch.utils.data import Dataset

from pse_sdk.training.data import SAMPLE_RATE, Clip, Clips

Samples = npt.NDArray[np.float32]

# How much of a room response belongs to the target: early reflections help, later ones blur.
EARLY_SAMPLES = int(0.05 * SAMPLE_RATE)
TAPER_SAMPLES = int(0.01 * SAMPLE_RATE)


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
    equaliser : that speech (or noise, drawn apart) passes a random second-order filter
    band_limit : that the whole mixture is cut off between 3.4 and 7.5 kHz
    speed : that the speech is played 10 % slower to 10 % faster, which also changes the voice
    clean, silent : that there is no noise at all, or no speech at all
    speech_weights : how often each source is drawn; a source not named here is left out
    left_out_noise : noise categories never used
    """

    seconds: float = 2.5
    snr_db: tuple[float, float] = (-5.0, 20.0)
    level_dbfs: tuple[float, float] = (-35.0, -10.0)
    room: float = 0.45
    second_noise: float = 0.35
    coloured_noise: float = 0.1
    equaliser: float = 0.4
    band_limit: float = 0.1
    speed: float = 0.3
    clean: float = 0.03
    silent: float = 0.03
    speech_weights: dict[str, float] = field(default_factory=dict)
    left_out_noise: tuple[str, ...] = ()


class Mixtures(Dataset[tuple[Samples, Samples]]):
    """(noisy, target) pairs, float32 [samples].

    Item i depends on the seed and ``first + i`` alone, so a run that resumes goes on where it was.
    """

    def __init__(
        self, speech: Clips, noise: Clips, rooms: Clips, recipe: MixingRecipe, items: int, seed: int, first: int = 0
    ) -> None:
        self.speech, self.noise, self.rooms, self.recipe = speech, noise, rooms, recipe
        self.items, self.seed, self.first = items, seed, first
        weights = recipe.speech_weights or dict.fromkeys(speech.by_source, 1.0)
        self.sources = sorted(set(weights) & set(speech.by_source))
        total = sum(weights[source] for source in self.sources)
        self.source_p = [weights[source] / total for source in self.sources]
        self.categories = sorted(set(noise.by_category) - set(recipe.left_out_noise))

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> tuple[Samples, Samples]:
        rng = np.random.default_rng([self.seed, self.first + index])
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
            noise = noise * _gain_for_snr(target, noise, rng.uniform(*recipe.snr_db))
        pair = np.stack([speech + noise, target])
        if rng.random() < recipe.band_limit:
            pair = _low_pass(pair, rng.uniform(3400, 7500))
        pair *= _gain_to_level(pair[0], rng.uniform(*recipe.level_dbfs))
        # A converter clips; the target keeps the shape that the microphone would have had to record.
        pair[0] = np.clip(pair[0], -1, 1)
        return pair[0], pair[1]

    def _speech(self, rng: np.random.Generator, length: int) -> tuple[Samples, Samples]:
        """What the microphone hears of the speaker, and the part of it that is the target."""
        dry = self._utterances(rng, length)
        if rng.random() < self.recipe.equaliser:
            dry = _random_equaliser(rng, dry)
        if rng.random() >= self.recipe.room:
            return dry, dry
        response = self.rooms.read(self.rooms.clips[rng.integers(len(self.rooms.clips))])
        return in_room(dry, response)

    def _utterances(self, rng: np.random.Generator, length: int) -> Samples:
        """Utterances of one speaker, with pauses, until ``length`` samples are full."""
        clips = self.speech.by_source[self.sources[rng.choice(len(self.sources), p=self.source_p)]]
        clip = clips[rng.integers(len(clips))]
        same_voice = self.speech.by_speaker[clip.source, clip.speaker] if clip.speaker else [clip]
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
            noise = noise + second * _gain_for_snr(noise, second, rng.uniform(0, 12))
        return noise

    def _one_noise(self, rng: np.random.Generator, length: int) -> Samples:
        if rng.random() < self.recipe.coloured_noise:
            return _coloured_noise(rng, length)
        clips = self.noise.by_category[self.categories[rng.integers(len(self.categories))]]
        pieces: list[Samples] = []
        missing = length
        while missing > 0:
            pieces.append(self._crop(rng, self.noise, clips[rng.integers(len(clips))], missing))
            missing -= len(pieces[-1])
        noise = np.concatenate(pieces)
        return _random_equaliser(rng, noise) if rng.random() < self.recipe.equaliser else noise

    @staticmethod
    def _crop(rng: np.random.Generator, clips: Clips, clip: Clip, length: int) -> Samples:
        start = int(rng.integers(max(1, clip.length - length + 1)))
        return clips.read(clip, start, length)


def in_room(dry: Samples, response: Samples) -> tuple[Samples, Samples]:
    """``dry`` through a room response: all of it, and its early part (50 ms after the direct sound, then faded)."""
    peak = int(np.argmax(np.abs(response)))
    fade = np.ones(len(response), np.float32)
    end = peak + EARLY_SAMPLES
    ramp = fade[end : end + TAPER_SAMPLES]
    ramp[:] = np.linspace(1, 0, len(ramp), dtype=np.float32)
    fade[end + TAPER_SAMPLES :] = 0
    size = scipy.fft.next_fast_len(len(dry) + len(response), real=True)
    spectrum = scipy.fft.rfft(dry, size)
    responses = np.stack([response, response * fade]) / (np.sqrt(np.sum(response**2)) + 1e-8)
    # The direct sound is moved to the start, so that dry and reverberant items are aligned alike.
    both = scipy.fft.irfft(spectrum * scipy.fft.rfft(responses, size), size)[:, peak : peak + len(dry)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def _gain_for_snr(signal: Samples, noise: Samples, snr_db: float) -> float:
    power = float(np.mean(noise**2))
    return float(np.sqrt(np.mean(signal**2) / (power + 1e-12)) * 10 ** (-snr_db / 20)) if power > 1e-10 else 0.0


def _gain_to_level(signal: Samples, level_dbfs: float) -> float:
    rms = float(np.sqrt(np.mean(signal**2)))
    return 10 ** (level_dbfs / 20) / rms if rms > 1e-6 else 1.0


def _random_equaliser(rng: np.random.Generator, x: Samples) -> Samples:
    """A random second-order filter (arXiv 1709.08243, section 4.2), level kept."""
    b, a = rng.uniform(-0.375, 0.375, (2, 2))
    y: Samples = scipy.signal.lfilter(np.array([1, *b], np.float32), np.array([1, *a], np.float32), x)
    gain = np.sqrt(np.mean(x**2) / (np.mean(y**2) + 1e-12))
    out: Samples = (y * gain).astype(np.float32)
    return out


def _coloured_noise(rng: np.random.Generator, length: int) -> Samples:
    """Gaussian noise whose power falls with 1 / f^slope, slope 0 (white) to 2 (brown)."""
    spectrum = scipy.fft.rfft(rng.standard_normal(length, np.float32))
    shape = np.maximum(np.arange(len(spectrum)), 20) ** (-rng.uniform(0, 2) / 2)
    noise = scipy.fft.irfft(spectrum * shape.astype(np.float32), length)
    out: Samples = (0.1 * noise / np.std(noise)).astype(np.float32)
    return out


def _low_pass(x: Samples, cutoff_hz: float) -> Samples:
    sos = scipy.signal.butter(8, cutoff_hz, fs=SAMPLE_RATE, output="sos")
    out: Samples = scipy.signal.sosfilt(sos, x, axis=-1).astype(np.float32)
    return out
