"""What an enrolled voice gains and loses: two talkers, the E3Net paper's TS1-TS3, absent targets, long recordings.

    PSE_DATA=... python benchmarks/personal.py [--model MODEL.onnx] [--items 20] [--output docs/personal.json]

Speakers, noises and rooms of the split `valid`, fixed by a seed; every voice is enrolled with 5 s of its other
utterances, or of its only recording's other part, through `Enhancer.enroll`. Needs the [train] and [eval] extras.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.errors import UsageError
from pse_sdk.evaluation.bootstrap import Estimate, Values, estimate
from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.evaluation.metrics.perceptual import dns_mos, pesq_wb
from pse_sdk.evaluation.metrics.recognition import SentenceRecogniser, normalise, word_errors
from pse_sdk.evaluation.metrics.suppression import interferer_suppression_db, over_suppression
from pse_sdk.training.augment import gain_for_snr, gain_to_level, in_room
from pse_sdk.training.data import SAMPLE_RATE, Clip, data_folder, load_clips
from pse_sdk.workers import worker_pool

Samples = np.ndarray
Scores = dict[str, float]
Estimates = dict[str, Estimate]

SEED = 2026
ENROLMENT_S = 5.0
SIGNALS = ("noisy", "heard", "target", "others")
SCENARIOS = ("TS1", "TS2", "TS3")
LONG_S, PART_S = 60, 5
# What is counted, of what, and how it is told: in percent, and in seconds of half an hour of recording.
RATES = {
    "wer": ("errors", "words", 100.0),
    "tsos_percent": ("suppressed", "active", 100.0),
    "tsos_seconds": ("suppressed", "frames", 1800.0),
}
COUNTS = {name for part, whole, _ in RATES.values() for name in (part, whole)}


@dataclass(frozen=True)
class Item:
    """One recording: all that reaches the microphone, and its parts.

    ``heard`` is the target as the microphone would hear it alone, ``target`` its early part; ``enrolment`` and
    ``other_enrolment`` are 5 s each of the target and the other talker.
    """

    noisy: Samples
    heard: Samples
    target: Samples
    others: Samples
    enrolment: Samples
    other_enrolment: Samples
    sentence: str = ""


class Recordings:
    """Draws `Item`s from the split `valid`."""

    def __init__(self, folder: Path) -> None:
        self.speech, self.noise, self.rooms = (load_clips(folder, kind, "valid") for kind in ("speech", "noise", "rir"))
        rows = (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
        self.sentences = dict(row.split("\t", 1) for row in rows if "\t" in row)
        long_enough = {
            voice: clips
            for voice, clips in self.speech.by_speaker.items()
            if sum(c.length for c in clips) >= (ENROLMENT_S + 4) * SAMPLE_RATE
        }
        self.voices = sorted(long_enough)
        # Whole sentences of at least four words, for the word error rate.
        self.spoken = [
            clip
            for voice in self.voices
            for clip in long_enough[voice]
            if len(self.sentences.get(clip.path, "").split()) >= 4
        ]

    def two_talkers(self, number: int) -> Item:
        """5 s, dry, two voices at 0 dB, no noise."""
        rng = np.random.default_rng([SEED, 1, number])
        first, second = (self.voices[i] for i in rng.permutation(len(self.voices))[:2])
        (target, enrolment), (others, other) = (self._voice(rng, voice, 5 * SAMPLE_RATE) for voice in (first, second))
        others = others * gain_for_snr(target, others, 0.0)
        return _levelled(Item(target + others, target, target, others, enrolment, other))

    def scenario(self, name: str, number: int) -> Item:
        """One sentence in scenario TS1, TS2 or TS3; a number has the same sentence, voice and room in all three."""
        rng = np.random.default_rng([SEED, 2, number])
        clip = self._distinct_sentence(number)
        pause = np.zeros(int(0.4 * SAMPLE_RATE), np.float32)
        dry = np.concatenate([pause, self.speech.read(clip), pause])
        enrolment = self._enrolment(rng, clip)
        return self._place(rng, name, dry, (clip.source, clip.speaker), enrolment, self.sentences[clip.path])

    def absent(self, number: int) -> Item:
        """5 s in which only another talker and noise are heard."""
        item = self.scenario("TS1", number)
        silence = np.zeros_like(item.heard)
        return replace(item, noisy=item.noisy - item.heard, heard=silence, target=silence)

    def long(self, number: int) -> Item:
        """A minute in which the scenario changes every 5 s."""
        rng = np.random.default_rng([SEED, 3, number])
        voice = self.voices[rng.integers(len(self.voices))]
        # Drawn once: a part must not hold what another part's draw would enrol.
        spoken, enrolment = self._voice(rng, voice, LONG_S * SAMPLE_RATE)
        parts = []
        for dry in np.split(spoken, LONG_S // PART_S):
            scenario = ("TS1", "TS1", "TS2", "TS3", "absent")[rng.integers(5)]
            part = self._place(rng, scenario.replace("absent", "TS1"), dry, voice, enrolment, "")
            if scenario == "absent":
                part = replace(part, noisy=part.noisy - part.heard, heard=0 * part.heard, target=0 * part.target)
            parts.append(part)
        joined = {
            key: np.concatenate([getattr(p, key) for p in parts]) for key in ("noisy", "heard", "target", "others")
        }
        return replace(parts[0], **joined)

    def _place(
        self,
        rng: np.random.Generator,
        scenario: str,
        dry: Samples,
        voice: tuple[str, str],
        enrolment: Samples,
        said: str,
    ) -> Item:
        """The voice near, another far, in half of the cases in a room; noise at 0 to 15 dB, the other at -5 to 10."""
        other = voice
        while other == voice:
            other = self.voices[rng.integers(len(self.voices))]
        others, other_enrolment = self._voice(rng, other, len(dry))
        noise = self._noise(rng, len(dry))
        room, in_a_room = rng.integers(len(self.rooms.clips) // 2), rng.random() < 0.5
        sir, snr = rng.uniform(-5, 10), rng.uniform(0, 15)
        heard = target = dry
        if in_a_room:
            far, near = (self.rooms.read(self.rooms.clips[2 * room + i]) for i in (0, 1))
            heard, target = in_room(dry, near)
            others = in_room(others, far)[0]
        others = others * gain_for_snr(heard, others, sir) * (scenario == "TS1")
        noise = noise * gain_for_snr(heard, noise, snr) * (scenario != "TS3")
        return _levelled(Item(heard + others + noise, heard, target, others, enrolment, other_enrolment, said))

    def _voice(self, rng: np.random.Generator, voice: tuple[str, str], length: int) -> tuple[Samples, Samples]:
        """``length`` samples of a voice, and 5 s of enrolment from elsewhere in its recordings."""
        clips = self.speech.by_speaker[voice]
        order = [clips[i] for i in rng.permutation(len(clips))]
        everything = np.concatenate([_without_pauses(self.speech.read(clip)) for clip in order])
        enrolment = everything[: int(ENROLMENT_S * SAMPLE_RATE)]
        rest = everything[len(enrolment) :]
        return np.tile(rest, -(-length // len(rest)))[:length], enrolment

    def _enrolment(self, rng: np.random.Generator, spoken: Clip) -> Samples:
        clips = [c for c in self.speech.by_speaker[spoken.source, spoken.speaker] if c != spoken]
        pieces = [_without_pauses(self.speech.read(clips[i])) for i in rng.permutation(len(clips))]
        return np.concatenate(pieces)[: int(ENROLMENT_S * SAMPLE_RATE)]

    def _noise(self, rng: np.random.Generator, length: int) -> Samples:
        clip = self.noise.clips[rng.integers(len(self.noise.clips))]
        noise = self.noise.read(clip)
        return np.tile(noise, -(-length // len(noise)))[:length]

    def _distinct_sentence(self, number: int) -> Clip:
        """Clip ``number`` of a fixed order in which no sentence occurs twice."""
        seen: dict[str, Clip] = {}
        for i in np.random.default_rng(SEED).permutation(len(self.spoken)):
            seen.setdefault(normalise(self.sentences[self.spoken[i].path]), self.spoken[i])
        if number >= len(seen):
            raise UsageError(f"the voices say {len(seen)} different sentences: give --items {len(seen)} or fewer")
        return list(seen.values())[number]


def _without_pauses(x: Samples) -> Samples:
    """Frames within 35 dB of the loudest, and 0.1 s around them: 5 s are then 5 s of speech."""
    frames = x[: len(x) // 160 * 160].reshape(-1, 160)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    near = np.convolve(level > level.max() - 35, np.ones(21), "same") > 0
    return frames[near].ravel()


def _levelled(item: Item) -> Item:
    gain = np.float32(gain_to_level(item.noisy, -25.0))
    parts = {key: (gain * getattr(item, key)).astype(np.float32) for key in SIGNALS}
    return replace(item, **parts)


class Scorer:
    """Lives in a worker process: an Enhancer, the recordings and the recogniser."""

    def __init__(self, model: str, folder: Path, items: int) -> None:
        self.enhancer = sdk.Enhancer(model=model)
        self.recordings = Recordings(folder)
        sentences = [self.recordings.scenario("TS3", i).sentence for i in range(items)]
        self.recogniser = SentenceRecogniser(sentences)

    def outputs(self, item: Item) -> list[Samples]:
        """The noisy recording, and depth 1..L of it."""
        outputs = [item.noisy]
        for depth in range(1, self.enhancer.max_depth + 1):
            self.enhancer.set_depth(depth)
            outputs.append(self.enhancer.enhance(item.noisy))
        return outputs

    def two_talkers(self, number: int) -> list[Scores]:
        item = self.recordings.two_talkers(number)
        rows: list[Scores] = [{} for _ in range(self.enhancer.max_depth + 1)]
        for who, enrolment in (("A", item.enrolment), ("B", item.other_enrolment)):
            self.enhancer.enroll(enrolment, SAMPLE_RATE)
            for row, output in zip(rows, self.outputs(item), strict=True):
                for whom, voice in (("A", item.target), ("B", item.others)):
                    row[f"{who}{whom}"] = si_sdr(output, voice) - si_sdr(item.noisy, voice)
        return rows

    def changing(self, number: int) -> list[Scores]:
        """Gain for the enrolled voice while the depth changes at random ten times a second."""
        item = self.recordings.two_talkers(number)
        self.enhancer.enroll(item.enrolment, SAMPLE_RATE)
        before = si_sdr(item.noisy, item.target)
        fixed = [si_sdr(output, item.target) - before for output in self.outputs(item)[1:]]
        rng = np.random.default_rng([SEED, 4, number])
        self.enhancer.reset()
        done = []
        for block in np.array_split(item.noisy, len(item.noisy) * 10 // SAMPLE_RATE):
            self.enhancer.set_depth(int(rng.integers(1, self.enhancer.max_depth + 1)))
            done.append(self.enhancer.process(block))
        output = np.concatenate([*done, self.enhancer.flush()])[self.enhancer.latency :]
        return [{"gain": si_sdr(output, item.target) - before, "mean of the fixed depths": float(np.mean(fixed))}]

    def scenario(self, task: tuple[str, int]) -> list[Scores]:
        item = self.recordings.scenario(*task)
        self.enhancer.enroll(item.enrolment, SAMPLE_RATE)
        said = normalise(item.sentence).split()
        clean = np.array_equal(item.noisy, item.target)  # a dry TS3: nothing to gain over
        rows = []
        for output in self.outputs(item):
            cut = over_suppression(output, item.target)
            heard = self.recogniser.recognise(output).split()
            rows.append({
                "si_sdr": np.nan if clean else si_sdr(output, item.target),
                "pesq": pesq_wb(output, item.target),
                "dnsmos": dns_mos(output)["ovrl"],
                "words": len(said),
                "errors": word_errors(heard, said),
                "frames": cut.frames, "active": cut.active, "suppressed": cut.suppressed,
            })  # fmt: skip
        return rows

    def absent(self, number: int) -> list[Scores]:
        item = self.recordings.absent(number)
        self.enhancer.enroll(item.enrolment, SAMPLE_RATE)
        energy = float(np.mean(item.noisy**2))
        return [{"attenuation": 10 * np.log10(energy / (float(np.mean(y**2)) + 1e-12))} for y in self.outputs(item)]

    def long(self, number: int) -> list[Scores]:
        item = self.recordings.long(number)
        self.enhancer.enroll(item.enrolment, SAMPLE_RATE)
        rows = []
        for output in self.outputs(item):
            cut = over_suppression(output, item.target)
            rows.append({
                "frames": cut.frames, "active": cut.active, "suppressed": cut.suppressed,
                "suppression": interferer_suppression_db(item.noisy, output, item.heard, item.others),
                "si_sdr": si_sdr(output, item.target),
            })  # fmt: skip
        return rows


_scorer: Scorer | None = None


def _start(model: str, folder: Path, items: int) -> None:
    global _scorer
    _scorer = Scorer(model, folder, items)


def _score(method: str, task: object) -> list[Scores]:
    rows: list[Scores] = getattr(_scorer, method)(task)
    return rows


def main(
    model: Annotated[str, typer.Option(help="Name or .onnx file.")] = "small",
    items: Annotated[int, typer.Option(help="Recordings of each kind.")] = 20,
    long_items: Annotated[int, typer.Option("--long", help="Recordings of a minute.")] = 10,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    processes: Annotated[int, typer.Option()] = 2,
    output: Annotated[Path | None, typer.Option(help="Also write the scores as JSON.")] = None,
) -> None:
    """Print the tables."""
    folder = data_folder(data)
    tasks: dict[str, tuple[str, list[object]]] = {
        "two talkers": ("two_talkers", list(range(items))),
        "two talkers, depth changing": ("changing", list(range(items))),
        **{name: ("scenario", [(name, i) for i in range(items)]) for name in SCENARIOS},
        "absent": ("absent", list(range(items))),
        "long": ("long", list(range(long_items))),
    }
    results: dict[str, list[Estimates]] = {}
    with worker_pool(processes, _start, (model, folder, items)) as pool:
        for name, (method, numbers) in tasks.items():
            scored = list(track(pool.map(partial(_score, method), numbers), name, total=len(numbers)))
            results[name] = [_summary([item[depth] for item in scored]) for depth in range(len(scored[0]))]
    results["clean"] = [_clean_word_error_rate(folder, items)]
    _print(results)
    if output:
        rounded = {
            name: [
                {key: [None if np.isnan(v) else round(v, 3) for v in x[:3]] for key, x in row.items()} for row in rows
            ]
            for name, rows in results.items()
        }
        report = {"items": items, "long_items": long_items, "seed": SEED, "results": rounded}
        output.write_text(json.dumps(report, indent=1) + "\n")


def _summary(rows: list[Scores]) -> Estimates:
    """Means with their intervals over recordings; of counts the rates that they make."""
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    values = {key: Values(x, np.ones(len(x))) for key, x in columns.items() if key not in COUNTS}
    for name, (part, whole, scale) in RATES.items():
        if whole in columns:
            values[name] = Values(scale * columns[part] / np.maximum(columns[whole], 1), columns[whole])
    return {name: estimate(x) for name, x in values.items()}


def _clean_word_error_rate(folder: Path, items: int) -> Estimates:
    """Of the dry sentences, without anything added: what the recogniser itself gets wrong."""
    recordings = Recordings(folder)
    pairs = [recordings.scenario("TS3", i) for i in range(items)]
    recogniser = SentenceRecogniser([item.sentence for item in pairs])
    said = [normalise(item.sentence).split() for item in pairs]
    clips = [recordings._distinct_sentence(i) for i in range(items)]
    heard = [recogniser.recognise(np.pad(recordings.speech.read(clip), 6400)).split() for clip in clips]
    return _summary([{"errors": word_errors(h, s), "words": len(s)} for h, s in zip(heard, said, strict=True)])


def _print(results: dict[str, list[Estimates]]) -> None:
    console = Console(width=160)
    for name, rows in results.items():
        table = Table("depth", *rows[0], title=name, title_justify="left")
        for depth, row in enumerate(rows):
            name_of_row = str(depth) if depth else "noisy" if len(rows) > 1 else "any"
            table.add_row(name_of_row, *(f"{x.mean:.2f} ({x.low:.2f} to {x.high:.2f})" for x in row.values()))
        console.print(table)


if __name__ == "__main__":
    command.run(main)
