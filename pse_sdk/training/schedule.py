"""Learning rates over a run: a linear warm-up, then constant with a linear end, a cosine, or steps at plateaus."""

from __future__ import annotations

import math
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau

from pse_sdk.training.recipe import Recipe

# What a plateau multiplies the learning rate by.
PLATEAU_FACTOR = 0.5


def monitored(recipe: Recipe) -> str:
    """The validation figure that schedules, early stopping and the best checkpoint go by: the deepest head's gain."""
    return f"valid/si_sdr_gain_{recipe.model.blocks}"


def learning_rate_factor(recipe: Recipe, step: int) -> float:
    """What the learning rate is multiplied by at ``step``, for the schedules that know it beforehand."""
    up = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    if recipe.schedule == "cosine":
        done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
        return min(up, 0.5 + 0.5 * math.cos(math.pi * min(1.0, max(0.0, done))))
    return max(0.0, min(up, (recipe.steps - step) / max(1, recipe.decay_steps)))


def schedulers(optimizer: Optimizer, recipe: Recipe) -> list[dict[str, Any]]:
    """Lightning's descriptions of the recipe's schedulers."""
    if recipe.schedule != "plateau":
        schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(recipe, step))
        return [{"scheduler": schedule, "interval": "step"}]
    # Of the schedulers for a warm-up this one multiplies the rate that it finds, and so keeps what plateaus made of it.
    warmup = LinearLR(optimizer, 1 / max(1, recipe.warmup_steps), total_iters=max(0, recipe.warmup_steps - 1))
    plateau = ReduceLROnPlateau(optimizer, "max", PLATEAU_FACTOR, recipe.plateau_patience, threshold_mode="abs")
    # The frequency is never reached: `PlateauStep` steps it.
    never = {"interval": "epoch", "frequency": recipe.steps + 1}
    return [
        {"scheduler": warmup, "interval": "step"},
        {"scheduler": plateau, "monitor": monitored(recipe), "reduce_on_plateau": True, **never},
    ]


class PlateauStep(Callback):
    """Tells a plateau schedule of each regular validation, not of the one that ends a run before its last step.

    Lightning would count batches, which a resumed run miscounts.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_validation_end(self, trainer: Trainer, _: LightningModule) -> None:
        if trainer.global_step % self.every:
            return
        for config in trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau):
                config.scheduler.step(trainer.callback_metrics[str(config.monitor)])
