"""BLOOM-Net's comparison (arXiv 2111.09372, Table 1) on our data: every method, both block types, one budget."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pse_sdk.errors import UsageError, first_line
from pse_sdk.files import write_atomically
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe, load_recipe
from pse_sdk.training.reproduce.methods import METHODS, SHARES
from pse_sdk.training.reproduce.score import Gains, gains
from pse_sdk.training.reproduce.stages import Trial
from pse_sdk.training.train import VALID, VALID_SEED, mixtures
from pse_sdk.workers import worker_pool

# What was settled when the comparison began.
SETTINGS = "settings.json"
# Held-out mixtures of 5 s that every model is scored on.
ITEMS = 200
# What tells time from data as the limit concerns the training, not the blocks: one block type is enough.
LIMITS, LIMITS_KIND = ("longer", "half-data"), "e3net"
# What trains changes of depth needs a model that streams, which the paper's Conv-TasNet blocks do not.
STREAMED = ("switching",)


@dataclass(frozen=True)
class Job:
    """One method for one block type. Jobs need nothing of each other, so they may run side by side."""

    kind: str
    method: str
    recipe: Recipe
    data: Path
    output: Path

    @property
    def folder(self) -> Path:
        return self.output / self.kind / self.method

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"

    @property
    def done(self) -> bool:
        return self.scores.exists()


@dataclass(frozen=True)
class Outcome:
    """Gains [mixtures, depths] of each row that a method gives to the table, and the seconds that it took."""

    rows: dict[str, Gains]
    seconds: float


def load_recipes(size: str, kinds: Sequence[str], changes: Sequence[str] = ()) -> dict[str, Recipe]:
    """The recipes of a size, by block type; ``changes`` are ``key=value``, for all of them."""
    return {kind: load_recipe(f"bloom-{size}-{kind}", changes) for kind in kinds}


def plan(
    size: str,
    kinds: Sequence[str],
    data: Path | None,
    output: Path,
    steps: int | None = None,
    changes: Sequence[str] = (),
) -> list[Job]:
    """All jobs, those of other ``kinds`` that the folder holds as well: they stand in the same tables.

    The first call in a folder settles size, data and budget: ``steps``, or the recipes' own. ``data`` is None to report
    what was done, without the recordings.

    Raises `UsageError` where ``output`` holds a comparison of something else: figures of both would stand in one table.
    """
    path = output / SETTINGS
    held = _read(path) if path.exists() else {}
    recipes = load_recipes(size, list(dict.fromkeys([*held.get("recipes", {}), *kinds])), changes)
    budget = steps or held.get("steps") or next(iter(recipes.values())).steps
    used = {kind: recipe.to_dict() for kind, recipe in recipes.items()}
    asked = {"size": size, "steps": budget, "data": str(data.resolve()) if data else held.get("data"), "recipes": used}
    settings = json.loads(json.dumps(asked))
    for key, before, now in _changed(held, settings):
        raise UsageError(f"{output} holds a comparison that began with {key} = {before!r}, not {now!r}: choose another "
                         "folder")  # fmt: skip
    if data and settings != held:
        output.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=1))
    folder = data or Path(settings["data"] or "")
    return [
        Job(kind, method, Trial(recipe, folder, output).part(budget), folder, output)
        for kind, recipe in recipes.items()
        for method in METHODS
        if (method not in LIMITS or kind == LIMITS_KIND) and (method not in STREAMED or recipe.model.norm != "global")
    ]


def _changed(before: dict[str, Any], now: dict[str, Any], where: str = "") -> Iterator[tuple[str, object, object]]:
    """Values that are in both and differ, by dotted key; what an older version did not know is no change."""
    for key in [key for key in now if key in before]:
        if isinstance(before[key], dict) and isinstance(now[key], dict):
            yield from _changed(before[key], now[key], f"{where}{key}.")
        elif before[key] != now[key]:
            yield f"{where}{key}", before[key], now[key]


def run(jobs: list[Job], processes: int, tell: Callable[[Job, Outcome], None]) -> None:
    """Run what is not done yet; ``tell`` hears of every job, those done earlier included, as it ends."""
    torch.set_num_threads(1)
    missing = [job for job in jobs if not job.done]
    for job in jobs:
        if job.done:
            tell(job, read(job))
    for job in _side_by_side(missing, processes) if processes > 1 else map(_run, missing):
        tell(job, read(job))


def read(job: Job) -> Outcome:
    """What a finished job left."""
    content = _read(job.scores)
    try:
        return Outcome({row: np.array(values) for row, values in content["rows"].items()}, content["seconds"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(job.scores, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path}: damaged ({first_line(error)}): remove it, and the same command makes it anew")


def _run(job: Job, side_by_side: int = 1) -> Job:
    torch.set_num_threads(1)
    job.folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    models = METHODS[job.method](Trial(job.recipe, job.data, job.folder, SHARES.get(job.method, 1.0), side_by_side))
    held_out = mixtures(job.data, "valid", VALID, ITEMS, VALID_SEED)
    rows = {row: gains(model, held_out, job.recipe.model.blocks).round(3).tolist() for row, model in models.items()}
    with write_atomically(job.scores) as temporary:
        temporary.write_text(json.dumps({"seconds": round(time.monotonic() - start, 1), "rows": rows}))
    return job


def _side_by_side(jobs: list[Job], processes: int) -> Iterator[Job]:
    with worker_pool(processes) as pool:
        for done in as_completed([pool.submit(_run, job, processes) for job in jobs]):
            yield done.result()


def steps_for(minutes: float, recipes: dict[str, Recipe], data: Path, processes: int = 1) -> int:
    """The budget with which everything takes about so many minutes, if all methods cost what ours does."""
    seconds = sum(_seconds_per_step(recipe, data) for recipe in recipes.values()) / len(recipes)
    blocks = next(iter(recipes.values())).model.blocks
    # Every method takes one budget, but for the models per depth, and for twice the budget.
    budgets = len(recipes) * (len(METHODS) - len(LIMITS) + blocks - 1) + (3 if LIMITS_KIND in recipes else 0)
    return max(1, round(60 * minutes * processes / (seconds * budgets)))


def _seconds_per_step(recipe: Recipe, data: Path, steps: int = 10) -> float:
    """Wall time of a step of the joint training; from two short runs, so that what starting costs is left out."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 1 + steps):
            start = time.monotonic()
            Trial(recipe, data, Path(folder)).fit(JointTraining(dataclasses.replace(recipe, steps=count)))
            times.append(time.monotonic() - start)
    return (times[1] - times[0]) / steps
