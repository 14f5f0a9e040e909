"""Begin with trained weights, and grow a stack: more blocks on top of trained ones (BLOOM-Net, section 2.2)."""

from __future__ import annotations

from pathlib import Path

import torch

from pse_sdk.errors import UsageError
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.models.stack import BloomStack

# Of two models' configs: blocks can be added, a speaker input and a longer look ahead too, and the mask's bias is where
# training began.
MAY_DIFFER = {"blocks", "speaker_dim", "mask_bias", "window", "lookahead"}


def begin_with(stack: BloomStack, path: Path) -> int:
    """Fill ``stack`` with the weights of a file, and return how many of its blocks were trained.

    The file may hold fewer blocks. Those on top then start with ``z = 0`` and heads like the file's deepest, so
    that with heads that read the running sum every new depth begins as what the deepest trained one is. Heads that
    read ``z[l]`` alone would hear nothing, so there the new blocks start at random.

    Raises `UsageError` where the file is of another model; only a speaker input and a look ahead may be missing.
    """
    trained, _ = load_stack(path)
    done, begun, wanted = trained.config.blocks, trained.config, stack.config
    if done > stack.config.blocks:
        raise UsageError(f"{path}: has {done} blocks, the recipe's model {stack.config.blocks}")
    other = [key for key in wanted.differing(begun) if key not in MAY_DIFFER]
    if begun.lookahead not in (0, wanted.lookahead):
        other.append("lookahead")
    if begun.speaker_dim not in (0, wanted.speaker_dim):
        other.append("speaker_dim")
    if other:
        theirs, ours = (getattr(config, other[0]) for config in (begun, wanted))
        raise UsageError(f"{path}: weights of another model than the recipe's: {other[0]} = {theirs}, not {ours}")
    if begun.filter_length != wanted.filter_length:
        needed = begun.filter_length + wanted.lookahead * wanted.hop
        raise UsageError(f"{path}: has filters of {begun.filter_length} samples, the recipe's model of "
                         f"{wanted.filter_length}; with lookahead = {wanted.lookahead} they need window = {needed}"
                         )  # fmt: skip
    stack.load_state_dict(trained.state_dict(), strict=False)
    _grow(stack, done)
    return done


def freeze(stack: BloomStack, blocks: int) -> None:
    """Keep encoder, bottleneck, and the first blocks with their heads as they are.

    They get no gradient, and nothing in front of the first trained block is recorded for one, so a step costs
    little more than running them.
    """
    for part in (stack.encoder, stack.bottleneck, *stack.blocks[:blocks], *stack.heads[:blocks]):
        part.requires_grad_(False)


@torch.no_grad()
def _grow(stack: BloomStack, done: int) -> None:
    for block, head in zip(stack.blocks[done:], stack.heads[done:], strict=True):
        head.load_state_dict(stack.heads[done - 1].state_dict())
        if stack.config.head_input == "sum":
            block.silence()  # type: ignore[operator]
