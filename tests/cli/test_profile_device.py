"""`pse profile-device`: a few frames from end to end, and every mistake in one line before anything is measured."""

import shutil
from pathlib import Path

import pytest
from pse_sdk.runtimes.bundled import bundled_files, checksum

from pse_sdk.cli import profile_device as module
from pse_sdk.machine import Machine, this_machine
from pse_sdk.profiling.competitors import own_nice
from pse_sdk.profiling.save import save_table
from pse_sdk.table_reader import read_table
from tests.cli.test_cli import pse, recording
from tests.tables import make_device_table, make_measured, make_timing


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data")
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    return lambda *arguments: pse(*arguments, capsys=capsys, monkeypatch=monkeypatch)


def test_a_machine_is_measured_and_its_table_is_used(run, tmp_path: Path, tiny_model: Path) -> None:
    picture, path = tmp_path / "latency.png", tmp_path / "data" / "device.toml"
    code, text = run("profile-device", "--model", tiny_model, "--frames", 10, "--load", 1, "--plot", picture)
    assert code == 0, text
    load = f"Paced, under load: 1 competing process at nice {own_nice()}"
    for words in ("tiny (fp32) in onnx", load, f"wrote {path}"):
        assert words in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    (measured,) = read_table(path).measured
    assert len(measured.timings) == 4 * 3
    code, text = run("enhance", recording(tmp_path / "a.wav"), "--model", tiny_model)
    assert (code, "device table" in text) == (0, False)
    assert f"Device table: {path}, made " in run("info")[1]


def test_without_load_only_the_conditions_alone_are_measured(run, tmp_path: Path, tiny_model: Path) -> None:
    output = tmp_path / "mine.toml"
    code, text = run("profile-device", "--model", tiny_model, "--frames", 10, "--load", 0, "-o", output)
    assert (code, "under load" in text) == (0, False)
    assert {t.condition for t in read_table(output).measured[0].timings} == {"paced", "hot"}
    assert not (tmp_path / "data").exists()


def test_a_table_that_cannot_be_used_is_told_where_it_is_asked_for(run, tmp_path: Path, tiny_model: Path) -> None:
    save_table(make_device_table(machine=Machine("Another", 64, "Linux")), tmp_path / "data" / "device.toml")
    code, text = run("info")
    assert (code, text.count("pse: device table ignored: ")) == (0, 1)
    assert "Device table: not usable" in text
    code, text = run("enhance", recording(tmp_path / "a.wav"), "--model", tiny_model)  # a recording has no deadline
    assert (code, "device table" in text) == (0, False)
    assert (tmp_path / "a-clean.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--runtime", "torch"], 1, "runtime 'torch' cannot be measured: choose from tflite, onnx"),
        (["--model", "huge"], 1, "unknown model 'huge'"),
        (["--plot", "a.gif"], 1, "pictures are written as .png, .pdf or .svg"),
        (["--plot", "no/such/a.png"], 1, "there is no folder"),
        (["-o", "damaged.toml/table.toml"], 1, "damaged.toml/table.toml: cannot be written"),
        (["-o", "."], 1, "exists and is not a file"),
        (["-o", "damaged.toml"], 1, "damaged.toml: is not a device table; it would be replaced: choose another output"),
        (["--quick", "--frames", "10"], 1, "leave out either of --quick and --frames"),
        (["--load", "0", "--load-nice", "5"], 1, "--load 0 has no competing processes"),
        (["--load-cores", ","], 1, "--load-cores ,: give core numbers"),
        (["--load-cores", "0;1"], 1, "--load-cores 0;1: give core numbers with commas between, such as 0,1"),
        (["--load-cores", "4095"], 1, "--load-cores 4095: this machine has cores 0 to "),
        (["--frames", "0"], 2, "--frames"),
        (["--load-nice", "99"], 2, "--load-nice"),
        (["--compare", "a.toml", "b.toml"], 1, "a.toml: no such file"),
        (["--compare", "damaged.toml", "damaged.toml"], 1, "damaged.toml: is not a device table"),
        (["--compare", "a.toml", "b.toml", "-o", "c.toml"], 1, "--compare measures nothing and writes nothing"),
        (["--compare", "a.toml"], 2, "Option '--compare' requires 2 arguments; `pse profile-device --help` tells more"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("damaged.toml").write_text("")
    exit_code, text = run("profile-device", *arguments)
    assert (exit_code, message in text) == (code, True), text
    assert len(text.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["damaged.toml"]


def test_of_two_files_of_one_name_each_is_compared_with_itself(run, tmp_path: Path) -> None:
    mine, theirs = make_measured([1.0], sha256="mine"), make_measured([2.0], sha256="theirs")
    save_table(make_device_table(mine, theirs), tmp_path / "a.toml")
    save_table(make_device_table(theirs, mine), tmp_path / "b.toml")
    code, text = run("profile-device", "--compare", tmp_path / "a.toml", tmp_path / "b.toml")
    assert code == 0
    assert "two different files" not in text
    assert {line.split()[3] for line in text.splitlines() if line.strip()[:1].isdigit()} == {"1.00"}


def test_two_tables_are_compared_by_their_ratios(run, tmp_path: Path) -> None:
    save_table(make_device_table(make_measured([1.0, 2.0])), tmp_path / "a.toml")
    faster = make_measured([0.5, 0.5], sha256="another")
    alone = make_measured(model="new", timings=(make_timing(1, ms=123.4),))
    save_table(make_device_table(faster, alone, machine=Machine("Fast", 8, "Linux")), tmp_path / "b.toml")
    code, text = run("profile-device", "--compare", tmp_path / "a.toml", tmp_path / "b.toml")
    assert code == 0
    rows = [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert rows[0] == ["1", "1.000", "0.500", "0.50", "1.500", "0.750", "0.50", "1.000", "0.500", "0.50"]
    assert rows[1][:4] == ["2", "2.000", "0.500", "0.25"]
    assert rows[-1] == ["1", "-", "123", "-", "-", "185", "-", "-", "123", "-"]
    assert "two different files" in text
    assert "Fast, 8 cores, Linux" in text


def test_two_loads_that_are_compared_are_told(run, tmp_path: Path) -> None:
    save_table(make_device_table(make_measured([1.0])), tmp_path / "a.toml")
    save_table(make_device_table(make_measured([1.0], load="8 competing processes")), tmp_path / "b.toml")
    _, text = run("profile-device", "--compare", tmp_path / "a.toml", tmp_path / "b.toml")
    assert "two different loads: 2 competing processes; 8 competing processes" in text
    assert "two different loads" not in run("profile-device", "--compare", tmp_path / "a.toml", tmp_path / "a.toml")[1]


def test_a_model_named_twice_is_measured_once(tiny_model: Path) -> None:
    candidates, _ = module.find_candidates([str(tiny_model)] * 2, ["onnx", "onnx"])
    assert len(candidates) == 1


def test_the_same_file_by_another_name_is_measured_once(tiny_model: Path, tmp_path: Path) -> None:
    copy = shutil.copy(tiny_model, tmp_path / "copy.onnx")
    candidates, _ = module.find_candidates([str(tiny_model), str(copy)], ["onnx"])
    assert len(candidates) == 1


def test_this_users_table_of_another_machine_is_replaced_and_another_file_is_not(
    run, tmp_path: Path, tiny_model: Path
) -> None:
    few = ("--model", tiny_model, "--frames", 10, "--load", 0)
    for path in (tmp_path / "data" / "device.toml", tmp_path / "board.toml"):
        save_table(make_device_table(machine=Machine("Another", 64, "Linux")), path)
    code, text = run("profile-device", *few)
    assert (code, "will be replaced: " in text, "made on another machine (Another, 64 cores" in text) == (0, True, True)
    code, text = run("profile-device", *few, "-o", tmp_path / "board.toml")
    assert (code, "it would be replaced: choose another output" in text) == (1, True)
    assert read_table(tmp_path / "board.toml").machine.cores == 64


def test_figures_are_shown_though_the_table_cannot_be_written(
    run, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_table", full)
    code, text = run("profile-device", "--model", tiny_model, "--frames", 10, "--load", 0)
    assert (code, "No space left" in text, "tiny (fp32) in onnx" in text) == (1, True, True)


def test_info_tells_of_bundled_models_that_the_table_does_not_know(run, tmp_path: Path) -> None:
    assert "Device table: none" in run("info")[1]
    known = [make_measured(sha256=checksum(path)) for path in bundled_files("small")]
    save_table(make_device_table(*known, machine=this_machine()), tmp_path / "data" / "device.toml")
    assert "does not know" not in run("info")[1]
    save_table(make_device_table(machine=this_machine()), tmp_path / "data" / "device.toml")
    assert "it does not know small.onnx" in run("info")[1]


def test_a_quick_run_has_as_many_frames_as_fit_into_its_time(tiny_model: Path) -> None:
    candidates, _ = module.find_candidates([str(tiny_model)], [])
    for competitors, conditions in ((0, 1), (2, 2)):
        frames = module._quick_frames(candidates, module.Competition(competitors))
        assert 0.8 * module.QUICK_S <= frames * 0.01 * 3 * conditions <= module.QUICK_S
    assert module._quick_frames(candidates * 100, module.Competition(2)) == 20
