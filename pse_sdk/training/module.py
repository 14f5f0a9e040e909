"""The Lightning module: joint training of all depths, and its validation on fixed mixtures."""

from __future__ import annotations

import itertools
from typing import Any

import lightning
import torch
from torch import Tensor

from pse_sdk.errors import UsageError
from pse_sdk.models.stack import BloomStack
from pse_sdk.training.growth import freeze
from pse_sdk.training.losses import enhancement_loss
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.optimizer import MuonAdamW
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.remix import Batch, with_remixes
from pse_sdk.training.schedule import learning_rate_factor, schedulers

# In a checkpoint: how many mixtures were drawn, so that a run goes on with the next one, whatever it drew per step.
DRAWN = "mixtures_drawn"
# In a checkpoint: whose voices the stack understands.
SPEAKER_ENCODER = "speaker_encoder"
# How long a deeper head's blocks run before it is heard, seconds.
UNHEARD_S = (0.05, 0.3)
# What the loaders of validation data hold, in their order.
VALIDATION_SETS = ("si_sdr", "two_talkers")


class JointTraining(lightning.LightningModule):
    """Every step trains the deepest head and a random choice of the others, blocks run once.

    Against one loss per head on every step this halves the cost of the losses; over a few steps all heads are seen.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.drawn = 0
        self.speaker_encoder = ""
        torch.manual_seed(recipe.seed)
        self.stack = BloomStack(recipe.model)
        if recipe.frozen_blocks:
            freeze(self.stack, recipe.frozen_blocks)

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        trained = [p for p in self.stack.parameters() if p.requires_grad]
        matrices = {id(p) for p in self.stack.blocks.parameters() if p.ndim == 2}
        in_blocks = [p for p in trained if id(p) in matrices]
        others = [p for p in trained if id(p) not in matrices]
        optimizer = MuonAdamW(in_blocks, others, self.recipe.learning_rate, self.recipe.weight_decay)
        return [optimizer], schedulers(optimizer, self.recipe)

    def training_step(self, batch: Batch) -> Tensor:
        loss = self._loss_of(batch)
        if not torch.isfinite(loss):  # one step with it would leave no weight a number
            raise UsageError(f"the loss of step {self.global_step} is not a number: a lower learning_rate may help; "
                             "--resume goes on from the last checkpoint")  # fmt: skip
        return loss

    def _loss_of(self, batch: Batch) -> Tensor:
        generator = self._generator()
        if self.recipe.remixes > 1:
            batch = with_remixes(batch, self.recipe.remixes, self.recipe.mixing, self._generator(1 + self.global_rank))
        if torch.rand((), generator=generator) < self.recipe.switching:
            return self._loss("switch", self._switched(batch, generator), batch)
        depths = self._depths(generator)
        outputs = self.stack.forward_depths(self.heard(batch), depths, self._speaker(batch))
        losses = torch.stack([self._loss(depth, output, batch) for depth, output in zip(depths, outputs, strict=True)])
        if self.recipe.distillation:
            losses = losses + self.recipe.distillation * self._from_the_deepest(outputs, batch)
        given = self.recipe.head_weights or (1.0,) * self.recipe.model.blocks
        weights = losses.new_tensor([given[depth - 1] for depth in depths])
        return (weights * losses).sum() / weights.sum()

    def _from_the_deepest(self, outputs: list[Tensor], batch: Batch) -> Tensor:
        """Second losses [heads] of the shallower heads, for which the deepest one's output stands; its own is 0.

        The target lies half way from it to the clean speech. A loss in dB against the output itself rewards copying
        it ever more exactly, which is easy, and soon outweighs all else: every depth stayed 1 dB worse.
        """
        teacher = (outputs[-1].detach().float() + batch.target) / 2
        taught = [self._distance(output, teacher, batch.noisy) for output in outputs[:-1]]
        return torch.stack([*taught, teacher.new_zeros(())])

    def heard(self, batch: Batch) -> Tensor:
        """What the stack gets to hear of the mixtures, [batch, samples]."""
        return batch.noisy

    def _loss(self, what: object, output: Tensor, batch: Batch) -> Tensor:
        loss = self._distance(output, batch.target, batch.noisy)
        self.log(f"train/loss_{what}", loss.detach())
        return loss

    def _distance(self, output: Tensor, target: Tensor, noisy: Tensor) -> Tensor:
        recipe = self.recipe
        return enhancement_loss(
            output.float(), target.float(), noisy,
            recipe.snr_weight, recipe.over_suppression, recipe.spectral_weight, recipe.perceptual_weight,
        )  # fmt: skip

    def _speaker(self, batch: Batch) -> Tensor | None:
        if not self.recipe.model.speaker_dim or not batch.embedding.shape[1]:
            return None
        return self.stack.bottleneck.condition(batch.embedding, batch.enrolled)

    def _switched(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The output of a stream whose depth rises on its way."""
        pairs = list(itertools.combinations(range(1, self.recipe.model.blocks + 1), 2))
        pairs = [pair for pair in pairs if pair[1] > self.recipe.frozen_blocks]
        before, after = pairs[int(torch.randint(len(pairs), (), generator=generator))]
        frames = batch.noisy.shape[1] // self.recipe.model.hop
        at = int(frames * (0.1 + 0.6 * torch.rand((), generator=generator).item()))
        fewest, most = (round(seconds * self.recipe.model.frames_per_second) for seconds in UNHEARD_S)
        heard = min(at + int(torch.randint(fewest, most, (), generator=generator)), frames - 1)
        return self.stack.forward_switch(self.heard(batch), before, after, at, heard, self._speaker(batch))

    def _generator(self, stream: int = 0) -> torch.Generator:
        # Seeded with the step, so that all processes train the same heads and a resumed run draws the same.
        seed = self.recipe.seed * 1_000_003 + self.global_step + stream * 1_000_000_007
        return torch.Generator().manual_seed(seed % 2**63)

    def _depths(self, generator: torch.Generator) -> list[int]:
        deepest, frozen = self.recipe.model.blocks, self.recipe.frozen_blocks
        others = torch.randperm(deepest - 1 - frozen, generator=generator)[: self.recipe.heads - 1] + 1 + frozen
        return [*sorted(others.tolist()), deepest]

    def on_train_start(self) -> None:
        # The rate that a checkpoint brings for the next step is that of the lengths which the run had before.
        if self.recipe.schedule != "plateau":
            factor = learning_rate_factor(self.recipe, self.global_step)
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = factor * group["initial_lr"]

    def on_train_batch_start(self, batch: Batch, _: int) -> None:
        self.drawn += len(batch.noisy) * self.trainer.world_size

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[DRAWN] = self.drawn
        checkpoint[SPEAKER_ENCODER] = self.speaker_encoder

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.drawn = checkpoint[DRAWN]
        before = checkpoint.get(SPEAKER_ENCODER, "")
        if before and self.speaker_encoder and before != self.speaker_encoder:
            raise UsageError(f"this run began with voices of speaker encoder {before}, and these are of "
                             f"{self.speaker_encoder}: embed them with the same one, or begin anew")  # fmt: skip
        self.speaker_encoder = self.speaker_encoder or before
        # The checkpoint is written before Lightning counts the step for its logs; where a validation was due, it counts
        # when the run goes on.
        steps = checkpoint["global_step"]
        counted = steps - (steps % self.recipe.validate_every == 0)
        checkpoint["loops"]["fit_loop"]["epoch_loop.state_dict"]["_batches_that_stepped"] = counted

    def validation_step(self, batch: Batch, _: int, dataloader_idx: int = 0) -> None:
        name = VALIDATION_SETS[dataloader_idx]
        depths = list(range(1, self.recipe.model.blocks + 1))
        before = si_sdr(batch.noisy, batch.target)
        outputs = self.stack.forward_depths(self.heard(batch), depths, self._speaker(batch))
        for depth, output in zip(depths, outputs, strict=True):
            gain = (si_sdr(output.float(), batch.target) - before).mean()
            self.log(f"valid/{name}_gain_{depth}", gain, sync_dist=True, add_dataloader_idx=False,
                     prog_bar=depth == depths[-1])  # fmt: skip
