"""The weighted mean of trained weights: stages of one training, averaged, beat each of them.

Weights that were fine-tuned from the same start lie in one basin, and a point between them forgets less than the last
of them (WiSE-FT, arXiv 2109.01903) and generalises better than each (model soups, arXiv 2203.05482).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from pse_sdk.errors import UsageError
from pse_sdk.models.checkpoint import load_stack, save_stack
from pse_sdk.models.stack import BloomStack

# Of two models' configs: a stage before may have had no speaker input, and where its masks began says nothing.
MAY_DIFFER = {"speaker_dim", "mask_bias"}


def average(files: Sequence[Path], shares: Sequence[float], output: Path) -> BloomStack:
    """Write the mean of several stacks' weights, ``shares`` of each, and return it.

    What a file lacks, such as the speaker input of a stage before there was one, is the mean of the others. Raises
    `UsageError` where the files are not of one model or the shares not positive.
    """
    if len(files) < 2 or len(shares) != len(files):
        raise UsageError(f"{len(files)} files and {len(shares)} shares: give two files or more, and a share for each")
    if wrong := [share for share in shares if not (math.isfinite(share) and share > 0)]:
        raise UsageError(f"share {wrong[0]}: must be a number above 0")
    if output.suffix != ".safetensors":
        raise UsageError(f"{output}: weights are written as .safetensors; `pse export` makes a model file of them")
    stacks, records = zip(*(load_stack(file) for file in files), strict=True)
    encoders = {encoder for record in records if (encoder := record.get("speaker_encoder"))}
    if len(encoders) > 1:
        raise UsageError("the files were trained with voices of different speaker encoders")
    fullest = max(stacks, key=lambda stack: len(stack.state_dict()))
    states = [stack.state_dict() for stack in stacks]
    for file, stack, state in zip(files, stacks, states, strict=True):
        if other := [key for key in stack.config.differing(fullest.config) if key not in MAY_DIFFER]:
            mine, theirs = (getattr(config, other[0]) for config in (stack.config, fullest.config))
            raise UsageError(f"{file}: another model than the other files': {other[0]} = {mine}, not {theirs}")
        foreign = [
            k for k, v in state.items() if k not in fullest.state_dict() or v.shape != fullest.state_dict()[k].shape
        ]
        if foreign:
            raise UsageError(f"{file}: weights of another model than the other files' ({foreign[0]})")
    mean = BloomStack(fullest.config)
    mean.load_state_dict({name: _mean(states, shares, name) for name in fullest.state_dict()})
    parts = [{"share": share, **record} for share, record in zip(shares, records, strict=True)]
    save_stack(mean, output, {**records[-1], "speaker_encoder": "".join(encoders), "average_of": parts})
    return mean.eval()


def _mean(states: Sequence[dict[str, torch.Tensor]], shares: Sequence[float], name: str) -> torch.Tensor:
    having = [(state[name], share) for state, share in zip(states, shares, strict=True) if name in state]
    total = sum(share for _, share in having)
    return torch.stack([weight * (share / total) for weight, share in having]).sum(0)
