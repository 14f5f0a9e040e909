"""Weights read back from an exported file are those that it was made of, as far as it stores them."""

from pathlib import Path

import onnx
import pytest
import torch
from pse_sdk.exporters.describe import describe_export
from pse_sdk.exporters.onnx import build, export_onnx
from pse_sdk.exporters.read_back import read_back

from pse_sdk.errors import ModelError
from tests.conftest import CONFIGS, make_stack


@pytest.mark.parametrize("kind", sorted(CONFIGS))
@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-7), ("fp16", 1e-3), ("int8", 2e-2)])
def test_the_stack_comes_back_as_precise_as_it_was_stored(
    tmp_path: Path, kind: str, precision: str, within: float
) -> None:
    stack = make_stack(CONFIGS[kind].replace(speaker_dim=8))
    training = {"steps": 7, "speaker_encoder": "e"}
    description = describe_export(stack, "m", precision, "Apache-2.0", training)
    onnx.save(build(stack, description, precision), tmp_path / "m.onnx")
    again, record = read_back(tmp_path / "m.onnx")
    assert again.config == stack.config
    assert (record["steps"], record["speaker_encoder"]) == (7, "e")
    for name, weight in stack.state_dict().items():
        # The embedding's projection is stored as fp16 in every file.
        allowed = max(within, 1e-3) if name == "bottleneck.speaker.weight" else within
        error = (again.state_dict()[name] - weight).abs().max()
        assert error <= allowed * weight.abs().max().clamp_min(1e-6), name


def test_what_holds_no_stack_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        read_back(tmp_path / "text.onnx")
    model = onnx.load(tiny_model)
    del model.graph.initializer[3]
    onnx.save(model, tmp_path / "less.onnx")
    with pytest.raises(ModelError, match="no stack can be read back"):
        read_back(tmp_path / "less.onnx")


def test_damaged_weights_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    (encoder,) = (tensor for tensor in model.graph.initializer if tensor.name.startswith("encoder.weight"))
    encoder.raw_data = bytes(len(encoder.raw_data))
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match="its weights were damaged since it was made"):
        read_back(tmp_path / "damaged.onnx")


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file at"):
        read_back(tmp_path / "gone.onnx")


def test_what_was_read_back_can_be_exported_again(tmp_path: Path) -> None:
    torch.manual_seed(1)
    export_onnx(make_stack(CONFIGS["e3net"]), tmp_path / "a.onnx", name="m", precision="int8")
    stack, _ = read_back(tmp_path / "a.onnx")
    export_onnx(stack, tmp_path / "b.onnx", name="m", precision="int8")
    first, second = (read_back(tmp_path / name)[0].state_dict() for name in ("a.onnx", "b.onnx"))
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight)
