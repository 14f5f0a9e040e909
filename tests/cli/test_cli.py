"""The ``pse`` command: files come out complete or not at all, and a mistake is one line and an exit code."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from pse_sdk.runtimes import bundled

import pse_sdk as sdk
from pse_sdk.cli import enhance, main
from pse_sdk.cli.jobs import Job
from pse_sdk.models.checkpoint import save_pdccrn
from tests.conftest import TINY_PDCCRN, make_pdccrn

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(autouse=True)
def _small_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = bundled.find_model
    monkeypatch.setattr("pse_sdk.enhancer.find_model", lambda model: tiny_model if model is None else real(model))


def pse(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code and what was printed to either stream."""
    monkeypatch.setattr("sys.argv", ["pse", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main.run()
        raise SystemExit(0)
    captured = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else int(bool(code))), captured.out + captured.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: pse(*arguments, capsys=capsys, monkeypatch=monkeypatch)


def recording(path: Path, seconds: float = 0.5, rate: int = 16000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(0).standard_normal((int(seconds * rate), channels))
    soundfile.write(path, samples, rate)
    return path


def test_a_profile_that_allows_more_blocks_than_there_are_takes_all(run, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("max_depth = 9")
    code, text = run("enhance", recording(tmp_path / "a.wav"), "--profile", tmp_path / "p.toml")
    assert code == 0
    assert "depth 3 of 3" in text


def test_a_file_is_enhanced_beside_itself(run, tmp_path: Path) -> None:
    source = recording(tmp_path / "call.flac", seconds=1.0, rate=44100, channels=2)
    code, text = run("enhance", source)
    assert code == 0
    assert "x real time" in text
    assert "depth 3 of 3" in text
    before, after = soundfile.info(source), soundfile.info(tmp_path / "call-clean.flac")
    assert (before.frames, before.samplerate, before.channels, before.subtype) == (
        after.frames, after.samplerate, after.channels, after.subtype)  # fmt: skip


def test_a_recording_starts_warm_unless_told_otherwise(run, tmp_path: Path, tiny_model: Path) -> None:
    source = recording(tmp_path / "a.wav")
    noisy, rate = soundfile.read(source, dtype="float32")
    for options, warm in (([], True), (["--cold-start"], False)):
        assert run("enhance", source, "-o", tmp_path / "b.wav", *options)[0] == 0
        expected = sdk.Enhancer(model=tiny_model).enhance(noisy, rate, warm_start=warm)
        np.testing.assert_allclose(soundfile.read(tmp_path / "b.wav")[0], expected, atol=1e-4)
    assert not np.allclose(expected, sdk.Enhancer(model=tiny_model).enhance(noisy, rate, warm_start=True), atol=1e-3)


def test_a_folder_keeps_its_shape_and_is_not_enhanced_twice(run, tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav")
    recording(tmp_path / "in" / "deep" / "b.wav")
    recording(tmp_path / "in" / "a-clean.wav")
    code, _ = run("enhance", tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.wav"))
    assert found == ["a.wav", "deep/b.wav"]


def test_a_recording_that_is_named_like_an_output_is_done_if_it_is_none(run, tmp_path: Path) -> None:
    recording(tmp_path / "in" / "studio-clean.wav")
    assert run("enhance", tmp_path / "in", "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "studio-clean.wav").is_file()


def test_an_output_that_is_an_input_by_another_name_is_refused(run, tmp_path: Path) -> None:
    source = recording(tmp_path / "a.wav")
    before = source.read_bytes()
    os.link(source, tmp_path / "b.wav")
    code, text = run("enhance", source, "-o", tmp_path / "b.wav")
    assert (code, "is an input too" in text) == (1, True), text
    assert source.read_bytes() == before


def test_names_that_are_empty_or_belong_to_an_output_are_refused(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = recording(tmp_path / "a.wav")
    monkeypatch.chdir(tmp_path)  # what a path without a name means
    for arguments, message in (
        ([""], "an empty name"),
        ([source, "-o", ""], "the name is empty"),
        ([source, "out.wav"], "for one to write, `-o out.wav`"),
        ([source, source], "name no recording twice"),
    ):
        code, text = run("enhance", *arguments)
        assert (code, message in text) == (1, True), text
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(("speed", "told"), [(1.0, False), (0.5, True)])
def test_a_recording_of_which_nothing_is_left_is_told(run, tmp_path: Path, speed: float, told: bool) -> None:
    clean, rate = soundfile.read(EXAMPLES / "clean.flac", dtype="float32")
    soundfile.write(tmp_path / "a.wav", soxr.resample(clean, speed * rate, rate), rate)
    code, text = run("enhance", tmp_path / "a.wav", "--model", "small")
    assert (code, "is it at its true speed" in text) == (0, told), text


def test_failures_are_named_and_the_others_are_done(run, tmp_path: Path) -> None:
    good = recording(tmp_path / "good.wav")
    (tmp_path / "bad.wav").write_text("no audio")
    code, text = run("enhance", good, tmp_path / "bad.wav", tmp_path / "gone.wav")
    assert code == 1
    assert (tmp_path / "good-clean.wav").exists()
    assert not (tmp_path / "bad-clean.wav").exists()
    assert "2 of 3 failed" in text
    assert "bad.wav: not a recording" in text
    assert "gone.wav: no such file" in text
    assert "Traceback" not in text


def test_a_file_that_breaks_off_leaves_nothing(run, tmp_path: Path) -> None:
    source = recording(tmp_path / "a.flac", seconds=20)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    code, text = run("enhance", source)
    assert code == 1
    assert "breaks off" in text
    assert [p.name for p in tmp_path.iterdir()] == ["a.flac"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--profile", "turbo"], 1, "unknown profile 'turbo': choose one of balanced, battery, quality"),
        (["--profile", "turbo", "-o", "out/"], 1, "unknown profile 'turbo'"),
        (["--depth", "9"], 1, "this model has depths 1 to 3"),
        (["--depth", "x"], 2, "--depth"),
        (["--model", "huge"], 1, "unknown model 'huge'"),
        (["--model", "gone.onnx"], 1, "no model file at gone.onnx"),
        (["--strength-db", "-3"], 1, "must be a number from 0"),
        (["-o", "a.wav"], 1, "is an input too"),
        (["-o", "no/such/b.wav"], 1, "there is no folder"),
        (["-o", "cleaned"], 1, "a file's name needs an ending, `-o cleaned.wav`; a folder's a slash, `-o cleaned/`"),
        (["-o", "a.wav/b/"], 1, "a.wav/b: the folder cannot be made (Not a directory)"),
        (["--profil", "battery"], 2, "`pse enhance --help` tells more"),
        (["-o", "b.xyz"], 1, "unknown kind of file"),
        (["-o", "-"], 1, "standard input and output are not supported"),
        (["-"], 1, "standard input and output are not supported"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    recording(Path("a.wav"))
    exit_code, text = run("enhance", "a.wav", *arguments)
    assert exit_code == code
    assert message in text
    assert len(text.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_an_output_with_a_slash_is_a_folder(run, tmp_path: Path) -> None:
    assert run("enhance", recording(tmp_path / "a.wav"), "-o", f"{tmp_path}/cleaned/")[0] == 0
    assert (tmp_path / "cleaned" / "a.wav").is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_neither_read_nor_replaced(run, tmp_path: Path) -> None:
    source, pipe = recording(tmp_path / "a.wav"), tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for arguments, message in ((["-o", pipe], "is not a file"), ([], "no such file")):
        code, text = run("enhance", source if arguments else tmp_path / "b.wav", *arguments)
        assert (code, message in text) == (1, True), text
    assert "save it to a file first" in run("enhance", pipe)[1]
    assert pipe.is_fifo()


def test_a_link_stays_and_its_target_is_written(run, tmp_path: Path) -> None:
    source, target = recording(tmp_path / "a.wav"), recording(tmp_path / "b.wav", seconds=0.1)
    (tmp_path / "link.wav").symlink_to(target)
    assert run("enhance", source, "-o", tmp_path / "link.wav")[0] == 0
    assert (tmp_path / "link.wav").is_symlink()
    assert soundfile.info(target).frames == 8000


def test_names_that_cannot_be_are_one_line_each_and_the_rest_is_done(run, tmp_path: Path) -> None:
    good = recording(tmp_path / "good.wav")
    code, text = run("enhance", tmp_path / f"{'x' * 300}.wav", good)
    assert code == 1
    assert "Traceback" not in text
    code, text = run("enhance", good, good.with_name("other.wav"), "-o", good / "sub")
    assert code == 1
    assert len(text.strip().splitlines()) == 1


def test_results_in_a_folder_below_the_recordings_are_not_enhanced_the_next_time(run, tmp_path: Path) -> None:
    recording(tmp_path / "rec" / "a.wav")
    for _ in range(2):
        code, text = run("enhance", tmp_path / "rec", "-o", tmp_path / "rec" / "cleaned")
        assert code == 0, text
    assert [path.name for path in (tmp_path / "rec" / "cleaned").iterdir()] == ["a.wav"]


def test_recordings_of_kinds_that_cannot_be_read_are_told_of(run, tmp_path: Path) -> None:
    recording(tmp_path / "rec" / "a.wav")
    (tmp_path / "rec" / "memo.m4a").touch()
    code, text = run("enhance", tmp_path / "rec", "-o", tmp_path / "out")
    assert code == 0
    assert "rec: left out 1 file(s) of a kind that cannot be read (.m4a); convert them first" in text


def test_two_names_of_one_file_do_not_replace_each_other(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pse_sdk.cli.enhance.file_identity", lambda path: str(path).lower())  # as on such a disk
    first, second = recording(tmp_path / "x" / "A.wav"), recording(tmp_path / "y" / "a.wav")
    code, text = run("enhance", first, second, "-o", tmp_path / "out")
    assert code == 1
    assert "was just written, by another name" in text


@pytest.mark.parametrize("command", ["enroll", "spectrogram"])
def test_a_folder_is_no_recording(run, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = run(command, ".")
    assert code == 1
    assert ".: is a folder, not a recording" in text


def test_hidden_files_in_a_folder_are_left_alone(run, tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "._a.wav").write_text("of another operating system")
    assert run("enhance", tmp_path / "in")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "interrupted")])
def test_a_command_that_is_ended_leaves_nothing_behind(tmp_path: Path, number: int, code: int, said: str) -> None:
    source = recording(tmp_path / "call.wav", seconds=600)
    # Whoever runs the tests in the background has Ctrl-C ignored, here and in all that is started from here.
    run = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pse_sdk.cli.main import run; sys.argv[0] = 'pse'; run()"
    )
    process = subprocess.Popen([sys.executable, "-c", run, "enhance", str(source)], stderr=subprocess.PIPE, text=True)
    while len(list(tmp_path.iterdir())) == 1 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert said in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == [source]


def test_whoever_interrupts_a_folder_is_told_how_to_go_on(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        recording(Path("in") / f"{name}.wav")
    one_file = enhance._enhance_file

    def interrupted(enhancer: sdk.Enhancer, job: Job, *more: Any) -> tuple[float, float]:
        if job.source.name == "b.wav":
            raise KeyboardInterrupt
        return one_file(enhancer, job, *more)

    monkeypatch.setattr(enhance, "_enhance_file", interrupted)
    code, text = run("enhance", "in", "-o", "out")
    assert code == 130
    assert "1 of 3 are done; the same command with --skip-existing does the others" in text
    assert [path.name for path in Path("out").iterdir()] == ["a.wav"]


def test_the_version_is_told(run) -> None:
    assert run("--version") == (0, f"{metadata.version('pse-sdk')}\n")


def test_the_name_of_a_file_is_no_folder_for_several(run, tmp_path: Path) -> None:
    files = [recording(tmp_path / name) for name in ("a.wav", "b.wav")]
    code, text = run("enhance", *files, "-o", tmp_path / "one.wav")
    assert (code, "one.wav is the name of a file" in text) == (1, True)
    assert sorted(tmp_path.iterdir()) == files


def test_what_could_not_be_written_is_told_before_the_export(run, tmp_path: Path, tiny_weights: Path) -> None:
    code, text = run("export", tiny_weights, tmp_path / "gone" / "m.onnx")
    assert (code, "there is no folder" in text) == (1, True)


def test_an_error_of_one_of_many_names_the_file(run, tmp_path: Path) -> None:
    recording(tmp_path / "in" / "good.wav")
    soundfile.write(tmp_path / "in" / "cast.wav", np.full(16000, 9000.0, np.float32), 16000, "FLOAT")
    broken = np.full(16000, 0.1, np.float32)
    broken[7:] = np.nan
    soundfile.write(tmp_path / "in" / "nan.wav", broken, 16000, "FLOAT")
    code, text = run("enhance", tmp_path / "in", "-o", tmp_path / "out")
    assert code == 1
    assert "cast.wav: float samples up to 9000" in text
    assert "nan.wav: 15993 samples were NaN, infinite or absurd and are silence now" in text


def test_a_file_at_a_rate_out_of_range_is_refused(run, tmp_path: Path) -> None:
    slow = recording(tmp_path / "a.wav", rate=4000)
    for command in ("enhance", "spectrogram"):
        code, text = run(command, slow)
        assert code == 1
        assert "a.wav: sample rate 4000: must be a whole number from 8000 to 192000 Hz; resample" in text


def test_outputs_that_are_there_already_can_be_kept(run, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        recording(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.wav").write_bytes(b"mine")
    code, text = run("enhance", tmp_path / "in", "-o", tmp_path / "out", "--skip-existing")
    assert (code, "left out 1 of 2" in text) == (0, True)
    assert (tmp_path / "out" / "a.wav").read_bytes() == b"mine"
    assert soundfile.info(tmp_path / "out" / "b.wav").frames == 8000


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
def test_a_full_disk_is_told_with_the_file_and_what_to_do(run, tmp_path: Path, monkeypatch) -> None:
    import resource

    source, picture = recording(tmp_path / "a.wav"), tmp_path / "a.png"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr("pse_sdk.cli.spectrogram.draw", lambda _, __, path, **___: path.write_bytes(bytes(10000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        code, text = run("spectrogram", source, picture)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1
    assert f"{picture}: cannot be written" in text
    assert "make room" in text
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_app_may_call_the_command_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pse", "--version"])
    codes: list[object] = []

    def call() -> None:
        try:
            main.run()
        except SystemExit as ended:
            codes.append(ended.code)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert codes == [0]


def test_bypass_copies_the_recording(run, tmp_path: Path) -> None:
    source = recording(tmp_path / "a.wav")
    run("enhance", source, "--depth", 0, "-o", tmp_path / "b.wav")
    np.testing.assert_allclose(soundfile.read(tmp_path / "b.wav")[0], soundfile.read(source)[0], atol=1e-4)


def test_info_names_models_profiles_and_runtimes(run) -> None:
    code, text = run("info")
    assert code == 0
    for word in ("small", "balanced", "battery", "quality", "fixed-N", "onnxruntime", "This machine"):
        assert word in text
    assert re.search(r"small +\S+ +20 ms", text)


@pytest.mark.parametrize("flags", [[], ["--every-depth"]])
def test_a_spectrogram_is_drawn(run, tmp_path: Path, flags: list[str]) -> None:
    source = recording(tmp_path / "a.wav", seconds=1.0)
    code, _ = run("spectrogram", source, *flags)
    assert code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_spectrogram_shows_what_is_beside_a_bad_sample(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.wav"
    good = 0.1 * np.ones(16001)
    bad = np.r_[good[:8000], np.nan, good[:8000]]
    soundfile.write(source, np.stack([bad, good], axis=1), 16000, "FLOAT")
    drawn = []
    monkeypatch.setattr("pse_sdk.cli.spectrogram.draw", lambda shown, *_, **__: drawn.extend(shown.values()))
    run("spectrogram", source)
    assert len(drawn) == 2
    assert all(np.isfinite(samples).all() for samples in drawn)
    assert next(iter(drawn))[8000] == pytest.approx(0.05, abs=1e-3)  # what the other channel has there


def test_a_spectrogram_of_any_name_is_drawn_and_of_another_scale_refused(run, tmp_path: Path) -> None:
    source = recording(tmp_path / "take $x^$ 1.wav", seconds=0.5)
    assert run("spectrogram", source)[0] == 0
    soundfile.write(tmp_path / "loud.wav", np.full(8000, 9000.0), 16000, "FLOAT")
    code, text = run("spectrogram", tmp_path / "loud.wav")
    assert (code, "loud.wav: float samples up to 9000" in text) == (1, True)


def test_info_goes_on_where_the_system_tells_little(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("pse_sdk.cli.info.psutil.virtual_memory", denied)
    monkeypatch.setattr("pse_sdk.cli.info.usable_table", lambda: None)
    monkeypatch.setattr("pse_sdk.cli.info.default_path", denied)
    code, text = run("info")
    assert (code, "memory not told" in text, "Device table: not usable" in text) == (0, True, True)


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()

    def walk(folder: Path, onerror: Callable[[OSError], None]) -> list[object]:
        onerror(PermissionError(13, "Permission denied", str(folder)))
        return []

    monkeypatch.setattr("pse_sdk.files.os.walk", walk)
    code, text = run("enhance", tmp_path / "locked", "-o", tmp_path / "out")
    assert (code, "locked: the folder cannot be read (Permission denied)" in text) == (1, True)


def test_a_spectrogram_of_nothing_is_refused(run, tmp_path: Path) -> None:
    code, text = run("spectrogram", tmp_path / "gone.wav")
    assert (code, "no such file" in text) == (1, True)


def test_trained_weights_are_exported_and_used(run, tmp_path: Path, tiny_weights: Path) -> None:
    code, text = run("export", tiny_weights, tmp_path / "mine.onnx", "--precision", "int8")
    assert code == 0
    assert "3 depths, int8" in text
    assert run("enhance", recording(tmp_path / "a.wav"), "--model", tmp_path / "mine.onnx")[0] == 0
    assert run("export", tmp_path / "gone.safetensors", tmp_path / "b.onnx")[0] == 1
    for arguments in (["b.bin"], ["b.onnx", "--format", "tflite"], ["b.tflite", "--format", "onnx"]):
        code, text = run("export", tiny_weights, *arguments)
        assert (code, "the name of a model file ends in ." in text) == (1, True)


def test_a_model_file_may_have_any_name(run, tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "a[").mkdir()
    for name in ("m[v2].onnx", "a[/b].onnx"):
        code, text = run("export", tiny_weights, tmp_path / name)
        assert (code, f"wrote {tmp_path / name}: " in text) == (0, True), text


def test_a_card_that_cannot_be_written_is_told_before_the_work(run, tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "m.onnx.json").mkdir()
    code, text = run("export", tiny_weights, tmp_path / "m.onnx")
    assert (code, "m.onnx.json: exists and is not a file" in text) == (1, True), text
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx.json"]


@pytest.mark.parametrize("option", [("--precision", "int8"), ("--name", "mine")])
def test_what_reading_back_would_ignore_is_refused(run, tmp_path: Path, tiny_model: Path, option) -> None:
    code, text = run("export", tiny_model, tmp_path / "back.safetensors", *option)
    assert (code, "read back as the file stores them" in text, (tmp_path / "back.safetensors").exists()) == (
        1, True, False
    )  # fmt: skip


def test_a_package_that_does_not_load_is_not_called_missing(
    run, tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "litert_torch.py").write_text("raise ImportError('no libcudart.so.13')")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("pse_sdk.exporters.tflite", "litert_torch"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    code, text = run("export", tiny_weights, tmp_path / "m.tflite")
    assert code == 1
    assert "a package that is installed but does not load (no libcudart.so.13): install it again" in text


def test_a_pdccrn_is_exported_as_onnx_and_used(run, tmp_path: Path) -> None:
    weights = tmp_path / "pdccrn.safetensors"
    save_pdccrn(make_pdccrn(TINY_PDCCRN.replace(window=512, hop=256)), weights, {})
    code, text = run("export", weights, tmp_path / "p.onnx", "--precision", "fp16")
    assert (code, "1 depth, fp16" in text) == (0, True)
    assert run("enhance", recording(tmp_path / "a.wav"), "--model", tmp_path / "p.onnx")[0] == 0
    code, text = run("export", weights, tmp_path / "p.tflite")
    assert (code, "exported as .onnx only" in text) == (1, True)
    code, text = run("export", weights, tmp_path / "p8.onnx", "--precision", "int8")
    assert (code, "fp32 or fp16" in text) == (1, True)


def test_exporting_for_tflite_without_its_converter_says_what_to_install(
    run, tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "pse_sdk.exporters.tflite", raising=False)
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    code, text = run("export", tiny_weights, tmp_path / "m.tflite")
    assert (code, len(text.strip().splitlines())) == (1, 1)
    assert 'exporting to .tflite needs litert_torch: pip install ".[tflite-export]" in the folder of pse-sdk' in text
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_enhanced_by_the_runtime_that_was_asked_for(run, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    source, model = recording(tmp_path / "a.wav"), DATA / "tiny-int8.tflite"
    for runtime in ("tflite", "auto"):
        target = tmp_path / f"{runtime}.wav"
        assert run("enhance", source, "--model", model, "--runtime", runtime, "-o", target)[0] == 0
    np.testing.assert_array_equal(*(soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("tflite", "auto")))
    code, text = run("enhance", source, "--model", model, "--runtime", "onnx")
    assert code == 1
    assert "runtime 'onnx' needs tiny-int8.onnx beside" in text


def test_weights_of_an_exported_file_are_read_back_for_training_to_go_on(run, tmp_path: Path, tiny_model: Path) -> None:
    code, text = run("export", tiny_model, tmp_path / "back.safetensors")
    assert (code, "the weights of tiny.onnx" in text) == (0, True), text
    assert run("export", tmp_path / "back.safetensors", tmp_path / "again.onnx")[0] == 0
    (tmp_path / "foreign.onnx").write_text("nothing of ours")
    code, text = run("export", tmp_path / "foreign.onnx", tmp_path / "no.safetensors")
    assert (code, "foreign.onnx" in text, len(text.strip().splitlines())) == (1, True, 1), text
