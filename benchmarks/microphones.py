"""What microphones and telephones do to a recording, and what is then still gained.

    pse export small small.safetensors
    PSE_DATA=... python benchmarks/microphones.py small.safetensors [MORE.safetensors ...] [--items 50]

The mixtures of `pse evaluate` (dry, 5 s, -5 to 15 dB, at -25 dBFS) in full precision, as they are and then

- cut off below some frequency, speech and noise alike, as small microphones and telephones do (Butterworth filters;
  "sharp" is a band-pass of order 20);
- with what a bad connection adds: an offset, rumble, hum. The gain is then over the mixture without it;
- with a step in level of 30 dB in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import scipy.signal
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pse_sdk.evaluation.items import Samples
from pse_sdk.evaluation.metrics.waveform import si_sdr
from pse_sdk.evaluation.mixtures import MixtureList
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.training.augment import high_pass, low_pass
from pse_sdk.training.data import SAMPLE_RATE, data_folder

Change = Callable[[Samples], Samples]
TELEPHONE_HZ = (300, 3400)
STEP_DB = 30


def _added(x: Samples, hz: float, peak: float) -> Samples:
    return x + np.float32(peak) * np.sin(2 * np.pi * hz * np.arange(len(x)) / SAMPLE_RATE, dtype=np.float32)


def _telephone(x: Samples) -> Samples:
    return low_pass(high_pass(x, TELEPHONE_HZ[0], 4), TELEPHONE_HZ[1])


def _sharp(x: Samples) -> Samples:
    sos = scipy.signal.butter(20, TELEPHONE_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    return scipy.signal.sosfilt(sos, x).astype(np.float32)


def _step(x: Samples) -> Samples:
    gain = np.full(len(x), 10 ** (STEP_DB / 40), np.float32)
    gain[: len(x) // 2] = 10 ** (-STEP_DB / 40)
    return x * gain


# What happens to mixture and target alike, and what to the mixture alone.
BOTH: dict[str, Change] = {
    "as they are": lambda x: x,
    "above 100 Hz, 12 dB/octave": lambda x: high_pass(x, 100, 2),
    "above 200 Hz, 12 dB/octave": lambda x: high_pass(x, 200, 2),
    "above 300 Hz, 24 dB/octave": lambda x: high_pass(x, 300, 4),
    "below 3.4 kHz": lambda x: low_pass(x, 3400),
    "telephone, 24 dB/octave below 300 Hz": _telephone,
    "telephone, sharp": _sharp,
    "30 dB louder from the middle on": _step,
}
ADDED: dict[str, Change] = {
    "an offset of 0.01": lambda x: x + np.float32(0.01),
    "an offset of 0.05": lambda x: x + np.float32(0.05),
    "rumble of 15 Hz, as loud as the mixture": lambda x: _added(x, 15, 0.08),
    "hum of 50 Hz, 6 dB below the mixture": lambda x: _added(x, 50, 0.04),
}


def main(
    weights: Annotated[list[Path], typer.Argument(help="model.safetensors of runs, or `pse export NAME`'s.")],
    items: Annotated[int, typer.Option(help="Mixtures.")] = 50,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table."""
    stacks = [load_stack(path)[0] for path in weights]
    recordings = MixtureList(data_folder(data), items)
    names = [*BOTH, *ADDED]
    before = np.zeros((len(names), items))
    gains = np.zeros((len(names), len(stacks), 2, items))
    for n in track(range(items), "mixtures"):
        item = recordings.load(n)
        changed = [(change(item.noisy), change(item.noisy), change(item.target)) for change in BOTH.values()]
        changed += [(change(item.noisy), item.noisy, item.target) for change in ADDED.values()]
        before[:, n] = [si_sdr(plain, target) for _, plain, target in changed]
        heard = torch.from_numpy(np.stack([x for x, _, _ in changed]))
        for j, stack in enumerate(stacks):
            with torch.inference_mode():
                outputs = stack.forward_depths(heard, (1, stack.config.blocks))
            for d, output in enumerate(outputs):
                after = [si_sdr(y, target) for y, (_, _, target) in zip(output.numpy(), changed, strict=True)]
                gains[:, j, d, n] = np.array(after) - before[:, n]
    columns = [f"{path.parent.name}/{path.stem}" for path in weights]
    table = Table("recordings", "noisy, dB", *(f"{name}: gain at depth 1 / deepest" for name in columns))
    for name, noisy, row in zip(names, before.mean(1), gains.mean(3), strict=True):
        table.add_row(name, f"{noisy:.1f}", *(f"{shallow:.2f} / {deep:.2f}" for shallow, deep in row))
    Console().print(table)


if __name__ == "__main__":
    command.run(main)
