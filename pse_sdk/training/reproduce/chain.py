"""Baseline 2 of BLOOM-Net: weak models chained in the time domain, each enhancing what the last one gave."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pse_sdk.models.stack import BloomStack
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.remix import Batch


class TimeDomainChain(nn.Module):
    """Stacks of one block each; depth l is the output of the l-th."""

    def __init__(self, links: Sequence[BloomStack]) -> None:
        super().__init__()
        self.links = nn.ModuleList(links)

    def forward_depths(self, signal: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """[batch, samples] -> one [batch, samples] per depth."""
        outputs = []
        for link in self.links[: max(depths)]:
            signal = link(signal, 1).float()
            outputs.append(signal)
        return [outputs[depth - 1] for depth in depths]


class LinkTraining(JointTraining):
    """Trains the next link of a chain; those before it are frozen."""

    def __init__(self, recipe: Recipe, before: Sequence[BloomStack]) -> None:
        super().__init__(recipe)
        self.before = TimeDomainChain(before).requires_grad_(False)

    def heard(self, batch: Batch) -> Tensor:
        if not len(self.before.links):
            return batch.noisy
        with torch.no_grad():
            return self.before.forward_depths(batch.noisy, [len(self.before.links)])[0]
