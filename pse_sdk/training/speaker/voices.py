"""The table of voices that a conditioned stack is trained with: segments of recordings, and their embeddings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import AudioError
from pse_sdk.files import write_atomically
from pse_sdk.training.data import Clips
from pse_sdk.training.speaker.segments import Segment, by_voice


class Voices:
    """Segments of one kind and split, each with embeddings of several damaged copies of it.

    Parameters
    ----------
    embeddings : [segments, copies, dim], each of length 1; zeros where a segment has none
    unlabelled : sources whose index names no single speaker
    encoder : identity of the speaker encoder that made the embeddings
    """

    def __init__(
        self,
        clips: Clips,
        segments: Sequence[Segment],
        embeddings: npt.NDArray[np.float32],
        unlabelled: Sequence[str] = (),
        encoder: str = "",
    ) -> None:
        self.encoder, self.unlabelled = encoder, unlabelled
        self.clips, self.segments, self.embeddings = clips, segments, embeddings
        self.dim = embeddings.shape[2]
        heard = np.any(embeddings != 0, axis=(1, 2))
        self.numbers = {
            voice: [n for n in numbers if heard[n]] for voice, numbers in by_voice(clips, segments, unlabelled).items()
        }
        self.numbers = {voice: numbers for voice, numbers in self.numbers.items() if numbers}
        self.of_source: dict[str, list[tuple[str, str, float]]] = {}
        for voice in self.numbers:
            self.of_source.setdefault(voice[0], []).append(voice)
        # One segment to enrol with, and another to speak.
        self.enrollable = {
            source: [voice for voice in voices if len(self.numbers[voice]) > 1]
            for source, voices in self.of_source.items()
        }

    def save(self, path: Path) -> None:
        rows = [[s.clip, s.start, s.length, s.speed] for s in self.segments]
        paths, lengths = [clip.path for clip in self.clips.clips], [clip.length for clip in self.clips.clips]
        with write_atomically(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                segments=np.array(rows, np.float64),
                embeddings=self.embeddings.astype(np.float16),
                about=np.array(json.dumps({"encoder": self.encoder, "clips": paths, "lengths": lengths})),
            )


def load_voices(path: Path, clips: Clips, unlabelled: Sequence[str]) -> Voices:
    """What `Voices.save` wrote; raises `AudioError` if it was made of other recordings than ``clips``."""
    try:
        with np.load(path, allow_pickle=False) as file:
            rows, embeddings = file["segments"], file["embeddings"].astype(np.float32)
            about = json.loads(str(file["about"]))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise AudioError(f"{path}: not a table of voices ({error}); `pse embed-voices` makes one") from error
    lengths = [clip.length for clip in clips.clips]
    # Tables of earlier versions have no lengths.
    if about["clips"] != [clip.path for clip in clips.clips] or about.get("lengths", lengths) != lengths:
        raise AudioError(f"{path}: was made of other recordings; run `pse embed-voices` again")
    segments = [Segment(int(c), int(s), int(n), float(speed)) for c, s, n, speed in rows]
    return Voices(clips, segments, embeddings, unlabelled, about["encoder"])
