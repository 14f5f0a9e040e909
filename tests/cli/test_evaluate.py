"""``pse evaluate`` on the bundled examples with a tiny model."""

import hashlib
import json
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile

import pse_sdk as sdk
from pse_sdk.cli import main
from pse_sdk.evaluation.metrics.waveform import si_sdr
from tests.evaluation.recordings import make_data

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        monkeypatch.setattr("sys.argv", ["pse", "evaluate", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "40")  # figures are whole however narrow the terminal
        with pytest.raises(SystemExit) as ended:
            main.run()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of 2 s, and a folder in which the second pair's noise is halved."""
    folder = tmp_path_factory.mktemp("pairs")
    clean, noisy = (soundfile.read(EXAMPLES / f"{name}.flac", dtype="float32")[0] for name in ("clean", "noisy"))
    for number in range(2):
        part = slice(32000 * number, 32000 * (number + 1))
        better = clean[part] + 0.5 * (noisy[part] - clean[part])
        for kind, samples in (("clean", clean[part]), ("noisy", noisy[part]), ("better", better)):
            (folder / kind).mkdir(exist_ok=True)
            soundfile.write(folder / kind / f"{number}.flac", samples, 16000)
    (folder / "labels.csv").write_text("name,snr_db,noise\n0,2.5,engine\n1,2.5,engine\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)


def of(pairs: Path) -> tuple[object, ...]:
    return "--noisy", pairs / "noisy", "--clean", pairs / "clean", "--metrics", "si_sdr,tsos"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--items", 3], "--items, --seed, --reverberant and --write are of mixtures"),
        (["--seed", 0], "are of mixtures"),
        (["-o", "a.json", "--markdown", "./a.json"], "would be written twice"),
    ],
)
def test_what_would_do_nothing_or_be_lost_is_refused(run, pairs: Path, arguments: list[object], message: str) -> None:
    code, _, err = run(pairs / "better", *of(pairs), *arguments)
    assert (code, message in err) == (1, True), err


def test_a_model_and_a_folder_are_scored_and_compared(run, pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    code, out, err = run(
        f"mine={tiny_model}", pairs / "better", *of(pairs), "--depth", 1, "--depth", 3,
        "--labels", pairs / "labels.csv", "--output", tmp_path / "r.json",
        "--markdown", tmp_path / "r.md", "--plot", tmp_path / "r.png",
    )  # fmt: skip
    assert (code, err.count("wrote")) == (0, 3)
    assert "…" not in out
    for row in ("unprocessed", "mine 1", "mine 3", "mine 3 - better", "2.5 dB (2)"):
        assert row in out
    report = json.loads((tmp_path / "r.json").read_text())
    assert [(v["system"], v["depth"]) for v in report["variants"]] == [
        ("unprocessed", None), ("mine", 1), ("mine", 3), ("better", None)]  # fmt: skip
    assert report["variants"][1]["values"]["si_sdr"] != report["variants"][2]["values"]["si_sdr"]
    enhancer = sdk.Enhancer("quality", model=tiny_model, runtime="onnx")
    enhancer.set_depth(1)
    noisy, clean = (soundfile.read(pairs / kind / "0.flac", dtype="float32")[0] for kind in ("noisy", "clean"))
    first = float(si_sdr(enhancer.enhance(noisy, 16000), clean))
    assert report["variants"][1]["values"]["si_sdr"][0] == pytest.approx(first, abs=0.01)
    # Half the noise is 6 dB more, item by item.
    assert report["variants"][3]["means"]["si_sdr_gain"]["mean"] == pytest.approx(6.02, abs=0.05)
    cost = report["variants"][1]["cost"]
    assert cost["ms_per_frame"] > 0
    assert cost["macs_per_second"] > 0
    made = report["made"]
    assert f"tiny.onnx, fp32, sha256 {hashlib.sha256(tiny_model.read_bytes()).hexdigest()[:32]}" in made["system mine"]
    assert made["system better"] == "files in better"
    assert f"numpy {metadata.version('numpy')}" in made["with"]
    assert [(row["better"], row["than"]) for row in report["differences"]] == [
        ("mine 1", "better"),
        ("mine 3", "better"),
    ]
    means = [report["variants"][i]["means"]["si_sdr"]["mean"] for i in (1, 3)]
    assert report["differences"][0]["columns"]["si_sdr"]["mean"] == pytest.approx(means[0] - means[1], abs=1e-4)
    assert "no intervals: they need 6 items" in out
    assert "| better |" in (tmp_path / "r.md").read_text()
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_warm_start_is_named_and_scored(run, pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    model = (f"mine={tiny_model}", *of(pairs), "--depth", 1)
    assert run(*model, "-o", tmp_path / "cold.json")[0] == 0
    code, out, _ = run(*model, "-o", tmp_path / "r.json", "--warm-start", "--compare", tmp_path / "cold.json")
    assert code == 0
    assert "2 recordings" in out
    assert "models from a warm start" in out
    assert "mine 1 - mine 1, earlier" in out
    enhancer = sdk.Enhancer("fixed-1", model=tiny_model, runtime="onnx")
    noisy, clean = (soundfile.read(pairs / kind / "0.flac", dtype="float32")[0] for kind in ("noisy", "clean"))
    first = float(si_sdr(enhancer.enhance(noisy, 16000, warm_start=True), clean))
    values = json.loads((tmp_path / "r.json").read_text())["variants"][1]["values"]
    assert values["si_sdr"][0] == pytest.approx(first, abs=0.01)


def test_two_processes_score_as_one_does(run, pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    values = []
    for jobs in (1, 2):
        assert run(tiny_model, *of(pairs), "--depth", 2, "--jobs", jobs, "-o", tmp_path / f"{jobs}.json")[0] == 0
        values.append([v["values"] for v in json.loads((tmp_path / f"{jobs}.json").read_text())["variants"]])
    assert values[0] == values[1]


def test_an_earlier_report_of_the_same_items_is_compared(run, pairs: Path, tmp_path: Path) -> None:
    assert run(f"x={pairs / 'noisy'}", *of(pairs), "-o", tmp_path / "r.json")[0] == 0
    code, out, _ = run(f"x={pairs / 'better'}", *of(pairs), "--compare", tmp_path / "r.json")
    assert (code, "x - x, earlier" in out) == (0, True)
    others = "--noisy", pairs / "clean", "--clean", pairs / "clean"
    code, out, err = run(pairs / "better", *others, "--metrics", "si_sdr", "--compare", tmp_path / "r.json")
    assert (code, "the recordings have the same names but differ" in err) == (1, True)
    assert "SI-SDR" in out  # what was measured is told


def test_a_model_is_no_better_than_itself(run, pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    arguments = tiny_model, *of(pairs), "--depth", 2
    assert run(*arguments, "-o", tmp_path / "r.json")[0] == 0
    code, out, _ = run(*arguments, "--compare", tmp_path / "r.json")
    assert (code, "+0.00 " in out, "+0.00*" in out) == (0, True, False)


def test_what_cannot_be_compared_is_told_before_anything_is_scored(
    run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(f"x={pairs / 'noisy'}", *of(pairs), "-o", tmp_path / "r.json")[0] == 0
    before = (tmp_path / "r.json").read_bytes()
    monkeypatch.setattr("pse_sdk.cli.evaluate.evaluate", lambda *_: pytest.fail("scored"))
    systems = f"y={pairs / 'better'}", f"z={pairs / 'better'}"
    code, _, err = run(*systems, *of(pairs), "--compare", tmp_path / "r.json")
    assert (code, "no system is in both reports" in err) == (1, True)
    same = "--compare", tmp_path / "r.json", "-o", tmp_path / "r.json"
    code, _, err = run(f"x={pairs / 'better'}", *of(pairs), *same)
    assert (code, "is what --compare compares with" in err) == (1, True)
    assert (tmp_path / "r.json").read_bytes() == before


def test_a_file_that_holds_no_numbers_is_named(run, pairs: Path, tmp_path: Path) -> None:
    shutil.copytree(pairs / "better", tmp_path / "better")
    (tmp_path / "better" / "1.flac").unlink()
    samples = np.zeros(32000, np.float32)
    samples[7] = np.nan
    soundfile.write(tmp_path / "better" / "1.wav", samples, 16000, "FLOAT")
    code, _, err = run(tmp_path / "better", *of(pairs))
    assert (code, "1.wav: holds samples that are not numbers" in err) == (1, True)


def test_a_silent_item_is_counted_and_the_others_are_scored(run, pairs: Path, tmp_path: Path) -> None:
    for kind in ("noisy", "clean"):
        shutil.copytree(pairs / kind, tmp_path / kind)
    soundfile.write(tmp_path / "clean" / "0.flac", np.zeros(32000), 16000)
    code, out, _ = run(tmp_path / "noisy", *of(tmp_path))
    assert code == 0
    assert "SI-SDR: 2 of 4 scores could not be computed" in out


def test_noisy_recordings_alone_are_scored_without_a_reference(run, pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("speechmos")
    (tmp_path / "noisy").mkdir()
    shutil.copy(pairs / "noisy" / "0.flac", tmp_path / "noisy")
    code, out, _ = run(pairs / "better", "--noisy", tmp_path / "noisy")
    assert (code, "DNSMOS ovrl" in out, "SI-SDR" in out) == (0, True, False)


def test_words_are_scored_where_they_are_known(run, pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    (tmp_path / "t.tsv").write_text("0.flac\tgood morning everybody\n1.flac\tzzqx unpronounceable\n")
    code, out, _ = run(pairs / "better", "--noisy", pairs / "noisy", "--metrics", "wer", "--transcripts",
                       tmp_path / "t.tsv")  # fmt: skip
    assert (code, "WER %" in out, "WER: 2 of 4 scores could not be computed" in out) == (0, True, True)


def test_the_list_of_mixtures_is_written_for_other_systems(run, data: Path, tmp_path: Path) -> None:
    code, _, err = run("--data", data, "--items", 3, "--write", tmp_path / "list")
    assert (code, "wrote 3 dry mixtures" in err) == (0, True)
    assert len(list((tmp_path / "list" / "clean").iterdir())) == 3
    code, out, _ = run(tmp_path / "list" / "noisy", "--data", data, "--items", 3, "--metrics", "si_sdr")
    assert (code, "+0.00" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "nonsense: no such folder, and neither a model file"),
        (["gone.onnx"], "gone.onnx"),
        (["a=small", "a=small"], "two systems are called 'a'"),
        (["small", "--depth", 9], "no depth 9; it has 1 to 5"),
        (["small", "--metrics", "mos"], "unknown metric 'mos': choose one of si_sdr, pesq"),
        (["small", "--metrics", "wer"], "give --transcripts"),
        (["small", "--plot", "r.bmp"], "pictures are written as"),
        (["small", "-o", "gone/r.json"], "there is no folder gone"),
        (["small", "--compare", "gone.json"], "gone.json: cannot be read"),
    ],
)
def test_a_mistake_is_one_line(
    run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*of(pairs), *arguments)
    assert (code, len(err.strip().splitlines())) == (1, 1)
    assert message in err


def test_metrics_with_a_reference_need_one(run, pairs: Path) -> None:
    code, _, err = run("small", "--noisy", pairs / "noisy", "--metrics", "si_sdr")
    assert (code, "give --clean" in err) == (1, True)
    code, _, err = run("small", "--clean", pairs / "clean")
    assert (code, "belong to --noisy" in err) == (1, True)
