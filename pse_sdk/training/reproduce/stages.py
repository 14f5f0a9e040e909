"""Train one stage of a method, or take it from the file where an earlier run left it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from pse_sdk.models.checkpoint import save_stack
from pse_sdk.training.averaging import ExponentialAverage
from pse_sdk.training.growth import begin_with
from pse_sdk.training.module import JointTraining
from pse_sdk.training.precision import precision_here
from pse_sdk.training.quiet import quiet
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.train import loading, mixtures


@dataclass(frozen=True)
class Trial:
    """What all methods have in common.

    Parameters
    ----------
    recipe : the whole scalable model, trained jointly: sizes, mixtures, and ``steps``, the budget
    data : folder with ``index.csv``
    folder : where the stages of this method are kept
    share : of the voices, noises and rooms that training draws from
    side_by_side : trials that run at a time, and share the cores that draw for a GPU
    """

    recipe: Recipe
    data: Path
    folder: Path
    share: float = 1.0
    side_by_side: int = 1

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
        items = recipe.steps * recipe.batch
        drawn = mixtures(self.data, "train", recipe.mixing, items, recipe.seed, after * recipe.batch, share=self.share)
        with quiet(), warnings.catch_warnings():
            for message in (
                ".*you defined a `validation_step`.*",  # models are scored when they are done
                ".*logging interval.*",
                ".*in eval mode.*",  # frozen links of a chain
            ):
                warnings.filterwarnings("ignore", message=message)
            trainer = lightning.Trainer(
                accelerator="auto",
                devices=1,
                precision=precision_here(recipe.precision),
                max_steps=recipe.steps,
                gradient_clip_val=recipe.gradient_clip,
                logger=CSVLogger(self.folder, name="log"),
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[ExponentialAverage(recipe.ema)],
            )
            trainer.fit(module, DataLoader(drawn, recipe.batch, shuffle=False, **loading(None, self.side_by_side)))
