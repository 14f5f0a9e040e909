"""The exported .tflite: what torch computes at any depth, one set of weights, and nothing written that is not right."""

from pathlib import Path

import numpy as np
import pytest
from pse_sdk.exporters import parity

from pse_sdk.errors import ModelError
from tests.conftest import TINY, make_stack

pytest.importorskip("litert_torch")

from pse_sdk.exporters import tflite

pytestmark = pytest.mark.slow  # half a minute for the converter

# Large enough for weights, not the description of the graph, to make up the file.
WIDE = TINY.replace(blocks=2, channels=192, hidden=384, filters=256)


@pytest.fixture(scope="module")
def converted() -> bytes:
    """The float file of `WIDE`: conversion takes most of an export's time, so it is done once."""
    return tflite._convert(make_stack(WIDE))


@pytest.mark.parametrize(("precision", "share"), [("fp32", 1.0), ("fp16", 0.5), ("int8", 0.3)])
def test_each_precision_agrees_with_torch_and_stores_the_weights_once(
    converted: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: parity.Precision, share: float
) -> None:
    stack = make_stack(WIDE)
    monkeypatch.setattr(tflite, "_convert", lambda _: converted)
    path = tmp_path / "m.tflite"
    tflite.export_tflite(stack, path, name="m", precision=precision)
    assert parity.check_parity(stack, path, parity.PARITY_DB[precision]) >= parity.PARITY_DB[precision]
    weights = 4 * sum(value.numel() for value in stack.state_dict().values())
    # Both depths use block 1, which is a third of the weights: a file that repeated it would be larger than this.
    assert path.stat().st_size < share * weights + 400e3
    assert weights > 3e6


def test_a_file_that_differs_from_torch_is_not_written(
    converted: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite, "_convert", lambda _: converted)
    with pytest.raises(ModelError, match="differs from torch at depth 1"):
        tflite.export_tflite(make_stack(WIDE, seed=1), tmp_path / "m.tflite", name="m", precision="fp32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lookahead", [0, 2])
def test_the_filterbanks_and_masks_of_an_int8_file_stay_float(converted: bytes, lookahead: int) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    if lookahead:
        converted = tflite._convert(make_stack(WIDE.replace(window=WIDE.window + 2 * WIDE.hop, lookahead=2)))
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite._quantise(converted, "int8")))
    constants = [t for t in model.subgraphs[0].tensors if model.buffers[t.buffer].data is not None]
    stored = {tuple(np.array(t.shape)): t.type for t in constants}
    assert stored[WIDE.filters, WIDE.window] == schema.TensorType.FLOAT16  # the encoder
    assert stored[WIDE.window, WIDE.filters] == schema.TensorType.FLOAT16  # a decoder
    assert stored[WIDE.filters, WIDE.channels] == schema.TensorType.FLOAT16  # a mask
    assert stored[4 * WIDE.channels, WIDE.channels] == schema.TensorType.INT8  # an LSTM


@pytest.mark.parametrize("block", ["e3net", "convtasnet"])
def test_a_stack_of_one_block_is_exported(tmp_path: Path, block: str) -> None:
    stack = make_stack(TINY.replace(block=block, blocks=1))
    tflite.export_tflite(stack, tmp_path / "m.tflite", name="m", precision="fp32")
    assert parity.check_parity(stack, tmp_path / "m.tflite", 100.0) >= 100.0


def test_a_stack_that_cannot_stream_is_refused(tmp_path: Path) -> None:
    stack = make_stack(TINY.replace(block="convtasnet", norm="global"))
    with pytest.raises(ModelError, match="cannot stream"):
        tflite.export_tflite(stack, tmp_path / "m.tflite", name="m")
