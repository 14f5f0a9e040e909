"""Run a recipe: data, Lightning trainer, checkpoints that resume."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from torch import distributed
from torch.utils.data import DataLoader, DistributedSampler

from pse_sdk.errors import PseWarning, UsageError, first_line
from pse_sdk.files import write_atomically
from pse_sdk.models.checkpoint import load_stack, save_stack
from pse_sdk.models.stack import BloomStack
from pse_sdk.training.data import Clips, data_folder, load_clips
from pse_sdk.training.growth import begin_with
from pse_sdk.training.memory import keep_freed_memory
from pse_sdk.training.mixing import MixingRecipe, Mixtures
from pse_sdk.training.module import DRAWN, JointTraining
from pse_sdk.training.precision import precision_here
from pse_sdk.training.quiet import quiet
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.scenes import SceneRecipe
from pse_sdk.training.speaker.voices import load_voices
from pse_sdk.training.subset import subset
from pse_sdk.training.trainer import BEST, LAST, make_trainer

# In the output folder: what is trained.
RECIPE = "recipe.json"
# What may change where a run goes on, and what may not: what is trained, and what the checkpoint brings back.
LENGTHS = {"steps", "decay_steps", "validate_every"}
KEPT = ("frozen_blocks", "learning_rate", "weight_decay", "schedule", "warmup_steps", "plateau_patience", "patience")
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
    share: float = 1.0,
) -> Mixtures:
    """Mixtures of one split's speech, noise and rooms, or of a `subset` of each.

    ``voices`` is a folder that ``pse embed-voices`` wrote.
    """
    speech, noise = (subset(load_clips(folder, kind, split), share) for kind in ("speech", "noise"))
    rooms = Clips.none()
    if max(recipe.room, recipe.noise_room) > 0:
        dry = "--set mixing.room=0 --set mixing.noise_room=0"
        rooms = subset(load_clips(folder, "rir", split, without=dry), share)
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
    workers: int | None = None,
    minutes: float | None = None,
) -> Path:
    """Train, and return the file with the averaged weights, ``output/model.safetensors``.

    Beside it: ``best.safetensors``, the averaged weights at the best validation, both checkpoints, and logs.

    Parameters
    ----------
    data : folder with ``index.csv``; ``PSE_DATA`` if None
    voices : folder with tables of voices, for recipes with enrolled voices
    start_from : weights (``.safetensors``) to begin with; what they lack, as a speaker input, starts fresh, and blocks
        that they lack start with ``z = 0``
    processes : on a CPU, processes of one thread each with averaged gradients. They beat as many threads in one
        process: the LSTM runs step by step, and two threads spend more time meeting than computing
    resume : go on from ``output/last.ckpt``, to the step
    workers : processes that draw mixtures, for each process that trains. If None, none on a CPU, where they would take
        its cores, and on a GPU as many as there are cores, up to 8
    minutes : time after which the run is saved and ends
    """
    folder = data_folder(data)
    recipe = dataclasses.replace(recipe, precision=precision_here(recipe.precision))  # for the records
    if recipe.schedule == "linear" and max(0, recipe.warmup_steps - 1) + recipe.decay_steps > recipe.steps:
        warnings.warn(f"a warm-up of {recipe.warmup_steps} and a decay of {recipe.decay_steps} steps do not fit into "
                      f"{recipe.steps}: the learning rate never reaches {recipe.learning_rate:g}; "
                      "--set warmup_steps=... --set decay_steps=...", PseWarning, stacklevel=2)  # fmt: skip
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise UsageError(f"{processes} processes, but {gpus} GPUs: give at most one process for each")
    output.mkdir(parents=True, exist_ok=True)
    if processes > 1:
        torch.set_num_threads(1)
    keep_freed_memory()
    last = output / f"{LAST}.ckpt"
    if last.exists() and not resume:
        raise UsageError(f"{output} holds a training run: go on with --resume, or choose another folder")
    drawn = _drawn(last) if resume else 0
    if drawn:
        _must_be_of(output, recipe)
    items = recipe.steps * recipe.batch * processes
    train_set = mixtures(folder, "train", recipe.mixing, items, recipe.seed, drawn, voices)
    _check_voices(recipe, train_set)
    valid = [VALID, TWO_TALKERS] if recipe.mixing.scene.enrolled else [VALID]
    valid_sets = [
        mixtures(folder, "valid", dataclasses.replace(v, unlabelled=recipe.mixing.unlabelled), VALID_ITEMS, VALID_SEED,
                 voices=voices)
        for v in valid
    ]  # fmt: skip
    if len({*(s.speaker_encoder for s in (train_set, *valid_sets))} - {""}) > 1:
        raise UsageError(f"{voices}: training and validation voices are of different speaker encoders; run "
                         "`pse embed-voices` again")  # fmt: skip
    _write_recipe(output, recipe)
    module = JointTraining(recipe)
    module.speaker_encoder = train_set.speaker_encoder
    if not drawn:
        _begin(module, start_from)
    with quiet():
        trainer = make_trainer(recipe, output, processes, minutes)
        trainer.fit(
            module,
            DataLoader(train_set, recipe.batch, sampler=InOrder(train_set, processes), **loading(workers, processes)),
            [DataLoader(valid_set, 8) for valid_set in valid_sets],
            ckpt_path=last if drawn else None,
            weights_only=True,
        )
    weights = output / "model.safetensors"
    if trainer.is_global_zero:
        _finish(trainer, recipe, output, weights, module.speaker_encoder)
    return weights


class InOrder(DistributedSampler[int]):
    """Items 0, 1, 2, ... in turn to each of the processes: a run that was stopped goes on with the next one.

    Item i is drawn from the seed and i, so the data needs no shuffling, and Lightning would put a sampler that shuffles
    in place of any but a distributed one.
    """

    def __init__(self, items: Mixtures, processes: int) -> None:
        super().__init__(items, processes, rank=0, shuffle=False)

    def __iter__(self) -> Iterator[int]:
        first = distributed.get_rank() if distributed.is_initialized() else 0
        return iter(range(first, len(self.dataset), self.num_replicas))  # type: ignore[arg-type]


def loading(workers: int | None, processes: int) -> dict[str, Any]:
    """How a loader draws items: here, or in processes of its own, ahead of time."""
    gpu = torch.cuda.is_available()
    if workers is None:
        workers = min(8, max(1, (os.cpu_count() or 1) // processes)) if gpu else 0
    if workers == 0:
        return {}
    return {
        "num_workers": workers, "persistent_workers": True, "prefetch_factor": 4, "pin_memory": gpu,
        "worker_init_fn": _ignore_signals,
    }  # fmt: skip


def _ignore_signals(_: int) -> None:
    """Ctrl-C reaches every process of a terminal, a scheduler's SIGTERM every one of a job: the one that trains saves
    first, and then ends its workers.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@rank_zero_only
def _write_recipe(output: Path, recipe: Recipe) -> None:
    with write_atomically(output / RECIPE) as temporary:
        temporary.write_text(json.dumps(recipe.to_dict(), indent=1))


def _must_be_of(output: Path, recipe: Recipe) -> None:
    """Raise `UsageError` if the run in ``output`` trains other weights; warn of all else that goes on otherwise."""
    try:
        begun = dict(json.loads((output / RECIPE).read_text()))
        model = dict(begun.pop("model"))
        if "block" not in model:
            raise ValueError("it names no model")
    except (OSError, KeyError, TypeError, ValueError) as error:
        best = output / f"{BEST}.safetensors"
        raise UsageError(f"{output / RECIPE}: cannot be read ({first_line(error)}): what the run trained is not known; "
                         f"begin anew in another folder, --start-from {best}") from error  # fmt: skip
    asked = json.loads(json.dumps(recipe.to_dict()))
    wanted = asked.pop("model")
    changed = [key for key in wanted if key in model and wanted[key] != model[key]]
    if changed:
        raise UsageError(f"{output}: begun with model.{changed[0]} = {model[changed[0]]}, not {wanted[changed[0]]}: "
                         "--resume needs the same model; begin anew in another folder")  # fmt: skip
    changed = [key for key in asked if key in begun and asked[key] != begun[key]]
    for key in KEPT:
        if key in changed:
            raise UsageError(f"{output}: begun with {key} = {begun[key]}, not {asked[key]}: begin anew in another "
                             "folder, with --start-from its weights")  # fmt: skip
    if others := sorted({*changed} - LENGTHS):
        warnings.warn(f"{output}: begun with another {', '.join(others)}: the run goes on with what is asked for now, "
                      "and its record says so for all steps", PseWarning, stacklevel=2)  # fmt: skip


def _check_voices(recipe: Recipe, train_set: Mixtures) -> None:
    size = recipe.model.speaker_dim
    if recipe.mixing.scene.enrolled and train_set.dim != size:
        raise UsageError(f"the voices' embeddings have {train_set.dim} values, the recipe's model.speaker_dim is "
                         f"{size}: make them the same, or embed the voices with another encoder")  # fmt: skip


def _finish(trainer: lightning.Trainer, recipe: Recipe, output: Path, weights: Path, speaker_encoder: str) -> None:
    """Write the averaged weights, last and best, and say what there is and how to go on."""
    say = Console(soft_wrap=True, highlight=False).print
    save_averaged(output / f"{LAST}.ckpt", recipe, weights, speaker_encoder)
    if (best := output / f"{BEST}.ckpt").exists():
        save_averaged(best, recipe, best.with_suffix(".safetensors"), speaker_encoder)
    say(f"{weights}: averaged weights after step {trainer.global_step} of {recipe.steps}", markup=False)
    if any(isinstance(c, EarlyStopping) and c.wait_count >= c.patience for c in trainer.callbacks):  # type: ignore[attr-defined]
        say(f"ended by patience: {recipe.patience} validations without a gain; to train on, begin in another folder, "
            f"--start-from {weights}", markup=False)  # fmt: skip
    elif trainer.global_step < recipe.steps:
        say("stopped before the end: the same command with --resume goes on", markup=False)


def _begin(module: JointTraining, weights: Path | None) -> None:
    """Start from weights; what the recipe freezes has to come from them."""
    trained, frozen = begin_with(module.stack, weights) if weights else 0, module.recipe.frozen_blocks
    if frozen > trained:
        raise UsageError(f"frozen_blocks = {frozen}, but {trained} are trained: give the weights with --start-from")
    if weights:
        stack, record = load_stack(weights)
        if frozen and stack.config.speaker_dim != module.recipe.model.speaker_dim:
            raise UsageError(f"{weights}: has no speaker input, and frozen_blocks would keep a new one from learning")
        if frozen and stack.config.lookahead != module.recipe.model.lookahead:
            raise UsageError(f"{weights}: never looked ahead, and frozen_blocks would keep it from learning to")
        # A run without voices does not change whose the stack understands.
        module.speaker_encoder = module.speaker_encoder or str(record.get("speaker_encoder", ""))


def _drawn(checkpoint: Path) -> int:
    """Mixtures drawn before a checkpoint, by all processes; 0 if there is none."""
    if not checkpoint.exists():
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)[DRAWN])
    except (EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError) as error:
        best = checkpoint.with_name(f"{BEST}.ckpt")
        way_out = f"copy {best} over it to go on from the best validation" if best.exists() else "begin anew"
        raise UsageError(f"{checkpoint}: damaged, or of another version ({first_line(error)}); {way_out}, or "
                         "--start-from weights that are whole, in another folder") from error  # fmt: skip


def save_averaged(checkpoint: Path, recipe: Recipe, path: Path, speaker_encoder: str = "") -> None:
    """The averaged weights of a Lightning checkpoint as a safetensors file.

    An exported model takes only voices of the encoder that it was trained with, so the file names it.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    stack = BloomStack(recipe.model)
    weights = {k.removeprefix("stack."): v for k, v in content["state_dict"].items() if k.startswith("stack.")}
    stack.load_state_dict(weights)
    record = {"recipe": recipe.to_dict(), "steps": content["global_step"], "speaker_encoder": speaker_encoder}
    save_stack(stack, path, record)
