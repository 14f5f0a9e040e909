"""The ways to train a scalable model that BLOOM-Net's Table 1 compares (arXiv 2111.09372, section 3), and ours.

"Same budget" means: as many mixtures, and the same ones, for one complete scalable model. A method of several
stages divides them; models that are trained for one depth each (the upper bound) get the whole budget each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from pse_sdk.models.checkpoint import load_stack
from pse_sdk.models.stack import BloomStack
from pse_sdk.training.reproduce.chain import LinkTraining, TimeDomainChain
from pse_sdk.training.reproduce.score import Scalable
from pse_sdk.training.reproduce.stages import Trial

Method = Callable[[Trial], dict[str, Scalable]]


def end_to_end(trial: Trial) -> dict[str, Scalable]:
    """Baseline 1: one model per depth, and the deepest of them cut short."""
    depths = range(1, trial.recipe.model.blocks + 1)
    steps = trial.recipe.steps
    stacks = [_load(trial.train(f"depth-{d}", trial.part(steps, blocks=d, heads=1))) for d in depths]
    return {"full": cut_short(stacks[-1]), "int": OnePerDepth(stacks)}


def chain(trial: Trial) -> dict[str, Scalable]:
    """Baseline 2: weak models in the time domain, one after the other."""
    links: list[BloomStack] = []
    steps = trial.recipe.steps // trial.recipe.model.blocks
    for i in range(trial.recipe.model.blocks):
        recipe = trial.part(steps, blocks=1, heads=1)
        path = trial.train(f"link-{i + 1}", recipe, after=i * steps, make=partial(LinkTraining, before=tuple(links)))
        links.append(_load(path))
    return {"chain": TimeDomainChain(links)}


def bloom(trial: Trial) -> dict[str, Scalable]:
    """BLOOM-Net: block by block; encoder, bottleneck, earlier blocks and their heads frozen."""
    return {"bloom": _load(_blockwise(trial, trial.recipe.steps))}


def bloom_fine_tuned(trial: Trial) -> dict[str, Scalable]:
    """BLOOM-FT: half of the budget block by block, half on everything and the losses of all heads."""
    half = trial.recipe.steps // 2
    grown = _blockwise(trial, half)
    recipe = trial.part(half, heads=trial.recipe.model.blocks)
    return {"bloom-ft": _load(trial.train("fine-tuned", recipe, grown, after=half))}


def joint(trial: Trial, row: str, **changes: object) -> dict[str, Scalable]:
    """Ours: all depths from the start, each step the deepest head and some others."""
    return {row: _load(trial.train("joint", trial.part(trial.recipe.steps, **changes)))}


def weighted(trial: Trial) -> dict[str, Scalable]:
    """Ours with all heads in each step, each weighted by its depth."""
    deepest = trial.recipe.model.blocks
    weights = tuple(depth / deepest for depth in range(1, deepest + 1))
    return joint(trial, "weighted", heads=deepest, head_weights=weights)


def longer(trial: Trial) -> dict[str, Scalable]:
    """Ours with twice the budget."""
    return {"longer": _load(trial.train("joint", trial.part(2 * trial.recipe.steps)))}


METHODS: dict[str, Method] = {
    "end-to-end": end_to_end,
    "chain": chain,
    "bloom": bloom,
    "bloom-ft": bloom_fine_tuned,
    "joint": partial(joint, row="joint"),
    "weighted": weighted,
    "distilled": partial(joint, row="distilled", distillation=0.5),
    "switching": partial(joint, row="switching", switching=0.1),
    "longer": longer,
    "half-data": partial(joint, row="half-data"),
}
# The share of the recordings that a method may use, where it is not all of them.
SHARES = {"half-data": 0.5}


def cut_short(stack: BloomStack) -> BloomStack:
    """A copy whose deepest head, and no other, reads the running sum after fewer blocks than it was trained with."""
    short = copy.deepcopy(stack)
    short.heads = nn.ModuleList([short.heads[-1]] * short.config.blocks)
    return short


class OnePerDepth:
    """A model for each depth: the upper bound."""

    def __init__(self, stacks: Sequence[BloomStack]) -> None:
        self.stacks = stacks

    def forward_depths(self, signal: Tensor, depths: Sequence[int]) -> list[Tensor]:
        return [self.stacks[depth - 1](signal, depth) for depth in depths]


def _blockwise(trial: Trial, budget: int) -> Path:
    path = None
    steps = budget // trial.recipe.model.blocks
    for done in range(trial.recipe.model.blocks):
        recipe = trial.part(steps, blocks=done + 1, frozen_blocks=done, heads=1)
        path = trial.train(f"block-{done + 1}", recipe, path, after=done * steps)
    assert path is not None  # a stack has at least one block
    return path


def _load(path: Path) -> BloomStack:
    return load_stack(path)[0]
