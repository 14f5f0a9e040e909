"""Run a recipe: data, Lightning trainer, checkpoints that resume."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from pse_sdk.errors import UsageError
from pse_sdk.models.checkpoint import save_stack
from pse_sdk.models.stack import BloomStack
from pse_sdk.training.averaging import exponential_average
from pse_sdk.training.data import data_folder, load_clips
from pse_sdk.training.growth import begin_with
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.scenes import SceneRecipe
from pse_sdk.training.speaker.voices import load_voices

# Validation mixtures: dry, 5 s, 0-15 dB, always the same.
VALID = MixingRecipe(
    seconds=5, snr_db=(0.0, 15.0), level_dbfs=(-25.0, -25.0), room=0, second_noise=0, coloured_noise=0,
    equaliser=0, band_limit=0, speed=0, clean=0, silent=0,
)  # fmt: skip
VALID_ITEMS = 48
VALID_SEED = 2026
# The same with an enrolled voice and another talker at 0 dB, without noise.
TWO_TALKERS = dataclasses.replace(
    VALID, scene=SceneRecipe(enrolled=1, interferer=1, second_interferer=0, absent=0, noise=0, sir_db=(0.0, 0.0))
)


def mixtures(
    folder: Path,
    split: str,
    recipe: MixingRecipe,
    items: int,
    seed: int,
    first: int = 0,
    voices: Path | None = None,
) -> Mixtures:
    """Mixtures of one split's speech, noise and rooms; ``voices`` is a folder that ``pse embed-voices`` wrote."""
    speech, noise, rooms = (load_clips(folder, kind, split) for kind in ("speech", "noise", "rir"))
    table = load_voices(voices / f"{split}.npz", speech, recipe.unlabelled) if voices else None
    return Mixtures(speech, noise, rooms, recipe, items, seed, first, table)


def train(
    recipe: Recipe,
    data: Path | None,
    output: Path,
    processes: int = 1,
    resume: bool = False,
    voices: Path | None = None,
    start_from: Path | None = None,
) -> Path:
    """Train, and return the file with the averaged weights, ``output/model.safetensors``.

    Parameters
    ----------
    data : folder with ``index.csv``; ``PSE_DATA`` if None
    voices : folder with tables of voices, for recipes with enrolled voices
    start_from : weights (``.safetensors``) to begin with; what they lack, as a speaker input, starts fresh, and blocks
        that they lack start with ``z = 0``
    processes : on a CPU, processes of one thread each with averaged gradients. They beat as many threads in one
        process: the LSTM runs step by step, and two threads spend more time meeting than computing
    resume : go on from ``output/last.ckpt``, to the step
    """
    folder = data_folder(data)
    output.mkdir(parents=True, exist_ok=True)
    if processes > 1:
        torch.set_num_threads(1)
    last = output / "last.ckpt"
    if last.exists() and not resume:
        raise UsageError(f"{output} holds a training run: go on with --resume, or choose another folder")
    done = _steps_done(last) if resume else 0
    (output / "recipe.json").write_text(json.dumps(recipe.to_dict(), indent=1))
    per_step = recipe.batch * processes
    items = recipe.steps * per_step
    train_set = mixtures(folder, "train", recipe.mixing, items, recipe.seed, done * per_step, voices)
    valid_sets = [mixtures(folder, "valid", VALID, VALID_ITEMS, VALID_SEED, voices=voices)]
    if recipe.mixing.scene.enrolled:
        valid_sets.append(mixtures(folder, "valid", TWO_TALKERS, VALID_ITEMS, VALID_SEED, voices=voices))
    module = JointTraining(recipe)
    if not done:
        _begin(module, start_from)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=processes,
        strategy="ddp_find_unused_parameters_true" if processes > 1 else "auto",
        precision="bf16-mixed",
        max_steps=recipe.steps,
        gradient_clip_val=recipe.gradient_clip,
        val_check_interval=recipe.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=CSVLogger(output, name="log"),
        callbacks=[
            exponential_average(recipe.ema),
            ModelCheckpoint(output, filename="last", every_n_train_steps=recipe.validate_every,
                            save_on_train_epoch_end=False, enable_version_counter=False),
        ],
    )  # fmt: skip
    # Lightning cannot know that items are numbered and go on where they were.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    trainer.fit(
        module,
        # In order: item i is drawn from the seed and i, so the data needs no shuffling.
        DataLoader(train_set, recipe.batch, shuffle=False),
        [DataLoader(valid_set, 8) for valid_set in valid_sets],
        ckpt_path=last if done else None,
        weights_only=True,
    )
    trainer.save_checkpoint(last)
    weights = output / "model.safetensors"
    if trainer.is_global_zero:
        save_averaged(last, recipe, weights)
    return weights


def _begin(module: JointTraining, weights: Path | None) -> None:
    """Start from weights; what the recipe freezes has to come from them."""
    trained = begin_with(module.stack, weights) if weights else 0
    frozen = module.recipe.frozen_blocks
    if frozen > trained:
        raise UsageError(f"frozen_blocks = {frozen}, but {trained} are trained: give the weights with --start-from")


def _steps_done(checkpoint: Path) -> int:
    """Optimiser steps behind a checkpoint; 0 if there is none."""
    if not checkpoint.exists():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])


def save_averaged(checkpoint: Path, recipe: Recipe, path: Path) -> None:
    """The averaged weights of a Lightning checkpoint as a safetensors file."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    stack = BloomStack(recipe.model)
    weights = {k.removeprefix("stack."): v for k, v in content["state_dict"].items() if k.startswith("stack.")}
    stack.load_state_dict(weights)
    save_stack(stack, path, {"recipe": recipe.to_dict(), "steps": content["global_step"]})
