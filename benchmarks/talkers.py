"""Two talkers with nobody enrolled, so that both are wanted: what is gained, and how much of the weaker voice is left.

    pse export small small.safetensors
    PSE_DATA=... python benchmarks/talkers.py small.safetensors [MORE.safetensors ...] [--items 40]

Two held-out speakers in one noise, the first one as loud as the second or louder: one behind the other, 2.5 s each, or
both at once for 5 s. SNR is the second one's where they take turns, and both voices' where they talk at once. Full
precision, the whole at -25 dBFS. Gain is SI-SDR's, over the second one's turn, or over all. "Left" is the second
voice's part in the output, in dB of what it was: 0 if it is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import command
import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pse_sdk.evaluation.items import Item, Samples
from pse_sdk.evaluation.metrics.waveform import si_sdr
from pse_sdk.evaluation.mixtures import LEVEL_DBFS, MixtureList
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.training.augment import gain_for_snr, gain_to_level
from pse_sdk.training.data import data_folder

# Whether they take turns, how much louder the first one is, and the SNR.
CASES = [(True, louder, snr) for snr in (5, 15) for louder in (0, 10, 20)]
CASES += [(False, louder, snr) for snr in (10, 40) for louder in (0, 6, 12)]
# Less is no voice, or no noise: a pause fills its time.
SILENT = 1e-4


class Scene(NamedTuple):
    """[samples] each; ``scored`` is where the second one is to be heard."""

    noisy: Samples
    first: Samples
    second: Samples
    scored: slice

    def scores(self, output: Samples) -> tuple[float, float]:
        """SI-SDR gain in dB, and what is left of the second voice."""
        noisy, first, second, heard = (x[self.scored] for x in (*self[:3], output))
        parts = np.linalg.lstsq(np.stack([first, second], 1), heard, rcond=None)[0]
        target = first + second
        return si_sdr(heard, target) - si_sdr(noisy, target), 20 * np.log10(abs(float(parts[1])) + 1e-4)


def main(
    weights: Annotated[list[Path], typer.Argument(help="model.safetensors of runs, or `pse export NAME`'s.")],
    items: Annotated[int, typer.Option(help="Pairs of talkers.")] = 40,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table."""
    stacks = [load_stack(path)[0] for path in weights]
    recordings = MixtureList(data_folder(data), 2 * items)
    scores: list[Samples] = []  # of an item: [cases, stacks, depths, (gain, left)]
    for n in track(range(items), "talkers"):
        first, second = recordings.load(2 * n), recordings.load(2 * n + 1)
        if _silent(first, second):
            continue
        scenes = [_scene(first, second, *case) for case in CASES]
        heard = torch.from_numpy(np.stack([scene.noisy for scene in scenes]))
        item = np.zeros((len(CASES), len(stacks), 2, 2))
        for j, stack in enumerate(stacks):
            with torch.inference_mode():
                outputs = stack.forward_depths(heard, (1, stack.config.blocks))
            for d, output in enumerate(outputs):
                item[:, j, d] = [scene.scores(y) for scene, y in zip(scenes, output.numpy(), strict=True)]
        scores.append(item)
    columns = [f"{path.parent.name}/{path.stem}: {what}, dB" for path in weights for what in ("gain", "left")]
    table = Table("they talk", "first louder by", "SNR", *columns, title=f"{len(scores)} pairs, depth 1 / deepest")
    for (turns, louder, snr), row in zip(CASES, np.mean(scores, 0), strict=True):
        figures = [f"{shallow[i]:.2f} / {deep[i]:.2f}" for shallow, deep in row for i in (0, 1)]
        table.add_row("in turn" if turns else "at once", f"{louder} dB", f"{snr} dB", *figures)
    Console().print(table)


def _silent(first: Item, second: Item) -> bool:
    assert first.target is not None
    assert second.target is not None
    half = len(first.noisy) // 2
    parts = (first.target[:half], second.target[half:], (first.noisy - first.target)[half:])
    return min(float(np.std(x)) for x in parts) < SILENT


def _scene(first: Item, second: Item, turns: bool, louder_db: float, snr_db: float) -> Scene:
    assert first.target is not None
    assert second.target is not None
    a, b, noise = first.target.copy(), second.target.copy(), first.noisy - first.target
    scored = slice(len(a) // 2 if turns else 0, None)
    if turns:
        a[scored] = 0
        b[: scored.start] = 0
    a *= gain_for_snr(b, a, -louder_db)
    reference = b[scored] if turns else a + b
    noise = noise * gain_for_snr(reference, noise[scored], snr_db)
    gain = np.float32(gain_to_level(a + b + noise, LEVEL_DBFS))
    return Scene(gain * (a + b + noise), gain * a, gain * b, scored)


if __name__ == "__main__":
    command.run(main)
