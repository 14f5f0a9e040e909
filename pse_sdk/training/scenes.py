"""Scenes with an enrolled voice: who speaks, who else speaks, and where (the E3Net paper's TS1, TS2 and TS3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pse_sdk.errors import UsageError
from pse_sdk.training.augment import Samples, gain_for_snr, in_room, random_equaliser
from pse_sdk.training.data import SAMPLE_RATE, Clips
from pse_sdk.training.ranges import check_probabilities, check_ranges, check_weights
from pse_sdk.training.sources import check_sources
from pse_sdk.training.speaker.voices import Voices


@dataclass(frozen=True)
class SceneRecipe:
    """The distribution of scenes with an enrolled voice.

    Parameters
    ----------
    enrolled : that a mixture is such a scene; in the others nobody is enrolled, and every voice is wanted
    interferer : that somebody else speaks too (TS1, else TS2 or TS3)
    second_interferer : that a third voice, up to 6 dB weaker, joins in
    absent : that the enrolled voice does not speak at all, and the target is silence
    noise : that there is noise (else TS1 without noise, or TS3)
    sir_db : of all that is heard of the enrolled voice against the others, over the whole mixture
    speech_weights : how often the enrolled voice is taken from each source; a source not named is left out
    """

    enrolled: float = 0.0
    interferer: float = 0.7
    second_interferer: float = 0.1
    absent: float = 0.12
    noise: float = 0.75
    sir_db: tuple[float, float] = (-5.0, 10.0)
    speech_weights: dict[str, float] | None = None

    def __post_init__(self) -> None:
        check_probabilities(self, ("enrolled", "interferer", "second_interferer", "absent", "noise"))
        check_ranges(self, ("sir_db",))
        check_weights("speech_weights", self.speech_weights or {})


class Scene(NamedTuple):
    """What reaches the microphone, [samples] each, and the enrolled voice's embedding [dim].

    ``heard`` is all of the enrolled voice, ``target`` the part of it that is wanted, ``others`` the other talkers.
    """

    heard: Samples
    target: Samples
    others: Samples
    embedding: Samples


class Scenes:
    """Draws scenes. The enrolled voice is near the microphone, the others far, in one room."""

    def __init__(self, voices: Voices, rooms: Clips, recipe: SceneRecipe, room: float, equaliser: float) -> None:
        self.voices, self.rooms, self.recipe = voices, rooms, recipe
        self.room, self.equaliser = room, equaliser
        enrollable = sorted(source for source, found in voices.enrollable.items() if found)
        if not enrollable or len({voice[:2] for voice in voices.numbers}) < 2:
            raise UsageError("scenes with an enrolled voice need two speakers in each split, one of them with two "
                             "recordings or one of more than 6.5 s: `pse index --valid 0.2` keeps more for validation, "
                             "--set mixing.scene.enrolled=0 trains without voices")  # fmt: skip
        wanted = recipe.speech_weights or dict.fromkeys(enrollable, 1.0)
        check_sources(wanted, voices.of_source, "mixing.scene.speech_weights")
        self.sources = [source for source in enrollable if wanted.get(source, 0) > 0]
        if not self.sources:
            raise UsageError("mixing.scene.speech_weights: no voice of these sources has a recording to enrol with and "
                             "another to speak")  # fmt: skip
        total = sum(wanted[source] for source in self.sources)
        self.source_p = [wanted[source] / total for source in self.sources]
        self.places = _near_and_far(rooms)

    def draw(self, rng: np.random.Generator, length: int) -> Scene:
        voices, recipe = self.voices, self.recipe
        source = self.sources[rng.choice(len(self.sources), p=self.source_p)]
        choices = voices.enrollable[source]
        voice = choices[rng.integers(len(choices))]
        numbers = voices.numbers[voice]
        enrolled = numbers[rng.integers(len(numbers))]
        copies = voices.embeddings[enrolled]
        embedding = copies[rng.integers(len(copies))]
        near, far = self._place(rng)
        # Not from the clip that was enrolled, unless it is the only one of this voice.
        clip = voices.segments[enrolled].clip
        spoken = [n for n in numbers if voices.segments[n].clip != clip] or [n for n in numbers if n != enrolled]
        heard, target = self._speak(rng, spoken, length, near)
        others = np.zeros(length, np.float32)
        absent = rng.random() < recipe.absent
        if absent or rng.random() < recipe.interferer:
            others = self._interferer(rng, voice, length, far)
            if rng.random() < recipe.second_interferer:
                third = self._interferer(rng, voice, length, far)
                others = others + third * gain_for_snr(others, third, rng.uniform(0, 6))
            others = others * gain_for_snr(heard, others, rng.uniform(*recipe.sir_db))
        if absent:
            heard, target = np.zeros_like(heard), np.zeros_like(target)
        return Scene(heard, target, others, embedding)

    def _interferer(
        self, rng: np.random.Generator, voice: tuple[str, str, float], length: int, room: Samples | None
    ) -> Samples:
        sources = sorted(self.voices.of_source)
        # As often as not from the enrolled voice's own source: recordings of another one are easily told apart. Where
        # that names nobody, another recording may be of the same voice.
        own = 0.5
        if voice[0] in self.voices.unlabelled and len(sources) > 1:
            sources.remove(voice[0])
            own = 0.0
        while True:
            source = voice[0] if rng.random() < own else sources[rng.integers(len(sources))]
            others = self.voices.of_source[source]
            other = others[rng.integers(len(others))]
            if other[:2] != voice[:2]:
                return self._speak(rng, self.voices.numbers[other], length, room)[0]

    def _speak(
        self, rng: np.random.Generator, numbers: list[int], length: int, room: Samples | None
    ) -> tuple[Samples, Samples]:
        """Segments of one voice, with pauses, until ``length`` samples are full: all that is heard, and the target."""
        dry = np.zeros(length, np.float32)
        at = int(rng.uniform(0, 0.5) * SAMPLE_RATE) if rng.random() < 0.5 else 0
        while at < length:
            segment = self.voices.segments[numbers[rng.integers(len(numbers))]]
            x = segment.read(self.voices.clips)
            start = int(rng.integers(max(1, len(x) - (length - at) + 1)))
            piece = x[start : start + length - at]
            dry[at : at + len(piece)] = piece
            at += len(piece) + int(rng.uniform(0.05, 0.8) * SAMPLE_RATE)
        if rng.random() < self.equaliser:
            dry = random_equaliser(rng, dry)
        return (dry, dry) if room is None else in_room(dry, room)

    def _place(self, rng: np.random.Generator) -> tuple[Samples | None, Samples | None]:
        if rng.random() >= self.room:
            return None, None
        near, far = self.places[rng.integers(len(self.places))]
        return self.rooms.read(self.rooms.clips[near]), self.rooms.read(self.rooms.clips[far])


def _near_and_far(rooms: Clips) -> list[tuple[int, int]]:
    """Numbers of the responses of a near and a far source in one room, where the names end so; else any two."""
    by_path = {clip.path: i for i, clip in enumerate(rooms.clips)}
    pairs = [
        (i, by_path[path.replace("_near.", "_far.")])
        for path, i in by_path.items()
        if "_near." in path and path.replace("_near.", "_far.") in by_path
    ]
    count = len(rooms.clips)
    return pairs or [(i, (i + 1) % count) for i in range(count)]
