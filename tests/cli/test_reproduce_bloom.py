"""``pse reproduce bloom``: the table beside the paper's, and a mistake in one line."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pse_sdk.cli.main import app
from pse_sdk.errors import UsageError
from pse_sdk.training.reproduce import bloom
from pse_sdk.training.reproduce.bloom import Outcome


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "index.csv").write_text("path\n")
    return tmp_path


def test_the_table_stands_beside_the_papers(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(jobs, processes, tell):  # type: ignore[no-untyped-def]
        assert {job.recipe.steps for job in jobs} == {16}
        for job in jobs:
            if job.method == "joint":
                tell(job, Outcome({"joint": np.full((2, 4), 1.25)}, 3.0))

    monkeypatch.setattr(bloom, "run", run)
    out = data / "out"
    result = CliRunner().invoke(app, ["reproduce", "bloom", "-o", str(out), "--steps", "16", "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "e3net      joint       1.25   1.25   1.25   1.25   (3 s)" in result.output
    assert "ours, switching" in result.output
    assert "7.65" in result.output  # the paper's upper bound at depth 3
    assert "missing, trained by the same command without --report-only: e3net end-to-end, e3net chain" in result.output
    assert {"reproduce-bloom.md", "reproduce-bloom.json", "reproduce-bloom.png"} <= {
        path.name for path in out.iterdir()
    }


def test_mixtures_can_be_changed_for_data_of_ones_own_and_nothing_else(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    monkeypatch.setattr(
        bloom, "run", lambda jobs, processes, tell: weights.extend(j.recipe.mixing.speech_weights for j in jobs)
    )
    arguments = ["reproduce", "bloom", "-o", str(data / "out"), "--data", str(data), "--set"]
    result = CliRunner().invoke(app, [*arguments, "mixing.speech_weights={}"])
    assert result.exit_code == 0, result.output
    assert weights
    assert not any(weights)
    assert "not used here; change mixing.KEY" in str(CliRunner().invoke(app, [*arguments, "steps=3"]).exception)


def test_a_report_alone_trains_nothing_and_needs_no_recordings(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bloom, "_run", lambda job: pytest.fail("trained"))
    monkeypatch.delenv("PSE_DATA", raising=False)
    bloom.plan("tiny", ["e3net"], data, data / "out")
    begun = (data / "out" / bloom.SETTINGS).read_text()
    arguments = ["reproduce", "bloom", "--report-only", "--blocks", "e3net", "-o"]
    result = CliRunner().invoke(app, [*arguments, str(data / "out")])
    assert result.exit_code == 0, result.output
    assert "missing" in result.output
    assert (data / "out" / bloom.SETTINGS).read_text() == begun
    result = CliRunner().invoke(app, [*arguments, str(data / "mistyped")])
    assert "holds no comparison" in str(result.exception)
    assert not (data / "mistyped").exists()


def test_what_could_not_be_written_is_told_before_the_training(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bloom, "run", lambda *_: pytest.fail("trained"))
    (data / "page.md").write_text("a page of mine")
    arguments = ["reproduce", "bloom", "-o", str(data / "out"), "--data", str(data), "--page", str(data / "page.md")]
    result = CliRunner().invoke(app, arguments)
    assert "to write between" in str(result.exception)


def test_a_time_too_short_for_every_stage_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bloom, "_seconds_per_step", lambda *_: 0.3)
    arguments = ["reproduce", "bloom", "-o", str(data / "out"), "--data", str(data), "--minutes", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert "minutes or more" in str(result.exception)
    assert not (data / "out" / bloom.SETTINGS).exists()


def test_a_budget_is_given_in_one_way_only(data: Path) -> None:
    arguments = ["reproduce", "bloom", "-o", str(data / "out"), "--data", str(data), "--steps", "20", "--minutes", "5"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert "--steps and --minutes" in str(result.exception)
