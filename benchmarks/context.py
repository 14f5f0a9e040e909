"""What a model gains from the seconds that it has heard before: recordings of 10 s, scored 2.5 s at a time.

    PSE_DATA=... python benchmarks/context.py model.safetensors [--items 64] [--reverberant]

Mixtures of held-out speakers and noises at -5 to 15 dB, dry or in rooms. The last 2.5 s are also enhanced on their own:
what they gain less by that is what the model knew of them. And the first 2.5 s after some of the recording was heard
once, as in a warm start (`pse_sdk/recording.py`), forwards or backwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import command
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from pse_sdk.models.checkpoint import load_stack
from pse_sdk.models.stack import BloomStack
from pse_sdk.recording import JOINT_S
from pse_sdk.training.data import SAMPLE_RATE, data_folder
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.remix import Batch
from pse_sdk.training.train import VALID, mixtures

PARTS, PART_S = 4, 2.5
HEARD_S = (1.0, 2.5, 5.0, 10.0)  # before the beginning
SEED = 7


@torch.inference_mode()
def main(
    weights: Annotated[Path, typer.Argument(help="model.safetensors of a training run, or `pse export NAME`'s.")],
    items: Annotated[int, typer.Option(help="Mixtures.")] = 64,
    reverberant: Annotated[bool, typer.Option("--reverberant", help="Speakers and noises in rooms.")] = False,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table."""
    stack = load_stack(weights)[0]
    depths = (1, stack.config.blocks)
    recipe = dataclasses.replace(VALID, seconds=PARTS * PART_S, snr_db=(-5.0, 15.0), clean=0, silent=0)
    recipe = dataclasses.replace(recipe, room=1.0) if reverberant else recipe
    loader = DataLoader(mixtures(data_folder(data), "valid", recipe, items, SEED), 8)
    length = int(PART_S * SAMPLE_RATE)
    gains, warm = [], []
    for batch in track(loader, "mixtures"):
        alone = stack.forward_depths(batch.noisy[:, -length:], depths)
        whole = stack.forward_depths(batch.noisy, depths)
        gains.append(torch.stack([
            torch.stack([*(_gain(batch, y, length, k) for k in range(PARTS)), _gain(batch, last, length, PARTS - 1)])
            for y, last in zip(whole, (F.pad(y, ((PARTS - 1) * length, 0)) for y in alone), strict=True)
        ]))  # fmt: skip
        before = [_heard_before(batch.noisy, int(s * SAMPLE_RATE)) for s in HEARD_S]
        before.append(batch.noisy[:, : 2 * length].flip(1))
        warm.append(torch.stack([_warm_gains(stack, batch, depths, length, heard) for heard in before], 1))
    table = Table("SI-SDR gain, dB", *(f"depth {depth}" for depth in depths))
    names = [*(f"{PART_S * k:g} to {PART_S * (k + 1):g} s" for k in range(PARTS)), "the last, on its own"]
    names += [*(f"the first, {heard:g} s heard before" for heard in HEARD_S), "the first, 5 s heard backwards"]
    means = torch.cat([torch.cat(gains, 2), torch.cat(warm, 2)], 1).mean(2).t().tolist()
    for name, row in zip(names, means, strict=True):
        table.add_row(name, *(f"{gain:.2f}" for gain in row))
    Console().print(table)


def _heard_before(noisy: Tensor, heard: int) -> Tensor:
    """The first ``heard`` samples, and then backwards to where the recording begins."""
    return torch.cat([noisy[:, :heard], noisy[:, : int(JOINT_S * SAMPLE_RATE)].flip(1)], 1)


def _warm_gains(stack: BloomStack, batch: Batch, depths: Sequence[int], length: int, before: Tensor) -> Tensor:
    """Gain over the first part where ``before`` was heard before it, [depths, batch]."""
    outputs = stack.forward_depths(torch.cat([before, batch.noisy[:, :length]], 1), depths)
    return torch.stack([_gain(batch, y[:, before.shape[1] :], length, 0) for y in outputs])


def _gain(batch: Batch, output: Tensor, length: int, part: int) -> Tensor:
    """SI-SDR gain in dB over one part of the recordings, [batch]."""
    noisy, target, enhanced = (x[:, part * length : (part + 1) * length] for x in (batch.noisy, batch.target, output))
    return si_sdr(enhanced, target) - si_sdr(noisy, target)


if __name__ == "__main__":
    command.run(main)
