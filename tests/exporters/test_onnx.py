"""The exported file: what torch computes, at any depth, for any chunking; and nothing is written that is not."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.exporters import layers, parity
from pse_sdk.exporters.onnx import export_onnx
from pse_sdk.runtimes.onnx import OnnxRuntime

from pse_sdk.errors import ModelError
from pse_sdk.models import BloomStack
from tests.conftest import TINY, make_stack


@pytest.fixture(scope="module")
def exported(stack: BloomStack, tmp_path_factory: pytest.TempPathFactory) -> OnnxRuntime:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(stack, path, name="model", precision="fp32")
    return OnnxRuntime(path)


@given(data=st.data())
def test_streaming_the_file_in_any_chunks_equals_torch_on_the_whole(
    stack: BloomStack, exported: OnnxRuntime, data: st.DataObject
) -> None:
    depth = data.draw(st.integers(1, stack.config.blocks), "depth")
    chunks = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6), "frames per chunk")
    frames = sum(chunks)
    windows = torch.randn(frames, stack.config.window, generator=torch.Generator().manual_seed(frames)) * 0.1
    stream, outputs, at = exported.open_stream(), [], 0
    for count in chunks:
        outputs.append(stream.step(windows[at : at + count].numpy(), depth, depth).copy())
        at += count
    state = stack.initial_state()
    with torch.inference_mode():
        (whole,), hidden, cell = stack.step_windows(windows[None], state.hidden, state.cell, depth, [depth])
    np.testing.assert_allclose(np.concatenate(outputs), whole[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(stream.states()[0], hidden[:, 0].numpy(), atol=2e-5)
    np.testing.assert_allclose(stream.states()[1], cell[:, 0].numpy(), atol=2e-4)


@given(schedule=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=12))
def test_changing_depth_and_head_at_every_frame_equals_torch(
    stack: BloomStack, exported: OnnxRuntime, schedule: list[tuple[int, int]]
) -> None:
    windows = torch.randn(len(schedule), stack.config.window, generator=torch.Generator().manual_seed(1)) * 0.1
    stream, state = exported.open_stream(), stack.initial_state()
    hidden, cell = state.hidden, state.cell
    for window, (a, b) in zip(windows, schedule, strict=True):
        depth, head = max(a, b), min(a, b)
        with torch.inference_mode():
            (expected,), hidden, cell = stack.step_windows(window[None, None], hidden, cell, depth, [head])
        np.testing.assert_allclose(stream.step(window[None].numpy(), depth, head), expected[0].numpy(), atol=2e-5)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_precisions_are_close_and_smaller(tmp_path: Path, precision: str) -> None:
    # Large enough for weights, not node names, to make up the file.
    stack = make_stack(TINY.replace(channels=96, hidden=256, filters=256))
    sizes = {}
    for name in ("fp32", precision):
        export_onnx(stack, tmp_path / f"{name}.onnx", name="m", precision=name)  # type: ignore[arg-type]
        sizes[name] = (tmp_path / f"{name}.onnx").stat().st_size
    assert sizes[precision] < 0.65 * sizes["fp32"]
    assert parity.check_parity(stack, tmp_path / f"{precision}.onnx", 20) < 90


def test_a_channel_that_towers_over_the_others_costs_int8_nothing(tmp_path: Path) -> None:
    # Deep in a trained stack two or three channels of the running sum are fifty times as large as the rest.
    stack = make_stack(TINY.replace(channels=96, hidden=256))
    with torch.no_grad():
        stack.blocks[-1].reduce.bias[3] = 50.0
    export_onnx(stack, tmp_path / "m.onnx", name="m", precision="int8")
    assert parity.check_parity(stack, tmp_path / "m.onnx", 1) > 42


def test_the_speaker_input_equals_the_projection_in_torch(tmp_path: Path) -> None:
    stack = make_stack(TINY.replace(speaker_dim=8))
    export_onnx(stack, tmp_path / "m.onnx", name="m", precision="fp32")
    with torch.inference_mode():
        projection = stack.bottleneck.speaker_projection(torch.randn(1, 8))
        windows = torch.randn(1, 5, TINY.window)
        state = stack.initial_state()
        (expected,), _, _ = stack.step_windows(windows, state.hidden, state.cell, 2, [2], projection)
    stream = OnnxRuntime(tmp_path / "m.onnx").open_stream()
    stream.set_speaker(projection[0].numpy())
    np.testing.assert_allclose(stream.step(windows[0].numpy(), 2, 2), expected[0].numpy(), atol=2e-5)


def test_branches_are_one_level_deep_and_hold_no_weights(tmp_path: Path) -> None:
    export_onnx(make_stack(TINY), tmp_path / "m.onnx", name="m", precision="fp32")
    graph = onnx.load(tmp_path / "m.onnx").graph
    ifs = [node for node in graph.node if node.op_type == "If"]
    assert len(ifs) == 2 * TINY.blocks
    branches = [attribute.g for node in ifs for attribute in node.attribute]
    assert not any(node.op_type == "If" for branch in branches for node in branch.node)
    assert not any(branch.initializer for branch in branches)


def test_a_graph_that_differs_from_torch_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack(TINY)
    other = make_stack(TINY, seed=1)
    check = parity.check_parity
    monkeypatch.setattr(parity, "check_parity", lambda _, *a, **k: check(other, *a, **k))
    with pytest.raises(ModelError, match="differs from torch at depth 1"):
        export_onnx(stack, tmp_path / "m.onnx", name="m", precision="fp32")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_does_not_hear_the_voice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack(TINY.replace(speaker_dim=8))
    write = layers.write_bottleneck

    def deaf(g, bottleneck, encoded, hops, speaker):  # type: ignore[no-untyped-def]
        return write(g, bottleneck, encoded, hops, g.constant(bottleneck.anyone.detach().numpy()))

    monkeypatch.setattr(layers, "write_bottleneck", deaf)
    with pytest.raises(ModelError, match="differs from torch at an enrolled voice"):
        export_onnx(stack, tmp_path / "m.onnx", name="m", precision="fp32")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [("blocks.0.lstm.weight_hh_l0", float("nan")), ("bottleneck.speaker.weight", float("inf")),
     ("bottleneck.speaker.weight", 1e6), ("heads.2.decoder", 1e9)],
)  # fmt: skip
def test_weights_that_diverged_are_refused_without_a_word_of_numpy(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, name: str, value: float
) -> None:
    stack = make_stack(TINY.replace(speaker_dim=8))
    with torch.no_grad():
        stack.state_dict()[name].fill_(value)
    with pytest.raises(ModelError, match="the training diverged"):
        export_onnx(stack, tmp_path / "m.onnx", name="m")
    assert not recwarn.list
    assert not list(tmp_path.iterdir())


def test_a_weight_that_fp16_cannot_hold_is_named(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    stack = make_stack(TINY)
    with torch.no_grad():
        stack.state_dict()["blocks.0.expand.weight"][0, 0] = 1e5
    with pytest.raises(ModelError, match=r"block1.*: a weight of 1e\+05 is too large for fp16: --precision fp32"):
        export_onnx(stack, tmp_path / "m.onnx", name="m")
    assert not recwarn.list
    assert not list(tmp_path.iterdir())


def test_where_the_disk_is_full_the_model_before_keeps_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_text("the model before")
    (tmp_path / "m.onnx.json").write_text("its card")
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.parent == tmp_path:
            raise OSError("no space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        export_onnx(make_stack(TINY), tmp_path / "m.onnx", name="m")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "m.onnx": "the model before", "m.onnx.json": "its card"
    }  # fmt: skip


def test_a_stack_that_cannot_stream_is_refused(tmp_path: Path) -> None:
    stack = make_stack(TINY.replace(block="convtasnet", norm="global"))
    with pytest.raises(ModelError, match="cannot stream"):
        export_onnx(stack, tmp_path / "m.onnx", name="m")
