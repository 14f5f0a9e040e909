"""Train one candidate within the budget; what is already trained with the same settings is taken as it is."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Sampler

from pse_sdk.models.checkpoint import load_model
from pse_sdk.training.precision import precision_here
from pse_sdk.training.quiet import quiet
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.reproduce.e3net.budget import Budget, Spending
from pse_sdk.training.reproduce.e3net.candidates import Candidate, Model, make, save
from pse_sdk.training.reproduce.e3net.module import SingleDepthTraining
from pse_sdk.training.train import loading, mixtures

# More than any budget uses: the training stops by itself.
ENDLESS = 10**9


class Endless(Sampler[int]):
    """Items 0, 1, 2, ... without an end, which a progress bar would count down to."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


def train(
    candidate: Candidate, recipe: Recipe, budget: Budget, data: Path, output: Path
) -> tuple[Model, dict[str, Any]]:
    """The trained model and its record: steps, mixtures, minutes; both also in ``output/NAME.safetensors``.

    Item i is the same mixture for every candidate.
    """
    path = output / f"{candidate.name}.safetensors"
    # As JSON, in which the weights' file keeps it.
    asked = json.dumps(
        {
            "budget": budget.to_dict(),
            "recipe": recipe.to_dict(),
            "config": candidate.config.to_dict(),
            "data": str(data.resolve()),
        }
    )
    if path.exists():
        model, record = load_model(path)
        if record.get("asked") == asked:
            return model, record
    model = make(candidate.config, recipe.seed)
    items = mixtures(data, "train", recipe.mixing, ENDLESS, recipe.seed)
    loader = DataLoader(items, recipe.batch, sampler=Endless(), **loading(None, 1))
    gpu = torch.cuda.is_available()
    began = time.perf_counter()
    module = SingleDepthTraining(model, recipe, Spending(budget, time.perf_counter if gpu else time.process_time))
    with quiet():
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            precision=precision_here(recipe.precision),
            max_epochs=1,
            gradient_clip_val=recipe.gradient_clip,
            log_every_n_steps=10,
            logger=CSVLogger(output / "logs", name=candidate.name),
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
    record = {
        "asked": asked,
        "steps": trainer.global_step,
        "mixtures": trainer.global_step * recipe.batch,
        "audio_minutes": trainer.global_step * recipe.batch * recipe.mixing.seconds / 60,
        "minutes": module.spending.minutes(),
        "wall_minutes": (time.perf_counter() - began) / 60,
    }
    save(model, path, record)
    return model.eval(), record
