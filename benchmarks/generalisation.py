"""How much of the gain holds for sounds that were not trained on: speech and noise, each known and unknown.

    PSE_DATA=... python benchmarks/generalisation.py model.safetensors [--items 150]

Dry mixtures of 5 s at -5, 0, 5, 10 and 15 dB, of the noise categories that both splits have. What the gain falls by
from the training split's noise to the held-out split's is learned by heart; babble stands apart: it is hard in itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import command
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pse_sdk.models import BloomStack
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.training.data import Clips, data_folder, load_clips
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.mixing import Mixture, Mixtures
from pse_sdk.training.train import VALID

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0)
# The sources that both splits have.
SPEECH = {"speechocean762": 0.7, "librispeech_train-clean-100": 0.3}
SEED = 777


def main(
    weights: Annotated[Path, typer.Argument(help="model.safetensors of a training run.")],
    items: Annotated[int, typer.Option(min=len(SNRS_DB), help="Mixtures of each kind.")] = 150,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table."""
    folder = data_folder(data)
    stack = load_stack(weights)[0]
    clips = {(kind, split): load_clips(folder, kind, split) for kind in ("speech", "noise") for split in _SPLITS}
    rooms = load_clips(folder, "rir", "valid")
    both = set(clips["noise", "train"].by_category) & set(clips["noise", "valid"].by_category)
    babble = {category for category in both if category.startswith("babble")}
    depths = range(1, stack.config.blocks + 1)
    table = Table("noise", "speech of", "noise of", *(f"depth {depth}" for depth in depths))
    cases = [(s, n, b) for b in (False, True) for s in _SPLITS for n in _SPLITS]
    for speech, noise, is_babble in track(cases, "mixtures"):
        used = babble if is_babble else both - babble
        drawn = _mixtures(clips["speech", speech], clips["noise", noise], rooms, used, items)
        gains = _gains(stack, drawn)
        table.add_row("babble" if is_babble else "other", speech, noise, *(f"{gain:.2f}" for gain in gains.tolist()))
    Console().print(table)


_SPLITS = ("train", "valid")


def _mixtures(speech: Clips, noise: Clips, rooms: Clips, used: set[str], items: int) -> list[Mixture]:
    out = []
    for n, snr in enumerate(SNRS_DB):
        left_out = dict.fromkeys(set(noise.by_category) - used, 0.0)
        recipe = dataclasses.replace(VALID, snr_db=(snr, snr), noise_weights=left_out, speech_weights=SPEECH)
        drawn = Mixtures(speech, noise, rooms, recipe, items // len(SNRS_DB), SEED + n)
        out += [drawn[i] for i in range(len(drawn))]
    return out


@torch.inference_mode()
def _gains(stack: BloomStack, drawn: list[Mixture]) -> torch.Tensor:
    """Mean SI-SDR gain in dB, [depths]."""
    depths = list(range(1, stack.config.blocks + 1))
    gains = []
    for some in _batches(drawn, 10):
        noisy = torch.stack([torch.from_numpy(mixture.noisy) for mixture in some])
        target = torch.stack([torch.from_numpy(mixture.target) for mixture in some])
        outputs = stack.forward_depths(noisy, depths)
        gains.append(torch.stack([si_sdr(output, target) for output in outputs]) - si_sdr(noisy, target))
    return torch.cat(gains, 1).mean(1)


def _batches(drawn: list[Mixture], size: int) -> Iterable[list[Mixture]]:
    return (drawn[i : i + size] for i in range(0, len(drawn), size))


if __name__ == "__main__":
    command.run(main)
