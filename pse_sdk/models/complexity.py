"""Parameters and multiply-accumulates per depth, counted on the modules themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from pse_sdk.models.complex_layers import ComplexConv, ComplexTransposedConv
from pse_sdk.models.config import StackConfig
from pse_sdk.models.pdccrn import Pdccrn
from pse_sdk.models.pdccrn_config import PdccrnConfig
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


def pdccrn_complexity(config: PdccrnConfig) -> DepthCost:
    """`DepthCost` of a pDCCRN; a complex multiplication counts as four, the Fourier transforms not at all."""
    with torch.device("meta"):
        model = Pdccrn(config)
    macs = _count_matrices([model.lstm, model.projection])
    layers = [*model.encoder, *reversed(list(model.decoder))]
    # Layer i of either side works at the frequencies between convolution i and the one above it: an encoder's kernel is
    # applied at each output, a decoder's at each input.
    bins = [config.bins // 2 ** (i + 1) for i in range(len(config.channels))]
    for layer, count in zip(layers, bins * 2, strict=True):
        assert isinstance(layer, (ComplexConv, ComplexTransposedConv))
        macs += layer.matrix().numel() * count
    parameters = _count([model])
    return DepthCost(1, parameters, parameters, macs * config.frames_per_second)


def _cost(stack: BloomStack, depth: int) -> DepthCost:
    trunk = [stack.encoder, stack.bottleneck, *stack.blocks[:depth]]
    running = [*trunk, stack.heads[depth - 1]]
    macs = _count_matrices(running)
    macs += stack.config.lookahead * _count_matrices([stack.encoder])  # which runs at every hop that is looked ahead
    if stack.bottleneck.speaker is not None:  # the embedding is projected once, when somebody is enrolled
        macs -= _count_matrices([stack.bottleneck.speaker])
    return DepthCost(
        depth=depth,
        parameters=_count(running),
        parameters_with_heads=_count([*trunk, *stack.heads[:depth]]),
        macs_per_second=macs * stack.config.frames_per_second,
    )


def _count(modules: Iterable[nn.Module]) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def _count_matrices(modules: Iterable[nn.Module]) -> int:
    return sum(p.numel() for m in modules for p in m.parameters() if p.ndim >= 2)
