"""Parameters and multiply-accumulates per depth, counted on the modules themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from pse_sdk.models.config import StackConfig
from pse_sdk.models.stack import BloomStack


@dataclass(frozen=True)
class DepthCost:
    """What one depth costs.

    Parameters
    ----------
    parameters
        Of everything that runs at this depth: encoder, bottleneck, blocks 1..depth, the head of this depth.
        The E3Net paper's count.
    parameters_with_heads
        The same with the heads of all shallower depths: what a model of this depth has to store.
        BLOOM-Net's count (its table 2).
    macs_per_second
        Multiply-accumulates for one second of audio: one per entry of every weight matrix that runs, per frame.
    """

    depth: int
    parameters: int
    parameters_with_heads: int
    macs_per_second: float


def complexity(config: StackConfig) -> list[DepthCost]:
    """`DepthCost` at depth 1..L."""
    with torch.device("meta"):
        stack = BloomStack(config)
    return [_cost(stack, depth) for depth in range(1, config.blocks + 1)]


def _cost(stack: BloomStack, depth: int) -> DepthCost:
    trunk = [stack.encoder, stack.bottleneck, *stack.blocks[:depth]]
    running = [*trunk, stack.heads[depth - 1]]
    return DepthCost(
        depth=depth,
        parameters=_count(running),
        parameters_with_heads=_count([*trunk, *stack.heads[:depth]]),
        macs_per_second=_count_matrices(running) * stack.config.frames_per_second,
    )


def _count(modules: Iterable[nn.Module]) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def _count_matrices(modules: Iterable[nn.Module]) -> int:
    return sum(p.numel() for m in modules for p in m.parameters() if p.ndim >= 2)
