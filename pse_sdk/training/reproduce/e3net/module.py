"""The Lightning module that trains one model of one depth within a budget."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor

from pse_sdk.training.losses import enhancement_loss
from pse_sdk.training.optimizer import MuonAdamW
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.remix import Batch
from pse_sdk.training.reproduce.e3net.budget import Spending, learning_rate_factor
from pse_sdk.training.reproduce.e3net.candidates import Model, enhance, matrices


class SingleDepthTraining(lightning.LightningModule):
    """Loss, optimiser and learning rate of the recipe; the schedule follows the budget, and so does the end."""

    def __init__(self, model: Model, recipe: Recipe, spending: Spending) -> None:
        super().__init__()
        self.model, self.recipe, self.spending = model, recipe, spending

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        by_muon = matrices(self.model)
        chosen = {id(p) for p in by_muon}
        others = [p for p in self.model.parameters() if id(p) not in chosen]
        optimizer = MuonAdamW(by_muon, others, self.recipe.learning_rate, self.recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(self.spending.share(step))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch) -> Tensor:
        recipe = self.recipe
        loss = enhancement_loss(
            enhance(self.model, batch.noisy), batch.target, batch.noisy,
            recipe.snr_weight, recipe.over_suppression, recipe.spectral_weight, recipe.perceptual_weight,
        )  # fmt: skip
        self.log("train/loss", loss.detach())
        self.log("budget", self.spending.share(self.global_step), prog_bar=True)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        if self.spending.share(self.global_step) >= 1:
            self.trainer.should_stop = True
