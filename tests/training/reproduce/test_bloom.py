"""The comparison as a whole: what is run, what is kept, what is reported."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pse_sdk.errors import UsageError
from pse_sdk.models import preset
from pse_sdk.training.mixing import Mixtures
from pse_sdk.training.reproduce import bloom
from pse_sdk.training.reproduce.bloom import Job, Outcome, load_recipes, plan, read, run, steps_for
from pse_sdk.training.reproduce.report import Report
from pse_sdk.training.reproduce.stages import Trial
from tests.training.reproduce.conftest import RECIPE

NOWHERE = Path("nowhere")


@pytest.mark.parametrize("size", ["tiny", "paper"])
def test_both_block_types_are_trained_alike(size: str) -> None:
    e3net, convtasnet = load_recipes(size, ["e3net", "convtasnet"]).values()
    assert (e3net.model.block, convtasnet.model.block) == ("e3net", "convtasnet")
    assert e3net.model.blocks == convtasnet.model.blocks
    assert (e3net.mixing, e3net.steps, e3net.batch) == (convtasnet.mixing, convtasnet.steps, convtasnet.batch)


def test_the_papers_size_is_the_papers_model() -> None:
    assert load_recipes("paper", ["convtasnet"])["convtasnet"].model == preset("bloom-convtasnet")


def test_a_folder_keeps_the_budget_that_it_began_with(tmp_path: Path) -> None:
    assert {job.recipe.steps for job in plan("tiny", ["e3net"], NOWHERE, tmp_path, steps=40)} == {40}
    assert {job.recipe.steps for job in plan("tiny", ["convtasnet"], NOWHERE, tmp_path)} == {40}
    with pytest.raises(UsageError, match="choose another folder"):
        plan("tiny", ["e3net"], NOWHERE, tmp_path, steps=50)
    with pytest.raises(UsageError, match="choose another folder"):
        plan("paper", ["e3net"], NOWHERE, tmp_path)
    with pytest.raises(UsageError, match="data = "):
        plan("tiny", ["e3net"], Path("elsewhere"), tmp_path)


def test_a_folder_keeps_the_recipes_that_it_began_with(tmp_path: Path) -> None:
    plan("tiny", ["e3net"], NOWHERE, tmp_path)
    held = json.loads((tmp_path / bloom.SETTINGS).read_text())
    del held["recipes"]["e3net"]["switching"]  # as a version wrote it that did not know this key
    (tmp_path / bloom.SETTINGS).write_text(json.dumps(held))
    plan("tiny", ["e3net"], NOWHERE, tmp_path)
    held["recipes"]["e3net"]["learning_rate"] = 7.0
    (tmp_path / bloom.SETTINGS).write_text(json.dumps(held))
    with pytest.raises(UsageError, match=r"recipes\.e3net\.learning_rate = 7\.0"):
        plan("tiny", ["e3net"], NOWHERE, tmp_path)


def test_what_a_folder_holds_of_the_other_blocks_stays_in_the_tables(tmp_path: Path) -> None:
    plan("tiny", ["convtasnet"], NOWHERE, tmp_path)
    assert {job.kind for job in plan("tiny", ["e3net"], NOWHERE, tmp_path)} == {"convtasnet", "e3net"}


def test_another_size_is_named_first(tmp_path: Path) -> None:
    plan("tiny", ["e3net"], NOWHERE, tmp_path)
    with pytest.raises(UsageError, match="began with size = 'tiny', not 'paper'"):
        plan("paper", ["e3net"], NOWHERE, tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"rows": 5, "seconds": 1}'])
def test_damaged_figures_are_named(tmp_path: Path, content: str) -> None:
    job = plan("tiny", ["e3net"], NOWHERE, tmp_path)[0]
    job.folder.mkdir(parents=True)
    job.scores.write_text(content)
    with pytest.raises(UsageError, match=r"scores\.json: damaged .*: remove it"):
        read(job)
    (tmp_path / bloom.SETTINGS).write_text("{")
    with pytest.raises(UsageError, match=r"settings\.json: damaged"):
        plan("tiny", ["e3net"], NOWHERE, tmp_path)


def test_the_limits_are_looked_for_with_one_block_type_only(tmp_path: Path) -> None:
    jobs = plan("tiny", ["e3net", "convtasnet"], NOWHERE, tmp_path)
    assert {job.kind for job in jobs if job.method in ("longer", "half-data")} == {"e3net"}
    assert len(jobs) == len({job.folder for job in jobs}) == 18


def test_a_finished_method_is_told_of_but_not_run_again(
    trial: Trial, held_out: Callable[..., Mixtures], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bloom, "mixtures", lambda *_: held_out())
    jobs = [Job("e3net", method, RECIPE, NOWHERE, trial.folder) for method in ("bloom", "half-data")]
    told: list[tuple[str, list[str]]] = []

    def tell(job: Job, outcome: Outcome) -> None:
        told.append((job.method, list(outcome.rows)))

    run(jobs[:1], 1, tell)
    assert read(jobs[0]).rows["bloom"].shape == (4, 3)
    monkeypatch.setattr(Trial, "train", lambda self, *_: pytest.fail("trained again") if self.share == 1 else None)
    monkeypatch.setitem(bloom.METHODS, "half-data", lambda trial: {"half-data": Halved(trial.share)})
    run(jobs, 1, tell)
    assert told == [("bloom", ["bloom"]), ("bloom", ["bloom"]), ("half-data", ["half-data"])]


class Halved:
    """Stands for a trained model, and says what share of the data it was given."""

    def __init__(self, share: float) -> None:
        assert share == 0.5

    def forward_depths(self, signal, depths):  # type: ignore[no-untyped-def]
        return [signal for _ in depths]


def test_a_budget_of_time_becomes_one_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bloom, "_seconds_per_step", lambda recipe, data: 0.1)
    recipes = load_recipes("tiny", ["e3net", "convtasnet"])
    # 2 x (8 methods, one of them with 4 models) + twice the budget + one of half the data
    assert steps_for(25 * 0.1 / 60 * 100, recipes, NOWHERE) == 100
    assert steps_for(25 * 0.1 / 60 * 100, recipes, NOWHERE, processes=2) == 200


def outcome(**rows: tuple[float, ...]) -> Outcome:
    return Outcome({row: np.array([values, values]) for row, values in rows.items()}, 1.5)


def test_a_report_shows_what_is_there_beside_the_paper(tmp_path: Path) -> None:
    report = Report({"e3net": RECIPE, "convtasnet": RECIPE})
    report.add(Job("e3net", "end-to-end", RECIPE, NOWHERE, tmp_path), outcome(full=(0, 0, 3), int=(1, 2, 3)))
    report.add(Job("e3net", "joint", RECIPE, NOWHERE, tmp_path), outcome(joint=(1, 1.5, 3)))
    (tmp_path / "page.md").write_text(
        "Ours.\n<!-- begin: pse reproduce bloom -->what was there<!-- end: pse reproduce bloom -->\nToo."
    )
    report.write(tmp_path / "page.md")
    markdown = (tmp_path / "page.md").read_text()
    assert markdown.startswith("Ours.\n")
    assert markdown.endswith("Too.")
    assert "what was there" not in markdown
    assert "| Baseline 1 Full | 0.00 | 0.00 | 3.00 | -0.60 | -0.86 |" in markdown
    assert "| BLOOM | - | - | - | 4.55 | 6.13 |" in markdown
    assert "does not hold: ours is within 0.1 dB" in markdown
    figures = json.loads((tmp_path / "page.json").read_text())
    assert figures["e3net"]["gain_db"]["joint"] == [1, 1.5, 3]
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    assert len(report.tables()) == 1  # nothing is known of the other block type


def test_a_page_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing to see.")
    with pytest.raises(UsageError, match="has no <!-- begin: pse reproduce bloom -->"):
        Report({"e3net": RECIPE}).write(page)
    assert page.read_text() == "Nothing to see."


def test_the_table_fits_80_columns(tmp_path: Path) -> None:
    report = Report({"e3net": RECIPE})
    report.add(Job("e3net", "longer", RECIPE, NOWHERE, tmp_path), outcome(longer=(-10.25, 1, 2)))
    console = Console(width=80, file=io.StringIO())
    console.print(report.tables()[0].to_rich())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "ours, 2x steps  -10.25 1.00 2.00" in shown
    assert "Baseline 1 Int.      -    -    -  4.55  6.83  7.65 8.30 8.58 8.89" in shown
