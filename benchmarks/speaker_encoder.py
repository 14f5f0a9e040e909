"""Equal error rates, size and speed of a speaker encoder, beside its teacher's.

    PSE_DATA=... python benchmarks/speaker_encoder.py [ENCODER.onnx] [--install --commit COMMIT]

Trials are all pairs of segments of different recordings within a source of the split `valid`, whose speakers were not
trained on; a source with one recording a speaker has no trial of one voice, and is left out. The noisy side has
filters, rooms, and noise at 0 to 15 dB. Needs the [teacher] extra. `--install` puts the encoder and its card
into the package.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from model_card import DATA
from pse_sdk.runtimes.bundled import card_path, checksum, speaker_encoder_path
from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime
from rich.console import Console
from rich.table import Table

from pse_sdk.training.data import SAMPLE_RATE, Clip, data_folder, load_clips
from pse_sdk.training.speaker.damage import Damage, DamageRecipe
from pse_sdk.training.speaker.segments import cut, voice
from pse_sdk.training.speaker.teacher import teacher_embeddings
from pse_sdk.training.speaker.verification import equal_error_rate

# System, source, condition: percent.
Rates = dict[str, dict[str, dict[str, float]]]

CONDITIONS = {
    "clean, clean": ("clean", "clean"),
    "noisy, clean": ("noisy", "clean"),
    "noisy, noisy": ("noisy", "noisy"),
}


def main(
    encoder: Annotated[Path | None, typer.Argument(help="The one that came with the package if none.")] = None,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    install: Annotated[bool, typer.Option(help="Copy the encoder into the package and write its card.")] = False,
    commit: Annotated[str, typer.Option(help="Of the code that trained it, for the card.")] = "",
) -> None:
    """Print the table."""
    path = encoder or speaker_encoder_path()
    runtime = SpeakerEncoderRuntime(path)
    speech, noise, rooms = (load_clips(data_folder(data), kind, "valid") for kind in ("speech", "noise", "rir"))
    segments = cut(speech, (1.0,))
    damage = Damage(noise, rooms, DamageRecipe(noise=1.0, snr_db=(0.0, 15.0)))
    clean = [segment.read(speech) for segment in segments]
    noisy = [damage.apply(np.random.default_rng(i), x) for i, x in enumerate(clean)]
    started = time.perf_counter()
    ours = {"clean": np.stack([runtime.embed(x) for x in clean])}
    cost_ms = 1e3 * (time.perf_counter() - started) / sum(len(x) / SAMPLE_RATE for x in clean)
    ours["noisy"] = np.stack([runtime.embed(x) for x in noisy])
    theirs = {name: teacher_embeddings(side, len(side)) for name, side in (("clean", clean), ("noisy", noisy))}
    voices = [voice(speech, segment, ()) for segment in segments]
    recordings = [segment.clip for segment in segments]
    # Where nobody is named, or each has one recording only, no pair is of one voice.
    several = [source for source, clips in speech.by_source.items() if _pairs(clips)]
    rates = {
        system: {
            source: {name: _rate(sides[a], sides[b], voices, recordings, source) for name, (a, b) in CONDITIONS.items()}
            for source in several
        }
        for system, sides in (("ours", ours), ("teacher", theirs))
    }
    _print(rates)
    print(f"{path.stat().st_size / 1e6:.2f} MB, {cost_ms:.1f} ms per second of audio on one thread")
    if install:
        _install(path, runtime, rates, cost_ms, commit)


def _pairs(clips: Sequence[Clip]) -> bool:
    named = [clip.speaker for clip in clips if clip.speaker]
    return 1 < len(set(named)) < len(named)


def _rate(
    first: np.ndarray,
    second: np.ndarray,
    voices: Sequence[tuple[str, str, float]],
    recordings: Sequence[int],
    source: str,
) -> float:
    """Equal error rate in percent over all pairs of segments of different recordings of a source."""
    chosen = [i for i, v in enumerate(voices) if v[0] == source]
    same = np.array([[voices[i] == voices[j] for j in chosen] for i in chosen])
    different = np.array([[recordings[i] != recordings[j] for j in chosen] for i in chosen])
    return 100 * equal_error_rate((first[chosen] @ second[chosen].T)[different], same[different])


def _print(rates: Rates) -> None:
    table = Table("equal error rate, %", "source", *CONDITIONS)
    for system, sources in rates.items():
        for source, row in sources.items():
            table.add_row(system, source, *(f"{rate:.1f}" for rate in row.values()))
    Console(width=110).print(table)


def _install(
    path: Path,
    runtime: SpeakerEncoderRuntime,
    rates: dict[str, dict[str, dict[str, float]]],
    cost_ms: float,
    commit: str,
) -> None:
    description = runtime.description
    card = {
        "name": description.name,
        "identity": description.identity,
        "sha256": checksum(path),
        "licence": "Apache-2.0",
        "precision": description.precision,
        "dim": description.dim,
        "teacher": "Resemblyzer 0.1.4 (Apache-2.0): its LSTM and linear layer are what training started from",
        "data": DATA,
        "recipe": dict(description.training).get("recipe"),
        "commit": commit,
        "equal_error_rate_percent": rates,
        "ms_per_second_of_audio": cost_ms,
        "intended_use": "telling apart voices that their owners enrol, on their own device",
        "limits": "Trained on English, half of it accented and half of that children; not a means of authentication.",
    }
    target = speaker_encoder_path()
    if path.resolve() != target.resolve():
        shutil.copyfile(path, target)
    card_path(target).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target} and its card")


if __name__ == "__main__":
    command.run(main)
