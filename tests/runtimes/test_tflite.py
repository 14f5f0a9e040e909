"""The TFLite runtime on two small files (`tests/data`): what torch computes, and what it refuses.

The files were made of ``tiny.safetensors`` by ``pse export``: see CONTRIBUTING.md.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.exporters.onnx import export_onnx
from pse_sdk.runtimes.description import read_description
from pse_sdk.runtimes.flatbuffer import read_metadata
from pse_sdk.runtimes.select import open_file
from pse_sdk.runtimes.torch import TorchRuntime

import pse_sdk as sdk
from pse_sdk.errors import ModelError
from pse_sdk.models import StackConfig
from pse_sdk.models.checkpoint import load_stack

pytest.importorskip("ai_edge_litert")

from pse_sdk.runtimes import tflite
from pse_sdk.runtimes.tflite import TfliteRuntime

from tests.runtimes.two_threads import check_two_threads

DATA = Path(__file__).parent.parent / "data"
FP32, INT8, WEIGHTS = DATA / "tiny-fp32.tflite", DATA / "tiny-int8.tflite", DATA / "tiny.safetensors"


@pytest.fixture(scope="module")
def fp32() -> TfliteRuntime:
    return TfliteRuntime(FP32)


@pytest.fixture(scope="module")
def reference() -> TorchRuntime:
    return TorchRuntime.load(WEIGHTS)


@given(
    schedule=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=10),
    speaker=st.booleans(),
)
def test_any_depths_heads_and_frames_per_call_equal_torch(
    fp32: TfliteRuntime, reference: TorchRuntime, schedule: list[tuple[int, int, int]], speaker: bool
) -> None:
    rng = np.random.default_rng(len(schedule))
    streams = [runtime.open_stream() for runtime in (fp32, reference)]
    if speaker:
        projection = rng.standard_normal(fp32.description.channels).astype(np.float32)
        for stream in streams:
            stream.set_speaker(projection)
    for a, b, frames in schedule:
        windows = (0.1 * rng.standard_normal((frames, fp32.description.window))).astype(np.float32)
        ours, theirs = (stream.step(windows, max(a, b), min(a, b)) for stream in streams)
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    for ours, theirs in zip(*(stream.states() for stream in streams), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_an_enhancer_sounds_as_with_onnx_while_its_depth_changes(tmp_path: Path, speechlike) -> None:
    stack, _ = load_stack(WEIGHTS)
    export_onnx(stack, tmp_path / "tiny.onnx", name="tiny", precision="fp32")
    noisy, outputs = speechlike(8000), []
    for model, runtime in ((FP32, "tflite"), (tmp_path / "tiny.onnx", "onnx")):
        enhancer = sdk.Enhancer(model=model, runtime=runtime)
        pieces = []
        for i, depth in enumerate([1, 3, 2, 0, 3, 3, 1, 2]):
            enhancer.set_depth(depth)
            pieces.append(enhancer.process(noisy[1000 * i : 1000 * (i + 1)]))
        outputs.append(np.concatenate([*pieces, enhancer.flush()]))
    assert np.abs(outputs[1]).max() > 0.05
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


def test_the_file_describes_itself_as_its_weights_do(fp32: TfliteRuntime, reference: TorchRuntime) -> None:
    ours, theirs = fp32.description, reference.description
    assert (ours.window, ours.hop, ours.blocks, ours.hidden_size) == (32, 16, 3, 24)
    assert ours.macs_per_second == theirs.macs_per_second
    # Files of before a key was known lack it.
    assert StackConfig(**ours.architecture) == StackConfig(**theirs.architecture)
    assert ours.weights == TfliteRuntime(INT8).description.weights


def test_int8_is_close_to_fp32(fp32: TfliteRuntime) -> None:
    windows = (0.1 * np.random.default_rng(0).standard_normal((20, 32))).astype(np.float32)
    exact, rounded = (runtime.open_stream().step(windows, 3, 3) for runtime in (fp32, TfliteRuntime(INT8)))
    error = np.sum((exact - rounded) ** 2) / np.sum(exact**2)
    assert 0 < error < 0.01


def test_streams_of_one_runtime_do_not_meet(fp32: TfliteRuntime) -> None:
    windows = np.random.default_rng(0).standard_normal((6, 32)).astype(np.float32)
    alone = fp32.open_stream().step(windows, 3, 3)
    first, second = fp32.open_stream(), fp32.open_stream()
    for i in range(6):
        np.testing.assert_array_equal(first.step(windows[i : i + 1], 3, 3)[0], alone[i])
        second.step(windows[5 - i : 6 - i], 2, 1)


def test_two_threads_share_one_runtime(fp32: TfliteRuntime) -> None:
    check_two_threads(fp32)


def test_states_can_be_saved_put_back_and_forgotten(fp32: TfliteRuntime) -> None:
    stream = fp32.open_stream()
    windows = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)
    stream.step(windows[:1], 3, 3)
    saved = stream.states()
    expected = stream.step(windows[1:2], 3, 3)
    stream.step(windows[2:], 3, 3)
    stream.set_states(*saved)
    np.testing.assert_array_equal(stream.step(windows[1:2], 3, 3), expected)
    before = stream.states()
    stream.forget(1)
    for kept, now in zip(before, stream.states(), strict=True):
        np.testing.assert_array_equal(now[0], kept[0])
        assert kept[1:].any()
        assert not now[1:].any()
    stream.reset()
    assert not stream.states()[1].any()


def test_int8_is_refused_where_only_tflite_runtime_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "PACKAGE", "tflite-runtime")
    with pytest.raises(ModelError, match=r"tflite-runtime computes int8 models wrongly; pip install .*fp16"):
        TfliteRuntime(INT8)
    assert TfliteRuntime(FP32).description.precision == "fp32"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file at .*gone\.tflite"):
        TfliteRuntime(tmp_path / "gone.tflite")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "cannot load it"),
        (lambda content: b"not a model", "not a TFLite file"),
        (lambda content: b"\x00" * 1000, "not a TFLite file"),
        (lambda content: content[: len(content) // 2], "m.tflite: "),
        (lambda content: content[:-100], "m.tflite: "),
        (lambda content: content.replace(b"pse_sdk.format", b"abc_def.format"), "not a pse-sdk model"),
        (lambda content: content.replace(b'"blocks": 3', b'"blocks": x'), "description is damaged"),
        (
            lambda content: content.replace(b'"cell_size": 24', b'"cell_size": 42'),
            "inputs are not what its description",
        ),
        (lambda content: content.replace(b"head_3", b"tail_3"), "signatures are not what its description"),
    ],
)
def test_a_file_that_is_not_a_whole_model_is_one_clear_error(tmp_path: Path, change, message: str) -> None:
    (tmp_path / "m.tflite").write_bytes(change(FP32.read_bytes()))
    with pytest.raises(ModelError, match=message) as raised:
        TfliteRuntime(tmp_path / "m.tflite")
    assert "\n" not in str(raised.value)


@given(at=st.integers(0, FP32.stat().st_size - 1), value=st.integers(0, 255), cut=st.booleans())
def test_reading_metadata_of_damaged_files_ends_in_a_value_error_or_the_metadata(
    tmp_path: Path, at: int, value: int, cut: bool
) -> None:
    content = bytearray(FP32.read_bytes())
    content[at] = value
    path = tmp_path / "m.tflite"
    path.write_bytes(content[:at] if cut else content)
    try:
        metadata = read_metadata(path)
    except ValueError:
        return
    assert all(key.startswith("pse_sdk.") for key in metadata)


def test_the_metadata_reader_needs_no_tflite_package() -> None:
    code = "import sys; from pse_sdk.runtimes import flatbuffer; print('ai_edge_litert' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
    assert read_description(read_metadata(INT8), "tiny").precision == "int8"


def test_loading_and_running_prints_nothing() -> None:
    code = f"import pse_sdk, numpy; pse_sdk.Enhancer(model={str(INT8)!r}).process(numpy.zeros(999, numpy.float32))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_file_is_opened_by_its_suffix() -> None:
    assert [open_file(path).name for path in (FP32, WEIGHTS)] == ["tflite", "torch"]
