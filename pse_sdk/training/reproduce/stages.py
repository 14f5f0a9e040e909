"""Train one stage of a method, or take it from the file where an earlier run left it."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from pse_sdk.models.checkpoint import save_stack
from pse_sdk.training.averaging import exponential_average
from pse_sdk.training.data import load_clips
from pse_sdk.training.growth import begin_with
from pse_sdk.training.mixing import Mixtures
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.subset import subset


@dataclass(frozen=True)
class Trial:
    """What all methods have in common.

    Parameters
    ----------
    recipe : the whole scalable model, trained jointly: sizes, mixtures, and ``steps``, the budget
    data : folder with ``index.csv``
    folder : where the stages of this method are kept
    share : of the voices, noises and rooms that training draws from
    """

    recipe: Recipe
    data: Path
    folder: Path
    share: float = 1.0

    def part(self, steps: int, **changes: object) -> Recipe:
        """The recipe for so many steps; warm-up, decay and averaging in proportion; ``blocks`` changes the model."""
        recipe, scale = self.recipe, steps / self.recipe.steps
        blocks = changes.pop("blocks", recipe.model.blocks)
        return dataclasses.replace(
            recipe,
            model=recipe.model.replace(blocks=blocks),
            steps=steps,
            warmup_steps=round(recipe.warmup_steps * scale),
            decay_steps=round(recipe.decay_steps * scale),
            ema=recipe.ema ** (1 / scale),
            **changes,  # type: ignore[arg-type]
        )

    def train(
        self,
        name: str,
        recipe: Recipe,
        start_from: Path | None = None,
        after: int = 0,
        make: Callable[[Recipe], JointTraining] = JointTraining,
    ) -> Path:
        """The file with the averaged weights of a stage.

        Parameters
        ----------
        start_from : weights of the stage before
        after : steps of the stages before, so that a method of many stages draws the mixtures of one long run
        make : what to train
        """
        weights = self.folder / f"{name}.safetensors"
        if weights.exists():
            return weights
        module = make(recipe)
        if start_from is not None:
            begin_with(module.stack, start_from)
        self.fit(module, after)
        save_stack(module.stack, weights, {"recipe": recipe.to_dict(), "steps": recipe.steps})
        return weights

    def fit(self, module: JointTraining, after: int = 0) -> None:
        """Train a module for all steps of its recipe; its weights are then the averaged ones."""
        recipe = module.recipe
        # A line per finished method says more than Lightning's of every stage.
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=r"lightning\.")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            precision="bf16-mixed",
            max_steps=recipe.steps,
            gradient_clip_val=recipe.gradient_clip,
            logger=CSVLogger(self.folder, name="log"),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[exponential_average(recipe.ema)],
        )
        trainer.fit(module, DataLoader(self._mixtures(recipe, after), recipe.batch, shuffle=False))

    def _mixtures(self, recipe: Recipe, after: int) -> Mixtures:
        speech, noise, rooms = (load_clips(self.data, kind, "train") for kind in ("speech", "noise", "rir"))
        if self.share < 1:
            speech, noise, rooms = (subset(clips, self.share) for clips in (speech, noise, rooms))
        items = recipe.steps * recipe.batch
        return Mixtures(speech, noise, rooms, recipe.mixing, items, recipe.seed, after * recipe.batch)
