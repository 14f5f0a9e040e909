"""Embeddings of all training voices, made once before a conditioned stack is trained; by several processes if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from pse_sdk.runtimes.bundled import speaker_encoder_path
from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime
from pse_sdk.training.data import SAMPLE_RATE, Clips, data_folder, holds, load_clips
from pse_sdk.training.loudness import loudest
from pse_sdk.training.speaker.damage import Damage, DamageRecipe
from pse_sdk.training.speaker.segments import SPEEDS, Segment, cut
from pse_sdk.training.speaker.voices import Voices
from pse_sdk.workers import mapped

# A segment holds no voice if it is below this, or if its loudest part is 20 dB below its recording's: some recordings
# end in seconds of near silence.
QUIETEST_RMS = 1e-4
FAINTEST = 0.1
# Nor if it is shorter than a word.
SHORTEST_S = 0.3
# What a process is given at a time: an embedding takes milliseconds.
CHUNK = 32


@dataclass(frozen=True)
class Work:
    """What a process needs to know."""

    folder: Path
    split: str
    encoder: Path
    copies: int
    seed: int


class Worker:
    """Embeds segments; lives as long as its process."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.encoder = SpeakerEncoderRuntime(work.encoder)
        self.speech = load_clips(work.folder, "speech", work.split)
        self._damage = _damage(work.folder, work.split)
        self.segments = cut(self.speech, SPEEDS if work.split == "train" else (1.0,))

    def embed(self, number: int) -> npt.NDArray[np.float32]:
        """Embeddings [copies, dim] of a segment, each copy damaged differently; zeros where it holds no voice."""
        segment, work = self.segments[number], self._work
        embeddings = np.zeros((work.copies, self.encoder.description.dim), np.float32)
        x = segment.read(self.speech)
        if not self._speaks(segment, x):
            return embeddings
        for copy in range(work.copies):
            rng = np.random.default_rng([work.seed, number, copy])
            embeddings[copy] = self.encoder.embed(self._damage.apply(rng, x))
        return embeddings

    def _speaks(self, segment: Segment, x: npt.NDArray[np.float32]) -> bool:
        if len(x) < SHORTEST_S * SAMPLE_RATE:
            return False
        whole = self.speech.loudest(self.speech.clips[segment.clip])
        return bool(np.sqrt(np.mean(x**2)) >= QUIETEST_RMS and loudest(x) >= FAINTEST * whole)


def embed_all(
    data: Path | None, output: Path, encoder: Path | None = None, copies: int = 1, seed: int = 0, jobs: int = 1
) -> None:
    """Write ``train.npz`` and ``valid.npz``: every segment's embedding, ``copies`` times, each damaged differently.

    The encoder that came with the package is used if none is given. ``jobs`` processes write what one does.
    """
    folder = data_folder(data)
    output.mkdir(parents=True, exist_ok=True)
    works = [Work(folder, split, encoder or speaker_encoder_path(), copies, seed) for split in ("train", "valid")]
    # All is loaded before the minutes of embedding: what is missing is said at once.
    workers = [Worker(work) for work in works]
    for work, worker in zip(works, workers, strict=True):
        with _embedded(work, worker, jobs) as embedded:
            found = list(track(embedded, f"embedding {work.split}", total=len(worker.segments)))
        embeddings = np.array(found, np.float32).reshape(-1, copies, worker.encoder.description.dim)
        voices = Voices(worker.speech, worker.segments, embeddings, encoder=worker.encoder.description.identity)
        voices.save(output / f"{work.split}.npz")


@contextmanager
def _embedded(work: Work, worker: Worker, jobs: int) -> Iterator[Iterable[npt.NDArray[np.float32]]]:
    """Every segment's embeddings, in order, by ``worker`` or in ``jobs`` processes."""
    numbers = range(len(worker.segments))
    if jobs == 1:
        yield map(worker.embed, numbers)
        return
    with mapped(jobs, _embedder, work, numbers, CHUNK) as embedded:
        yield embedded


def _embedder(work: Work) -> Callable[[int], npt.NDArray[np.float32]]:
    return Worker(work).embed


def _damage(folder: Path, split: str) -> Damage:
    noise = load_clips(folder, "noise", split)
    if holds(folder, "rir", split):
        return Damage(noise, load_clips(folder, "rir", split), DamageRecipe())
    return Damage(noise, Clips.none(), DamageRecipe(room=0))
