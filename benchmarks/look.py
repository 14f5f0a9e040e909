"""Ten mixtures as spectrograms: before, the least and the greatest depth, and the clean speech that was wanted.

    PSE_DATA=... python benchmarks/look.py [--model small] -o FOLDER

The mixtures are held-out speakers and noises at -5 to 15 dB, every other one in a room. docs/model-search.md says what
is wrong in them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import command
import typer

import pse_sdk as sdk
from pse_sdk.cli.spectrogram import draw
from pse_sdk.training.data import SAMPLE_RATE, data_folder
from pse_sdk.training.train import VALID, mixtures

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0)
SEED = 31


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures.")],
    model: Annotated[str | None, typer.Option(help="Name or file; the default model if not given.")] = None,
    items: Annotated[int, typer.Option()] = 10,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Draw one picture per mixture."""
    output.mkdir(parents=True, exist_ok=True)
    enhancer = sdk.Enhancer("quality", model=model)
    for n in range(items):
        snr, room = SNRS_DB[n // 2 % len(SNRS_DB)], float(n % 2)
        recipe = dataclasses.replace(VALID, snr_db=(snr, snr), room=room)
        mixture = mixtures(data_folder(data), "valid", recipe, 1, SEED + n)[0]
        shown = {"before": mixture.noisy}
        for depth in (1, enhancer.max_depth):
            enhancer.set_depth(depth)
            shown[f"depth {depth}"] = enhancer.enhance(mixture.noisy, SAMPLE_RATE)
        shown["wanted"] = mixture.target
        title = f"{n + 1}: {snr:.0f} dB, {'in a room' if room else 'dry'}"
        draw(shown, SAMPLE_RATE, output / f"{n + 1:02}.png", title)
    print(f"wrote {items} pictures to {output}")


if __name__ == "__main__":
    command.run(main)
