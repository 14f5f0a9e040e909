"""The ONNX runtime: what it says of a model, and what it refuses."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from pse_sdk.runtimes.description import DESCRIPTION_KEY, FORMAT_KEY
from pse_sdk.runtimes.onnx import OnnxRuntime
from pse_sdk.runtimes.torch import TorchRuntime

from pse_sdk.errors import ModelError
from pse_sdk.models import BloomStack, complexity
from pse_sdk.models.checkpoint import save_stack
from tests.conftest import TINY, make_stack
from tests.runtimes.two_threads import check_two_threads


def test_the_file_describes_itself(tiny_model: Path, tiny_stack: BloomStack) -> None:
    d = OnnxRuntime(tiny_model).description
    assert (d.sample_rate, d.window, d.hop, d.blocks) == (16000, 320, 160, 3)
    assert d.macs_per_second == tuple(c.macs_per_second for c in complexity(tiny_stack.config))
    assert d.architecture["block"] == "e3net"


def test_torch_and_onnx_run_the_same_model(tiny_model: Path, tiny_weights: Path) -> None:
    windows = np.random.default_rng(0).standard_normal((7, 320)).astype(np.float32)
    outputs = [r.open_stream().step(windows, 3, 2) for r in (OnnxRuntime(tiny_model), TorchRuntime.load(tiny_weights))]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


def test_streams_of_one_runtime_do_not_meet(tiny_model: Path) -> None:
    runtime = OnnxRuntime(tiny_model)
    windows = np.random.default_rng(0).standard_normal((6, 320)).astype(np.float32)
    alone = [runtime.open_stream().step(windows, 3, 3)[i] for i in range(6)]
    first, second = runtime.open_stream(), runtime.open_stream()
    for i in range(6):
        np.testing.assert_allclose(first.step(windows[i : i + 1], 3, 3)[0], alone[i], atol=1e-6)
        second.step(windows[5 - i : 6 - i], 2, 2)


def test_two_threads_share_one_runtime(tiny_model: Path) -> None:
    check_two_threads(OnnxRuntime(tiny_model))


def test_states_can_be_saved_and_put_back(tiny_model: Path) -> None:
    stream = OnnxRuntime(tiny_model).open_stream()
    windows = np.random.default_rng(0).standard_normal((4, 320)).astype(np.float32)
    stream.step(windows[:1], 3, 3)
    saved = stream.states()
    expected = stream.step(windows[1:2], 3, 3).copy()
    stream.step(windows[2:], 3, 3)
    stream.set_states(*saved)
    np.testing.assert_array_equal(stream.step(windows[1:2], 3, 3), expected)
    stream.reset()
    assert not stream.states()[0].any()


def test_forgetting_clears_the_deeper_blocks_alone(tiny_model: Path, tiny_weights: Path) -> None:
    windows = np.random.default_rng(0).standard_normal((4, 320)).astype(np.float32)
    for runtime in (OnnxRuntime(tiny_model), TorchRuntime.load(tiny_weights)):
        stream = runtime.open_stream()
        stream.step(windows, 3, 3)
        before = stream.states()[0]
        stream.forget(1)
        after = stream.states()[0]
        np.testing.assert_array_equal(after[0], before[0])
        assert before[1:].any()
        assert not after[1:].any()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file at .*gone\.onnx"):
        OnnxRuntime(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 1000])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        OnnxRuntime(path)


def _with_metadata(source: Path, target: Path, changes: dict[str, str | None]) -> Path:
    model = onnx.load(source)
    values = {p.key: p.value for p in model.metadata_props} | changes
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {k: v for k, v in values.items() if v is not None})
    onnx.save(model, target)
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({FORMAT_KEY: None}, "not a pse-sdk model"),
        ({FORMAT_KEY: "2"}, "model format 2"),
        ({DESCRIPTION_KEY: "{"}, "description is damaged"),
        ({DESCRIPTION_KEY: '{"name": "x"}'}, "description is damaged"),
        ({DESCRIPTION_KEY: "[]"}, "description is damaged"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    tiny_model: Path, tmp_path: Path, changes: dict[str, str | None], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        OnnxRuntime(_with_metadata(tiny_model, tmp_path / "m.onnx", changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"self_test": "x"},
        {"self_test": "AAAA"},
        {"precision": "int3"},
        {"lookahead": 2},
        {"lookahead": -1},
        {"lookahead": True},
        {"macs_per_second": ["a", "b", "c"]},
        {"parameters": [float("nan"), 1, 1]},
        {"parameters": [-1, 1, 1]},
        {"anyone": ["a", "b"]},
        {"anyone": [1e300] * 24},
        {"macs_per_second": [10**400, 1, 1]},
        {"speaker_dim": 1, "speaker_projection": base64.b64encode(np.full(24, np.nan, "<f2").tobytes()).decode()},
        {"speaker_dim": True},
        {"name": None},
        {"architecture": None},
        {"training": ["a"]},
        {"licence": {}},
        {"speaker_encoder": 1},
        {"name": "\u001b[31mred"},
    ],
    ids=str,
)
def test_a_description_that_was_tampered_with_is_refused(tiny_model: Path, tmp_path: Path, changes: dict) -> None:
    text = {p.key: p.value for p in onnx.load(tiny_model).metadata_props}[DESCRIPTION_KEY]
    changed = json.dumps(json.loads(text) | changes)
    with pytest.raises(ModelError, match="description is damaged"):
        OnnxRuntime(_with_metadata(tiny_model, tmp_path / "m.onnx", {DESCRIPTION_KEY: changed}))


def test_a_description_that_does_not_fit_the_graph_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    text = {p.key: p.value for p in onnx.load(tiny_model).metadata_props}[DESCRIPTION_KEY]
    wrong = text.replace('"cell_size": ', '"cell_size": 1')
    assert wrong != text
    with pytest.raises(ModelError, match="inputs or outputs are not what its description says"):
        OnnxRuntime(_with_metadata(tiny_model, tmp_path / "m.onnx", {DESCRIPTION_KEY: wrong}))


def test_a_description_that_is_no_text_is_damage(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(tiny_model.read_bytes().replace(b'"name": "tiny"', b'"name": "t\xdcny"'))
    with pytest.raises(ModelError, match=r"m\.onnx: ONNX Runtime cannot load it"):
        OnnxRuntime(tmp_path / "m.onnx")


def test_onnx_runtime_prints_nothing_of_a_file_that_it_refuses(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(tiny_model.read_bytes().replace(b"enhanced", b"enh\xdcnced"))
    with pytest.raises(ModelError):
        OnnxRuntime(tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


def test_a_voice_is_copied_not_shared(tmp_path: Path) -> None:
    save_stack(make_stack(TINY.replace(speaker_dim=8)), tmp_path / "m.safetensors", {})
    stream = TorchRuntime.load(tmp_path / "m.safetensors").open_stream()
    windows, voice = np.full((1, TINY.window), 0.1, np.float32), np.ones(TINY.channels)
    stream.set_speaker(voice)
    first = stream.step(windows, 3, 3).copy()
    stream.reset()
    voice[:] = -5
    np.testing.assert_array_equal(stream.step(windows, 3, 3), first)


@pytest.mark.parametrize("asked", [(0, 0), (4, 4), (2, 3), (2, 0)])
@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_depths_that_a_model_does_not_have_are_refused(
    tiny_model: Path, tiny_weights: Path, runtime: str, asked: tuple[int, int]
) -> None:
    loaded = OnnxRuntime(tiny_model) if runtime == "onnx" else TorchRuntime.load(tiny_weights)
    stream = loaded.open_stream()
    with pytest.raises(ValueError, match=r"1 (to|and) 3"):
        stream.step(np.zeros((1, 32), np.float32), *asked)
    with pytest.raises(ValueError, match=r"speaker of shape \(1,\)"):
        stream.set_speaker(np.ones(1, np.float32))


def test_onnx_runtime_sends_nothing_and_leaves_no_identifier(tiny_model: Path, tmp_path: Path) -> None:
    script = f"import pse_sdk; pse_sdk.Enhancer(model={str(tiny_model)!r}, runtime='onnx')"
    # Its telemetry is off where it takes the machine for a CI server.
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY", "GITHUB_ACTIONS")}
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], env={**kept, **home}, check=True, timeout=60)
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in str(path).lower()] == []
