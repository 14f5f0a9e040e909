"""``pse simulate`` and ``pse record-load``: a table, JSON or a picture of traces by name or file."""

import json
from pathlib import Path

import pytest

from pse_sdk.cli import main
from pse_sdk.simulate import load_trace, save_trace, synthetic_trace


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        monkeypatch.setattr("sys.argv", ["pse", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_the_table_shows_the_controller_beside_oracles_and_fixed_depths_in_80_columns(run) -> None:
    code, out, _ = run("simulate", "idle", "--profile", "battery")
    assert code == 0
    for word in ("idle", "controller", "oracle", "steady oracle", "fixed 1", "fixed 2"):
        assert word in out
    assert "fixed 3" not in out  # more than the profile allows
    assert all(len(line) <= 80 for line in out.splitlines()[:8])


def test_json_has_the_same_figures_at_every_call(run, tmp_path: Path) -> None:
    save_trace(synthetic_trace("bursts"), tmp_path / "mine.npz")
    first = run("simulate", tmp_path / "mine.npz", "--json")
    assert first == run("simulate", tmp_path / "mine.npz", "--json")
    by_name = json.loads(run("simulate", "bursts", "--json")[1])
    assert json.loads(first[1])["traces"][str(tmp_path / "mine.npz")] == by_name["traces"]["bursts"]
    assert by_name["traces"]["bursts"]["fixed 5"]["mean_depth"] == 5


def test_recordings_of_one_name_are_told_apart_by_their_files(run, tmp_path: Path) -> None:
    for file in ("a.npz", "b.npz"):
        save_trace(synthetic_trace("idle"), tmp_path / file)
    both = json.loads(run("simulate", tmp_path / "a.npz", tmp_path / "b.npz", "idle", "--json")[1])["traces"]
    assert list(both) == [str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "idle"]


def test_a_picture_is_drawn(run, tmp_path: Path) -> None:
    code, _, err = run("simulate", "step", "hog", "--plot", tmp_path / "load.png")
    assert (code, "wrote" in err) == (0, True)
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "weekday"], "unknown trace 'weekday': choose one of idle, busy,"),
        (["simulate", "gone.npz"], "gone.npz: no such file"),
        (["simulate", "foreign.npz"], "foreign.npz: not a load trace"),
        (["simulate", "idle", "--profile", "turbo"], "unknown profile 'turbo'"),
        (["simulate", "idle", "--profile", "fixed-9"], "depth 9, but trace idle is of a model with depths"),
        (["simulate", "idle", "--plot", "load.bmp"], "pictures are written as"),
        (["record-load", "trace.csv"], "ends in .npz"),
        (["record-load", "no/such/trace.npz"], "no/such/trace.npz: there is no folder no/such"),
    ],
)
def test_a_mistake_is_one_line(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign.npz").write_bytes(b"nothing of ours")
    code, _, err = run(*arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_load_is_recorded_and_replayed(run, tmp_path: Path, tiny_model: Path, monkeypatch) -> None:
    monkeypatch.setattr("pse_sdk.simulate.record.CALIBRATION", 5)
    code, _, err = run("record-load", tmp_path / "here.npz", "--seconds", 1, "--model", tiny_model)
    assert (code, "100 frames" in err) == (0, True)
    trace = load_trace(tmp_path / "here.npz")
    assert (trace.name, trace.frames, trace.depths) == ("here", 100, 3)
    assert run("simulate", tmp_path / "here.npz")[0] == 0


def test_no_name_and_no_figure_is_lost_in_a_narrow_terminal(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    _, out, _ = run("simulate", "hog")
    assert "…" not in out
    assert "  steady oracle " in out
    assert "*" in out  # beyond a target, where there are no colours either


def test_no_figure_is_lost_beside_a_long_path(run, tmp_path: Path) -> None:
    path = tmp_path / ("a" * 60) / "monday.npz"
    path.parent.mkdir()
    save_trace(synthetic_trace("idle"), path)
    _, out, _ = run("simulate", path)
    assert "…" not in out
    assert str(path) in out


def test_a_profile_may_be_named_like_a_formula(run, tmp_path: Path) -> None:
    profile = tmp_path / r"$\frac$.toml"
    profile.write_text("margin = 2")
    code, _, err = run("simulate", "idle", "--profile", profile, "--plot", tmp_path / "a.png")
    assert (code, f"wrote {tmp_path / 'a.png'}" in err) == (0, True)
