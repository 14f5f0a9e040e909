"""Training runs of a few steps, from a folder of files to a model: stopped, resumed, scheduled."""

import csv
import logging
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

from pse_sdk.errors import AudioError, PseWarning, UsageError
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.training import train as training
from pse_sdk.training.data import load_clips
from pse_sdk.training.recipe import load_recipe
from pse_sdk.training.schedule import learning_rate_factor
from pse_sdk.training.speaker.segments import Segment
from pse_sdk.training.speaker.voices import Voices

SETTINGS = ["steps=4", "batch=2", "validate_every=2", "warmup_steps=1", "decay_steps=2", "model.blocks=2",
            "model.filters=64", "model.channels=16", "model.hidden=16", "mixing.seconds=0.5",
            "mixing.speech_weights={speech=1.0}"]  # fmt: skip
Run = Callable[..., Path]
# A run of one step has no room for both.
pytestmark = pytest.mark.filterwarnings("ignore:a warm-up of 1 and a decay of 2")


@pytest.fixture
def run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(name, *settings, **options)`` trains a tiny stack in a folder of that name."""
    monkeypatch.setattr(training, "VALID_ITEMS", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def train(name: str, *settings: str, **options: object) -> Path:
        return training.train(load_recipe("small", [*SETTINGS, *settings]), folder, tmp_path / name, **options)

    return train


def logged(weights: Path, column: str) -> list[float]:
    logs = sorted((weights.parent / "log").glob("version_*/metrics.csv"))
    rows = [row for log in logs for row in csv.DictReader(log.open())]
    return [float(row[column]) for row in rows if row.get(column)]


def test_a_few_steps_of_training_make_a_model_and_go_on(run: Run) -> None:
    weights = run("a")
    stack, record = load_stack(weights)
    assert record["steps"] == 4
    assert stack.config.blocks == 2
    before = weights.read_bytes()
    with pytest.raises(UsageError, match="holds a training run"):
        run("a")
    run("a", "steps=6", resume=True)
    assert load_stack(weights)[1]["steps"] == 6
    assert weights.read_bytes() != before


def test_a_run_that_is_told_to_end_is_saved_and_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = training.JointTraining.training_step

    def kill_and_draw(module: training.JointTraining, batch: object) -> torch.Tensor:
        if module.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return draw(module, batch)

    monkeypatch.setattr(training.JointTraining, "training_step", kill_and_draw)
    weights = run("a")
    assert load_stack(weights)[1]["steps"] == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    run("a", resume=True)
    assert load_stack(weights)[1]["steps"] == 4


def test_a_run_of_another_model_is_not_gone_on_with(run: Run) -> None:
    recipe = run("a").with_name("recipe.json")
    before = recipe.read_text()
    with pytest.raises(UsageError, match=r"begun with model\.channels = 16, not 24"):
        run("a", "model.channels=24", resume=True)
    assert recipe.read_text() == before


@pytest.mark.parametrize("schedule", ["linear", "cosine", "plateau"])
def test_a_run_stopped_and_resumed_ends_with_the_weights_of_one_that_was_not(run: Run, schedule: str) -> None:
    settings = (f"schedule='{schedule}'", "plateau_patience=0", "warmup_steps=2", "steps=5")
    whole = run("whole", *settings)
    stopped = run("stopped", *settings, minutes=0.0)  # the budget is spent after the first step
    assert load_stack(stopped)[1]["steps"] == 1
    for steps in (2, 5):  # on a validation, and in between
        run("stopped", *settings, resume=True, **({"minutes": 0.0} if steps == 2 else {}))
        assert load_stack(stopped)[1]["steps"] == steps
    assert_same_weights(whole, stopped)


def assert_same_weights(first: Path, second: Path) -> None:
    expected = load_stack(first)[0].state_dict()
    for name, value in load_stack(second)[0].state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_ctrl_c_and_sigterm_leave_the_workers_to_the_process_that_saves() -> None:
    loaded = iter(DataLoader(range(12), 1, **training.loading(1, 1)))
    next(loaded)
    for worker in loaded._workers:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
    assert len(list(loaded)) == 11


def test_workers_change_nothing_but_who_draws(run: Run) -> None:
    assert_same_weights(run("here", "steps=2"), run("there", "steps=2", workers=1))


def test_a_run_ends_when_validations_bring_no_gain_and_keeps_the_best(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = run("a", "patience=2", "learning_rate=0.0", "steps=40", "ema=0.0")
    assert load_stack(weights)[1]["steps"] == 6
    assert load_stack(weights.with_name("best.safetensors"))[1]["steps"] == 2
    said = capsys.readouterr().out
    assert "ended by patience: 2 validations without a gain" in said
    assert "--resume" not in said


def test_stopping_a_run_by_hand_uses_up_no_patience(run: Run) -> None:
    settings = ("patience=1", "learning_rate=0.0", "steps=12", "validate_every=5", "ema=0.0")
    weights = run("a", *settings, minutes=0.0)
    for _ in range(3):
        run("a", *settings, minutes=0.0, resume=True)
    run("a", *settings, resume=True)
    assert load_stack(weights)[1]["steps"] == 10


def test_the_best_weights_are_those_of_the_best_validation(run: Run) -> None:
    weights = run("a", "steps=8", "ema=0.0", "learning_rate=0.03")
    gains = logged(weights, "valid/si_sdr_gain_2")
    assert len(gains) == 4
    best = gains.index(max(gains))
    assert load_stack(weights.with_name("best.safetensors"))[1]["steps"] == 2 * (best + 1)


def test_training_prints_what_is_of_use_and_nothing_else(
    run: Run, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger("lightning.pytorch").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run("a", minutes=0.0)
    printed = capfd.readouterr()
    assert printed.err == ""
    lines = printed.out.strip().splitlines()
    assert "averaged weights after step 1 of 4" in lines[-2]
    assert "--resume goes on" in lines[-1]
    assert lines[0].startswith("training")
    assert len(lines) <= 4  # the bar may need two
    assert not caplog.records
    assert logging.getLogger("lightning.pytorch").level == level


def test_schedules_rise_and_fall_as_the_recipe_says() -> None:
    settings = ["steps=100", "warmup_steps=10", "decay_steps=20"]
    linear, cosine = (load_recipe("small", [*settings, f"schedule='{kind}'"]) for kind in ("linear", "cosine"))
    assert [learning_rate_factor(linear, step) for step in (0, 4, 9, 50, 80, 90, 100)] == [0.1, 0.5, 1, 1, 1, 0.5, 0]
    assert learning_rate_factor(cosine, 4) == 0.5
    assert learning_rate_factor(cosine, 55) == pytest.approx(0.5)
    assert learning_rate_factor(cosine, 100) == pytest.approx(0)


def test_a_plateau_halves_the_learning_rate(run: Run) -> None:
    settings = ["schedule='plateau'", "plateau_patience=0", "steps=6", "ema=0.0"]
    last = run("a", *settings, "learning_rate=0.0").with_name("last.ckpt")
    state = torch.load(last, weights_only=True)["lr_schedulers"][1]
    assert state["num_bad_epochs"] == 0
    assert state["last_epoch"] == 3  # validations: the first is the best, the second and third are no better
    last = run("b", *settings, "learning_rate=1e-12").with_name("last.ckpt")
    rates = [
        group["lr"] for group in torch.load(last, weights_only=True)["optimizer_states"][0]["adamw"]["param_groups"]
    ]
    assert rates == pytest.approx([0.25e-12, 0.25e-12], rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["mixing.scene.enrolled=0.5"], "--voices"),
        (["mixing.speech_weights={gone=1.0}"], "'gone'"),
        (["mixing.noise_weights={c0=0.0, c1=0.0}"], "noise_weights: at least one weight must be above 0"),
    ],
)
def test_what_a_recipe_needs_and_lacks_is_said_before_training(run: Run, settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run("a", *settings)


def test_a_recipe_without_rooms_needs_no_room_responses(run: Run, folder: Path, tmp_path: Path) -> None:
    rows = [line for line in (folder / "index.csv").read_text().splitlines() if ",rir," not in line]
    (tmp_path / "index.csv").write_text("\n".join(rows))
    for file in folder.glob("*.flac"):
        (tmp_path / file.name).symlink_to(file)
    with pytest.raises(AudioError, match=r"mixing\.room=0"):
        training.train(load_recipe("small", SETTINGS), tmp_path, tmp_path / "a")
    weights = training.train(load_recipe("small", [*SETTINGS, "steps=1", "mixing.room=0"]), tmp_path, tmp_path / "b")
    assert load_stack(weights)[1]["steps"] == 1


def test_resuming_a_finished_run_leaves_it_as_it_is(run: Run) -> None:
    before = load_stack(run("a", "steps=2"))[0].state_dict()
    after = load_stack(run("a", "steps=2", resume=True))[0].state_dict()
    for name, value in after.items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:.*begun with another mixing")
def test_weights_name_the_encoder_of_their_voices_and_voices_of_another_size_are_refused(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "voices").mkdir()
    for split in ("train", "valid"):
        clips = load_clips(folder, "speech", split)
        segments = [Segment(i, at, 8000) for i in range(2) for at in (0, 8000)]
        voices = Voices(clips, segments, np.ones((4, 1, 8), np.float32), encoder="abc")
        voices.save(tmp_path / "voices" / f"{split}.npz")
    settings = ["mixing.scene.enrolled=0.5", "model.speaker_dim=16", "steps=1"]
    with pytest.raises(UsageError, match=r"8 values.*is 16"):
        run("a", *settings, voices=tmp_path / "voices")
    weights = run("b", *settings[::2], "model.speaker_dim=8", voices=tmp_path / "voices")
    assert load_stack(weights)[1]["speaker_encoder"] == "abc"
    # A run without voices begins with what understands them, and does not need it again to go on.
    (tmp_path / "start.safetensors").write_bytes(weights.read_bytes())
    settings = ["model.speaker_dim=8", "decay_steps=1"]
    run("c", *settings, "steps=1", start_from=tmp_path / "start.safetensors")
    (tmp_path / "start.safetensors").unlink()
    assert load_stack(run("c", *settings, "steps=2", resume=True))[1]["speaker_encoder"] == "abc"
    for split, encoder in (("valid", "xyz"), ("train", "xyz")):
        clips = load_clips(folder, "speech", split)
        segments = [Segment(i, at, 8000) for i in range(2) for at in (0, 8000)]
        Voices(clips, segments, np.ones((4, 1, 8), np.float32), encoder=encoder).save(
            tmp_path / "voices" / f"{split}.npz"
        )
        message = "different speaker encoders" if split == "valid" else "began with voices of speaker encoder abc"
        with pytest.raises(UsageError, match=message):
            run("c", *settings, "steps=3", "mixing.scene.enrolled=0.5", voices=tmp_path / "voices", resume=True)


def test_several_processes_draw_as_many_items_more_and_go_on_where_they_were(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[tuple[int, int]] = []
    real = training.mixtures

    def mixtures(folder, split, recipe, items, seed, first=0, voices=None, share=1.0):
        if split == "train":
            drawn.append((items, first))
            raise InterruptedError
        return real(folder, split, recipe, items, seed, first, voices, share)

    run("a", "steps=2", "batch=3")  # 6 mixtures
    monkeypatch.setattr(training, "mixtures", mixtures)
    for name, resume in (("b", False), ("a", True)):
        with pytest.raises(InterruptedError):
            run(name, "steps=5", "batch=3", processes=2, resume=resume)
    assert drawn == [(30, 0), (30, 6)]


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_processes_take_turns_at_the_items_in_their_order(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    items = [*range(12)]
    assert [*training.InOrder(items, 1)] == items  # type: ignore[arg-type]
    monkeypatch.setattr(training.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(training.distributed, "get_rank", lambda: rank)
    sampler = training.InOrder(items, 3)  # type: ignore[arg-type]
    assert (len(sampler), [*sampler]) == (4, items[rank::3])
    # Lightning replaces every other sampler of a run of several processes, by one that shuffles.
    assert isinstance(sampler, DistributedSampler)


def test_a_run_that_is_made_longer_takes_no_step_at_the_old_ends_rate(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[list[float]] = []
    counted = training.JointTraining.on_train_batch_start

    def noted(module: training.JointTraining, *batch: object) -> None:
        rates.append([group["lr"] for group in module.trainer.optimizers[0].param_groups])
        counted(module, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(training.JointTraining, "on_train_batch_start", noted)
    run("longer", "steps=3")
    run("longer", "steps=6", resume=True)
    added = rates[3:]
    rates.clear()
    run("at once", "steps=6")
    assert added == rates[3:]


def test_a_run_begins_with_the_weights_that_it_is_given(run: Run) -> None:
    first = run("a", "steps=1")
    second = run("b", "steps=1", "learning_rate=0", start_from=first)
    before, after = load_stack(first)[0].state_dict(), load_stack(second)[0].state_dict()
    for name, value in after.items():
        torch.testing.assert_close(value, before[name])
    with pytest.raises(UsageError, match=r"frozen_blocks = 1, but 0 are trained"):
        run("c", "frozen_blocks=1")
    with pytest.raises(UsageError, match="has no speaker input, and frozen_blocks would keep a new one"):
        run("d", "frozen_blocks=1", "model.speaker_dim=8", start_from=first)
    window = load_recipe("small", SETTINGS).model.window
    with pytest.raises(UsageError, match="never looked ahead, and frozen_blocks would keep it from learning to"):
        run("e", "frozen_blocks=1", "model.lookahead=1", f"model.window={window + 160}", start_from=first)


def test_a_loss_that_is_no_number_ends_the_run_before_the_weights_are_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.JointTraining, "_distance", lambda *_: torch.full((), torch.nan, requires_grad=True))
    with pytest.raises(UsageError, match="the loss of step 0 is not a number"):
        run("a")


def test_steps_are_logged_by_their_number_however_often_a_run_went_on(run: Run) -> None:
    for steps in (3, 5, 7):
        weights = run("a", f"steps={steps}", "validate_every=100", resume=True)
    assert logged(weights, "step")[-1] == 6  # counted from 0
    for steps in (2, 4):
        weights = run("b", f"steps={steps}", "validate_every=2", resume=True)
    assert logged(weights, "step")[-1] == 3


def test_a_run_whose_folder_was_moved_keeps_what_was_best(run: Run, tmp_path: Path) -> None:
    weights = run("a", "validate_every=1")
    best = int(np.argmax(logged(weights, "valid/si_sdr_gain_2")))
    state = torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["callbacks"]
    score = next(s for key, s in state.items() if key.startswith("KeepBest"))["best_model_score"]
    (tmp_path / "a").rename(tmp_path / "b")
    run("b", "validate_every=1", "steps=5", "learning_rate=0.001", resume=True)
    state = torch.load(tmp_path / "b" / "last.ckpt", weights_only=True)["callbacks"]
    kept = next(s for key, s in state.items() if key.startswith("KeepBest"))
    assert kept["best_model_score"] >= score
    assert load_stack(tmp_path / "b" / "best.safetensors")[1]["steps"] in (best + 1, 5)


@pytest.mark.parametrize("minutes", [float("inf"), float("nan"), -1.0])
def test_a_limit_of_time_is_a_number(run: Run, minutes: float) -> None:
    with pytest.raises(UsageError, match="minutes = "):
        run("a", minutes=minutes)


def test_any_seed_trains(run: Run) -> None:
    assert load_stack(run("a", "steps=1", "seed=20260101123456"))[1]["steps"] == 1


def test_a_run_ends_with_a_validation_and_so_always_has_its_best_weights(run: Run) -> None:
    weights = run("a", "steps=3", "validate_every=500", "decay_steps=1")
    assert len(logged(weights, "valid/si_sdr_gain_2")) == 1
    assert load_stack(weights.with_name("best.safetensors"))[1]["steps"] == 3
    weights = run("b", "steps=5", "validate_every=2")
    assert len(logged(weights, "valid/si_sdr_gain_2")) == 3


def test_a_run_goes_on_as_it_began_or_says_what_is_other(run: Run, tmp_path: Path) -> None:
    run("a")
    with pytest.warns(PseWarning, match="begun with another batch, seed"):
        run("a", "steps=6", "batch=3", "seed=9", resume=True)
    for setting, message in (
        ("frozen_blocks=1", "begun with frozen_blocks = 0, not 1"),
        ("learning_rate=0.1", "begun with learning_rate = 0.001, not 0.1"),
        ("schedule='cosine'", "begun with schedule = linear, not cosine"),
        ("patience=3", "begun with patience = 0, not 3"),
    ):
        with pytest.raises(UsageError, match=message):
            run("a", "steps=8", setting, resume=True)
    recipe = tmp_path / "a" / "recipe.json"
    kept = recipe.read_text()
    for damaged in (kept[:40], "{}", "[]", "3", '{"model": 3}', '{"model": {}}'):
        recipe.write_text(damaged)
        with pytest.raises(UsageError, match=r"recipe\.json: cannot be read .*--start-from"):
            run("a", "steps=8", "batch=3", "seed=9", resume=True)
    recipe.write_text(kept)
    last = tmp_path / "a" / "last.ckpt"
    assert not last.with_suffix(".new").exists()
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(UsageError, match=r"last\.ckpt: damaged, or of another version .*copy \S+best\.ckpt over it"):
        run("a", "steps=8", resume=True)


def test_a_schedule_that_does_not_fit_into_the_run_is_told(run: Run) -> None:
    with pytest.warns(PseWarning, match="a decay of 9 steps do not fit into 4: the learning rate never reaches 0.001"):
        run("a", "decay_steps=9")
