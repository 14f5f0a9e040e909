"""The Lightning module: joint training of all depths, and its validation on fixed mixtures."""

from __future__ import annotations

import lightning
import torch
from torch import Tensor

from pse_sdk.models.stack import BloomStack
from pse_sdk.training.losses import enhancement_loss
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.optimizer import MuonAdamW
from pse_sdk.training.recipe import Recipe


class JointTraining(lightning.LightningModule):
    """Every step trains the deepest head and a random choice of the others, blocks run once.

    Against one loss per head on every step this halves the cost of the losses; over a few steps all heads are seen.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.stack = BloomStack(recipe.model)

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        in_blocks = [p for p in self.stack.blocks.parameters() if p.ndim == 2]
        chosen = {id(p) for p in in_blocks}
        others = [p for p in self.stack.parameters() if id(p) not in chosen]
        optimizer = MuonAdamW(in_blocks, others, self.recipe.learning_rate, self.recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Linear warm-up, constant, linear decay to zero over the last ``decay_steps``."""
        up = (step + 1) / max(1, self.recipe.warmup_steps)
        down = (self.recipe.steps - step) / max(1, self.recipe.decay_steps)
        return max(0.0, min(1.0, up, down))

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        noisy, target = batch
        depths = self._depths(self.global_step)
        outputs = self.stack.forward_depths(noisy, depths)
        losses = [enhancement_loss(y.float(), target, noisy, self.recipe.snr_weight) for y in outputs]
        for depth, loss in zip(depths, losses, strict=True):
            self.log(f"train/loss_{depth}", loss.detach())
        return torch.stack(losses).mean()

    def _depths(self, step: int) -> list[int]:
        deepest = self.recipe.model.blocks
        # Drawn from the step, so that all processes train the same heads and a resumed run draws the same.
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + step)
        others = torch.randperm(deepest - 1, generator=generator)[: self.recipe.heads - 1] + 1
        return [*sorted(others.tolist()), deepest]

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        noisy, target = batch
        depths = list(range(1, self.recipe.model.blocks + 1))
        before = si_sdr(noisy, target)
        for depth, output in zip(depths, self.stack.forward_depths(noisy, depths), strict=True):
            gain = (si_sdr(output.float(), target) - before).mean()
            self.log(f"valid/si_sdr_gain_{depth}", gain, sync_dist=True, prog_bar=depth == depths[-1])
