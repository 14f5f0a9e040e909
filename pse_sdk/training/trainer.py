"""The Lightning trainer of a recipe: what it logs, shows and keeps, and when it stops."""

from __future__ import annotations

import math
import signal
import threading
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
    Timer,
)
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from pse_sdk.errors import UsageError
from pse_sdk.training.averaging import ExponentialAverage
from pse_sdk.training.precision import precision_here
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.schedule import PlateauStep, monitored

# Names of checkpoints in the output folder, without their ending.
LAST, BEST = "last", "best"


def make_trainer(recipe: Recipe, output: Path, processes: int = 1, minutes: float | None = None) -> lightning.Trainer:
    """A trainer that writes ``last.ckpt``, ``best.ckpt`` and logs to ``output``.

    Parameters
    ----------
    processes : CPU processes or GPUs, with averaged gradients (distributed data parallel)
    minutes : wall-clock time after which the run is saved and ends
    """
    return lightning.Trainer(
        accelerator="auto",
        devices=processes,
        strategy="ddp_find_unused_parameters_true" if processes > 1 else "auto",
        precision=precision_here(recipe.precision),
        max_steps=recipe.steps,
        gradient_clip_val=recipe.gradient_clip,
        val_check_interval=recipe.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=max(1, min(50, recipe.steps // 4)),
        enable_model_summary=False,
        logger=_loggers(output),
        callbacks=_callbacks(recipe, output, minutes),
    )


def _loggers(output: Path) -> list[Logger]:
    loggers: list[Logger] = [CSVLogger(output, name="log")]
    if find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(output, name="tensorboard"))
    return loggers


def _callbacks(recipe: Recipe, output: Path, minutes: float | None) -> list[lightning.Callback]:
    callbacks: list[lightning.Callback] = [
        ExponentialAverage(recipe.ema),
        PlateauStep(recipe.validate_every),
        Progress(recipe),
        KeepBest(
            output,
            filename=BEST,
            monitor=monitored(recipe),
            mode="max",
            enable_version_counter=False,
            save_on_train_epoch_end=False,
        ),
        StopWhenAsked(),
        ValidateTheEnd(),
        KeepLast(output / f"{LAST}.ckpt"),
    ]
    if recipe.patience:
        callbacks.append(RegularEarlyStopping(recipe))
    if minutes is not None:
        if not 0 <= minutes < math.inf:
            raise UsageError(f"minutes = {minutes}: a number from 0 on, or none for no limit")
        callbacks.append(Budget(timedelta(minutes=minutes)))
    return callbacks


class RegularEarlyStopping(EarlyStopping):
    """Counts the regular validations, not the one that ends a run before its last step: it will go on."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(monitored(recipe), patience=recipe.patience, mode="max")
        self.every = recipe.validate_every

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.global_step % self.every == 0:
            super().on_validation_end(trainer, pl_module)


class Budget(Timer):
    """Lightning's timer, started anew when a run goes on: the budget is that of one command, of one step at least."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def on_fit_start(self, *_: Any, **__: Any) -> None:
        """Nothing is spent before the first step; Lightning's timer would count an earlier run."""


class StopWhenAsked(lightning.Callback):
    """The first Ctrl-C or SIGTERM ends the run, saved, after the step at hand; the second ends the process.

    Lightning's own handler of SIGTERM has the processes of a run talk to each other, for ever if one of them waits for
    another's gradients just then.
    """

    def __init__(self) -> None:
        self.asked = False

    def on_train_start(self, *_: Any) -> None:
        # Lightning has set its own handlers by now, and will put those back that were there before.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._ask)

    def _ask(self, number: int, _: Any) -> None:
        self.asked = True
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            trainer.should_stop = True


class ValidateTheEnd(lightning.Callback):
    """Ends a run at its last step as if it were told to stop: Lightning validates such a run, and no other one."""

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True


class KeepBest(ModelCheckpoint):
    """Lightning's, which forgets what was best where the folder was moved since."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def moved(path: str) -> str:
            return str(Path(self.dirpath or "") / Path(path).name) if path else path

        paths = {key: moved(state_dict[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})


class KeepLast(Checkpoint):
    """Saves the run after each validation and before it ends, so that it can go on to the step.

    Not after it has ended: by then Lightning has put the averaged weights in place of those that were trained.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_validation_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        self._save(trainer)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.should_stop or trainer.global_step >= trainer.max_steps:
            self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        # Not over the old one: Lightning writes elsewhere first, and moving from another disk is copying.
        whole = self.path.with_suffix(".new")
        trainer.save_checkpoint(whole, weights_only=False)
        if trainer.is_global_zero:
            whole.replace(self.path)


class Progress(RichProgressBar):
    """One line: steps, time, the deepest head's loss and its gain in dB at the last validation."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(leave=True, theme=RichProgressBarTheme(metrics_format=".2f"))
        self.shown = {"loss": f"train/loss_{recipe.model.blocks}", "gain dB": monitored(recipe)}

    @property
    def total_train_batches(self) -> int:
        """Steps in all; Lightning's bar would show those that are left when a run goes on."""
        return self.trainer.max_steps

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, _: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, trainer.global_step - 1)

    def _get_train_description(self, *_: Any) -> str:
        return "training"

    def get_metrics(self, trainer: lightning.Trainer, *_: Any) -> dict[str, Any]:
        known = trainer.callback_metrics
        return {name: known[key].item() for name, key in self.shown.items() if key in known}
