"""A fixed list of mixtures of speech and noise that no model was trained on, and that list as files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from pse_sdk.errors import AudioError, UsageError
from pse_sdk.evaluation.items import SAMPLE_RATE, Item, Label, Recordings, Samples
from pse_sdk.evaluation.noise_classes import noise_class
from pse_sdk.files import write_atomically
from pse_sdk.training.augment import gain_for_snr, gain_to_level, in_room
from pse_sdk.training.data import Clip, Clips, load_clips

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0)
SECONDS = 5.0
LEVEL_DBFS = -25.0
PEAK = 0.99
# Between a speaker's utterances, and before and after a whole sentence.
PAUSE_S = (0.05, 0.4)
MARGIN_S = 0.4
FEWEST_WORDS = 4
# How often the length of an item is drawn from a category of noise before it is taken for silent.
MOST_SILENCE = 100


@dataclass(frozen=True)
class MixtureList:
    """`Recordings` of one speaker in one noise each, from the split ``valid`` of a data folder.

    Item i has SNR ``SNRS_DB[i % 5]`` and is drawn from ``[seed, i]`` alone: a longer list begins with the shorter one.

    Parameters
    ----------
    folder : with ``index.csv``, as for training
    items : how many
    seed : of the list
    reverberant : speakers are in rooms; the target is the first 50 ms of what arrives
    transcripts : by path of the speech file without its ending. If given, every item is one whole sentence of at
        least four words, no sentence occurs twice, and the words are known; else 5 s of utterances
    """

    folder: Path
    items: int
    seed: int = 2026
    reverberant: bool = False
    transcripts: Mapping[str, str] = field(default_factory=dict)
    has_targets = True

    def __reduce__(self) -> tuple[type[MixtureList], tuple[object, ...]]:
        """Another process opens the audio itself."""
        return MixtureList, (self.folder, self.items, self.seed, self.reverberant, self.transcripts)

    @property
    def title(self) -> str:
        kind = "reverberant" if self.reverberant else "dry"
        what = "sentences" if self.transcripts else f"mixtures of {SECONDS:g} s"
        snrs = ", ".join(f"{snr:g}" for snr in SNRS_DB)
        return (
            f"{self.items} {kind} {what} at {snrs} dB SNR, speakers and noises held out of training, seed {self.seed}"
        )

    @cached_property
    def labels(self) -> Sequence[Label]:
        return tuple(self._begin(number)[0] for number in range(self.items))

    def load(self, number: int) -> Item:
        """Mix an item. Samples are rounded to 16 bits, so that the list in files is the same list."""
        label, noise_category, sentence, rng = self._begin(number)
        length = round(label.seconds * SAMPLE_RATE)
        dry = self._sentence(sentence) if sentence else self._utterances(rng, length)
        heard = target = dry
        if self.reverberant:
            heard, target = in_room(dry, self._rooms.read(self._rooms.clips[rng.integers(len(self._rooms.clips))]))
        noise = self._noise_of(rng, noise_category, length)
        noisy = heard + noise * gain_for_snr(target, noise, SNRS_DB[number % len(SNRS_DB)])
        gain = min(gain_to_level(noisy, LEVEL_DBFS), PEAK / float(np.abs([noisy, target]).max() + 1e-9))
        return Item(label, *(np.rint(32768 * gain * x).astype(np.float32) / np.float32(32768) for x in (noisy, target)))

    def _begin(self, number: int) -> tuple[Label, str, Clip | None, np.random.Generator]:
        """What can be said of an item without its audio, and the generator that draws the rest."""
        rng = np.random.default_rng([self.seed, number])
        categories = sorted(self._noise.by_category)
        category = categories[rng.integers(len(categories))]
        sentence = self._sentences[number] if self.transcripts else None
        seconds = sentence.length / SAMPLE_RATE + 2 * MARGIN_S if sentence else SECONDS
        snr = SNRS_DB[number % len(SNRS_DB)]
        said = self.transcripts[_stem(sentence)] if sentence else ""
        kind = category.replace("/", "-").replace("\\", "-")  # it becomes a file's name
        return Label(f"{number:04d}_{snr:+03.0f}dB_{kind}", seconds, snr, noise_class(category), said), \
            category, sentence, rng  # fmt: skip

    def _sentence(self, clip: Clip) -> Samples:
        margin = int(MARGIN_S * SAMPLE_RATE)
        return np.pad(self._speech.read(clip), (margin, margin))

    def _utterances(self, rng: np.random.Generator, length: int) -> Samples:
        """Utterances of one speaker, with pauses, until ``length`` samples are full."""
        sources = sorted(self._speech.by_source)
        clips = self._speech.by_source[sources[rng.integers(len(sources))]]
        clip = clips[rng.integers(len(clips))]
        same_voice = self._speech.by_speaker[clip.source, clip.speaker] if clip.speaker else [clip]
        out, at = np.zeros(length, np.float32), 0
        while at < length:
            piece = self._speech.crop(rng, clip, length - at)
            out[at : at + len(piece)] = piece
            at += len(piece) + int(rng.uniform(*PAUSE_S) * SAMPLE_RATE)
            clip = same_voice[rng.integers(len(same_voice))]
        return out

    def _noise_of(self, rng: np.random.Generator, category: str, length: int) -> Samples:
        clips = self._noise.by_category[category]
        out = np.zeros(0, np.float32)
        while len(out) < length or not out.any():  # some recordings are silent for seconds
            if len(out) > MOST_SILENCE * length:
                raise AudioError(f"the recordings of noise {category!r} are silent: take them out of the index")
            missing = length - len(out) % length
            out = np.concatenate([out, self._noise.crop(rng, clips[rng.integers(len(clips))], missing)])
        return out[-length:]

    @cached_property
    def _sentences(self) -> list[Clip]:
        """Clips whose words are known, in an order fixed by the seed, without a sentence that was there before."""
        spoken = [c for c in self._speech.clips if len(self.transcripts.get(_stem(c), "").split()) >= FEWEST_WORDS]
        first: dict[str, Clip] = {}
        for i in np.random.default_rng(self.seed).permutation(len(spoken)):
            first.setdefault(self.transcripts[_stem(spoken[i])].lower(), spoken[i])
        if not first:
            raise UsageError(f"the transcripts know no sentence of {FEWEST_WORDS} words or more in {self.folder}: "
                             "their paths are those of index.csv, without the ending")  # fmt: skip
        if len(first) < self.items:
            raise UsageError(f"the transcripts know {len(first)} different sentences of at least {FEWEST_WORDS} words "
                             f"in {self.folder}: give --items {len(first)} or fewer")  # fmt: skip
        return list(first.values())

    @cached_property
    def _speech(self) -> Clips:
        return load_clips(self.folder, "speech", "valid")

    @cached_property
    def _noise(self) -> Clips:
        return load_clips(self.folder, "noise", "valid")

    @cached_property
    def _rooms(self) -> Clips:
        return load_clips(self.folder, "rir", "valid")


def write_recordings(recordings: Recordings, folder: Path) -> None:
    """Write a list as ``noisy/NAME.wav`` and ``clean/NAME.wav`` (16 bit), ``labels.csv`` and ``transcripts.tsv``.

    Raises `UsageError` for a folder that holds recordings: they would be taken for a part of the list.
    """
    for kind in ("noisy", "clean"):
        if (folder / kind).is_dir() and any((folder / kind).iterdir()):
            raise UsageError(f"{folder / kind} is not empty: choose another folder for the list")
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number, label in enumerate(recordings.labels):
        item = recordings.load(number)
        for kind, samples in (("noisy", item.noisy), ("clean", item.target)):
            if samples is not None:
                with write_atomically(folder / kind / f"{label.name}.wav") as temporary:
                    soundfile.write(temporary, samples, SAMPLE_RATE, "PCM_16")
    with (
        write_atomically(folder / "labels.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["name", "snr_db", "noise"])
        rows.writerows([label.name, label.snr_db, label.noise] for label in recordings.labels)
    if any(label.said for label in recordings.labels):
        with write_atomically(folder / "transcripts.tsv") as temporary:
            temporary.write_text("".join(f"{label.name}\t{label.said}\n" for label in recordings.labels), "utf-8")


def _stem(clip: Clip) -> str:
    return Path(clip.path).with_suffix("").as_posix()
