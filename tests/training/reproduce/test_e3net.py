"""E3Net against pDCCRN: budgets end trainings, weights are reused, speed is taken in turns, pages keep their prose."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pse_sdk.errors import UsageError
from pse_sdk.load import Clocks
from pse_sdk.models.config import StackConfig
from pse_sdk.profiling.frames import Time
from pse_sdk.training.mixing import Mixture
from pse_sdk.training.recipe import load_recipe
from pse_sdk.training.reproduce.e3net import report, speed, train
from pse_sdk.training.reproduce.e3net.budget import Budget, Spending, learning_rate_factor
from pse_sdk.training.reproduce.e3net.candidates import CANDIDATES, Candidate, enhance, make
from pse_sdk.training.reproduce.e3net.quality import score, score_noisy
from tests.conftest import CONFIGS, TINY_PDCCRN, voice

SIXTEEN_KHZ = TINY_PDCCRN.replace(window=512, hop=256)
TINY_CANDIDATES = {
    "e3net": Candidate("e3net-tiny", CONFIGS["e3net-16k"].replace(speaker_dim=5), 1.0, 0.1),
    "pdccrn": Candidate("pdccrn", SIXTEEN_KHZ, 1.0, 0.3),
}


@pytest.fixture(params=TINY_CANDIDATES, ids=str)
def candidate(request: pytest.FixtureRequest) -> Candidate:
    return TINY_CANDIDATES[request.param]


class OneMixture:
    """A voice in noise, as often as it is asked for."""

    def __init__(self) -> None:
        self.target = voice(0.5)[8000:]
        self.noisy = self.target + 0.05 * np.random.default_rng(0).standard_normal(len(self.target)).astype(np.float32)

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, _: int) -> Mixture:
        return Mixture(self.noisy, self.target, np.zeros(0, np.float32), False, self.noisy - self.target)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Trains a candidate on one mixture: ``run(candidate, budget, data="data")``."""
    monkeypatch.setattr(train, "mixtures", lambda *_: OneMixture())
    recipe = load_recipe("e3net-comparison", ["batch=2", "learning_rate=0.03"])
    return lambda candidate, budget, data="data": train.train(candidate, recipe, budget, tmp_path / data, tmp_path)


def test_training_brings_the_output_nearer_to_the_target_in_so_many_steps(run, candidate: Candidate) -> None:
    model, record = run(candidate, Budget(steps=25))
    before, after = make(candidate.config, seed=1).eval(), model
    noisy, target = (torch.from_numpy(x)[None] for x in (OneMixture().noisy, OneMixture().target))
    with torch.inference_mode():
        errors = [float((enhance(m, noisy) - target).square().mean()) for m in (before, after)]
    assert (record["steps"], record["mixtures"]) == (25, 50)
    assert errors[1] < 0.8 * errors[0]


def test_what_is_trained_with_the_same_settings_is_not_trained_again(run, candidate: Candidate) -> None:
    first, record = run(candidate, Budget(steps=2))
    again, same = run(candidate, Budget(steps=2))
    assert same == record
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert run(candidate, Budget(steps=3))[1]["steps"] == 3
    assert run(candidate, Budget(steps=2), "other")[1]["asked"] != record["asked"]


def test_a_budget_of_minutes_ends_with_them() -> None:
    now = [100.0]
    spending = Spending(Budget(minutes=2), lambda: now[0])
    now[0] += 90
    assert spending.share(steps=5) == pytest.approx(0.75)
    assert spending.minutes() == pytest.approx(1.5)


def test_the_learning_rate_rises_stays_and_falls_to_nothing_with_the_budget() -> None:
    shares = [0.0, 0.025, 0.05, 0.5, 0.6, 0.8, 1.0, 1.1]
    assert [learning_rate_factor(s) for s in shares] == pytest.approx([0.1, 0.5, 1, 1, 1, 0.5, 0, 0])


@pytest.mark.parametrize(
    "wrong", [{}, {"minutes": 1.0, "steps": 1}, {"steps": -1}, {"minutes": 0.0}, {"minutes": float("nan")}]
)
def test_a_budget_is_either_minutes_or_steps(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="budget"):
        Budget(**wrong)  # type: ignore[arg-type]


def test_the_noisy_input_itself_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pesq")
    mixture = OneMixture()
    long = 2 * [(np.tile(mixture.noisy, 2), np.tile(mixture.target, 2))]
    monkeypatch.setattr("pse_sdk.training.reproduce.e3net.quality.enhance", lambda _, noisy: noisy)
    gains = score(make(SIXTEEN_KHZ, seed=0), score_noisy(long))
    assert gains["si_sdr_gain"] == pytest.approx(0, abs=1e-4)
    assert gains["pesq_gain"] == pytest.approx(0, abs=1e-4)


def test_the_speedup_is_that_of_the_processors_time_per_second_of_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that ticks once each time it is read: every frame takes a tick, and so does every second of audio.
    ticks = iter(range(10**9))
    clock = Time(Clocks(wall=lambda: 0.0, cpu=lambda: float(next(ticks))), sleep=lambda _: None)
    monkeypatch.setattr(speed, "TURN", 3)
    measured = speed.measure_speed(list(TINY_CANDIDATES.values()), 2, lambda _: None, clock)
    assert set(measured) == {"e3net-tiny", "e3net-tiny-int8", "pdccrn"}
    assert measured["e3net-tiny"]["paced_factor"] == pytest.approx(1 / 0.010)
    assert measured["pdccrn"]["paced_factor"] == pytest.approx(1 / 0.016)
    assert measured["e3net-tiny"]["hot_factor"] == pytest.approx(1 / 0.010)
    assert measured["e3net-tiny"]["paced_speedup"] == pytest.approx(10 / 16)
    assert measured["pdccrn"]["paced_speedup"] == 1
    assert measured["pdccrn"]["file_factor"] == pytest.approx(1 / (62 * 0.016))


def test_the_candidates_have_the_papers_parameters_within_3_percent() -> None:
    for candidate in CANDIDATES:
        assert candidate.cost().parameters / 1e6 == pytest.approx(candidate.paper_parameters, rel=0.03)
    blocks = [c.config.blocks for c in CANDIDATES if isinstance(c.config, StackConfig)]
    assert blocks == [2, 4, 8]


def some_results() -> report.Results:
    factors = {"paced_factor": 0.09, "hot_factor": 0.05, "file_factor": 0.02}
    speedups = {"paced_speedup": 2.5, "hot_speedup": 3.0, "file_speedup": 4.5}
    timing = {"wall_ms": 1.0, "cpu_ms": 0.9, **factors, **speedups}
    quality = {"si_sdr_gain": 1.5, "si_sdr_gain_error": 0.1, "pesq_gain": 0.2, "pesq_gain_error": 0.01}
    return report.Results(
        conditions={"speed": "On a machine.", "quality": "On mixtures.", "training": "For a minute"},
        speed={"e3net-4": timing, "e3net-4-int8": timing | {"paced_speedup": 7.0}},
        training={"e3net-4": {"steps": 7, "mixtures": 28, "audio_minutes": 0.9}},
        quality={"e3net-4": quality},
    )


def test_a_page_keeps_its_prose_and_gets_the_new_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = (f"<!-- {word}: pse reproduce e3net -->" for word in ("begin", "end"))
    page.write_text(f"Before.\n{begin}\nold table\n{end}\nAfter.\n", encoding="utf-8")
    report.write_page(some_results(), page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "old table" not in text
    assert "1.50 ± 0.10" in text
    assert "paced 2.50 times (missed); hot 3.00 times (reached); files 4.50 times (reached)" in text


def test_what_was_not_measured_is_left_out() -> None:
    results = some_results()
    results.speed = {}
    assert [section.caption for section in report.sections(results)] == ["On mixtures."]
    assert report.verdict(results) == "Speed was not measured."


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Mine.", encoding="utf-8")
    with pytest.raises(UsageError, match="to write between"):
        report.write_page(some_results(), page)
    assert page.read_text(encoding="utf-8") == "Mine."


def test_results_come_back_as_they_were_written_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert report.Results.read(path) == report.Results()
    some_results().write(path)
    assert report.Results.read(path) == some_results()
    path.write_text('{"other": 1}')
    with pytest.raises(UsageError, match="not results"):
        report.Results.read(path)


def test_only_what_has_both_speed_and_quality_is_drawn(tmp_path: Path) -> None:
    results = some_results()
    results.quality["pdccrn"] = results.quality["e3net-4"]
    assert [c.name for c in report.drawable(results)] == ["e3net-4"]
    report.draw(results, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
