"""How much is gained where recordings are quieter or louder than usual: by the model alone, and in an `Enhancer`.

    pse export small small.safetensors
    PSE_DATA=... python benchmarks/levels.py small.safetensors [--model small] [--items 50]

The mixtures of `pse evaluate` (dry, 5 s, -5 to 15 dB), scaled to other levels than their -25 dBFS and cut off at full
scale; the gain is over what was cut off. An `Enhancer` of a file of the same weights lifts what is quiet and lowers
what is loud (`pse_sdk.level`); from a warm start it does so from the first sample on. The last two rows have an offset,
which the `Enhancer` takes away (`pse_sdk.offset`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import command
import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.evaluation.items import Samples
from pse_sdk.evaluation.metrics.waveform import si_sdr
from pse_sdk.evaluation.mixtures import LEVEL_DBFS, MixtureList
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.training.data import data_folder

LEVELS_DBFS = (-65, -55, -45, -35, -25, -15, -5)
# Of full scale: what a cheap sound card adds to a microphone however quiet it is.
OFFSET = np.float32(0.01)


def main(
    weights: Annotated[Path, typer.Argument(help="model.safetensors of a training run, or `pse export NAME`'s.")],
    model: Annotated[str, typer.Option(help="Bundled model, or file, for the Enhancer.")] = "small",
    items: Annotated[int, typer.Option(help="Mixtures.")] = 50,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table."""
    stack = load_stack(weights)[0]
    depths = (1, stack.config.blocks)
    enhancers = [sdk.Enhancer(f"fixed-{depth}", model=model) for depth in depths]

    def alone(noisy: Samples) -> list[Samples]:
        with torch.inference_mode():
            return [y[0].numpy() for y in stack.forward_depths(torch.from_numpy(noisy)[None], depths)]

    systems = {
        "model alone": alone,
        "Enhancer": lambda noisy: [e.enhance(noisy) for e in enhancers],
        "warm start": lambda noisy: [e.enhance(noisy, warm_start=True) for e in enhancers],
        "model alone, offset": lambda noisy: alone(noisy + OFFSET),
        "Enhancer, offset": lambda noisy: [e.enhance(noisy + OFFSET) for e in enhancers],
    }
    gains = np.zeros((len(systems), len(LEVELS_DBFS), len(depths), items))
    recordings = MixtureList(data_folder(data), items)
    for n in track(range(items), "mixtures"):
        item = recordings.load(n)
        for k, level in enumerate(LEVELS_DBFS):
            noisy = np.clip(item.noisy * np.float32(10 ** ((level - LEVEL_DBFS) / 20)), -1, 1)
            before = si_sdr(noisy, item.target)
            for j, enhance in enumerate(systems.values()):
                gains[j, k, :, n] = [si_sdr(y, item.target) - before for y in enhance(noisy)]
    table = Table(f"SI-SDR gain, dB, depth {depths[0]} / {depths[1]}", *(f"{level} dBFS" for level in LEVELS_DBFS))
    for name, rows in zip(systems, gains.mean(3), strict=True):
        table.add_row(name, *(f"{shallow:.2f} / {deep:.2f}" for shallow, deep in rows))
    Console().print(table)


if __name__ == "__main__":
    command.run(main)
