"""The exported pDCCRN: what torch computes, for any chunking, and a model that the Enhancer runs like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.exporters.pdccrn import build_pdccrn, describe_pdccrn, export_pdccrn
from pse_sdk.runtimes.onnx import OnnxRuntime

import pse_sdk
from pse_sdk.errors import ModelError
from pse_sdk.models.pdccrn import Pdccrn
from tests.conftest import TINY_PDCCRN, make_pdccrn, plain


@pytest.fixture(scope="module")
def path(pdccrn: Pdccrn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdccrn") / "m.onnx"
    export_pdccrn(pdccrn, path, name="m", precision="fp32")
    return path


@given(chunks=st.lists(st.integers(1, 5), min_size=1, max_size=6), voice=st.booleans())
def test_streaming_the_file_in_any_chunks_equals_torch_on_the_whole(
    pdccrn: Pdccrn, path: Path, chunks: list[int], voice: bool
) -> None:
    runtime = OnnxRuntime(path)
    windows = torch.randn(sum(chunks), pdccrn.config.window, generator=torch.Generator().manual_seed(3)) * 0.1
    embedding = torch.nn.functional.normalize(torch.ones(1, pdccrn.config.speaker_dim))
    stream, outputs, at = runtime.open_stream(), [], 0
    if voice:
        stream.set_speaker(runtime.description.project(embedding[0].numpy()))
    for count in chunks:
        outputs.append(stream.step(windows[at : at + count].numpy(), 1, 1).copy())
        at += count
    state, speaker = pdccrn.initial_state(), pdccrn.speaker_projection(embedding) if voice else None
    with torch.inference_mode():
        (whole,), hidden, cell = pdccrn.step_windows(windows[None], state.hidden, state.cell, speaker=speaker)
    np.testing.assert_allclose(np.concatenate(outputs), whole[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(stream.states()[0], hidden[:, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(stream.states()[1], cell[:, 0].numpy(), atol=1e-5)


def test_the_enhancer_runs_it_as_any_other_model(tmp_path: Path) -> None:
    model = make_pdccrn(TINY_PDCCRN.replace(window=512, hop=256))
    export_pdccrn(model, tmp_path / "m.onnx", name="m", precision="fp32")
    enhancer = pse_sdk.Enhancer(model=str(tmp_path / "m.onnx"), runtime="onnx")
    enhancer.set_depth(1)
    signal = plain(24, hop=256)
    with torch.inference_mode():
        expected = model(torch.from_numpy(signal)[None])[0].numpy()
    np.testing.assert_allclose(enhancer.enhance(signal), expected, atol=1e-5)


def test_a_model_without_a_speaker_input_is_exported_too(tmp_path: Path) -> None:
    export_pdccrn(make_pdccrn(TINY_PDCCRN.replace(speaker_dim=0)), tmp_path / "m.onnx", name="m", precision="fp32")
    assert OnnxRuntime(tmp_path / "m.onnx").description.speaker_dim == 0


def test_fp16_halves_the_file(tmp_path: Path) -> None:
    model = make_pdccrn(TINY_PDCCRN.replace(channels=(16, 32), lstm=64))
    sizes = {}
    for precision in ("fp32", "fp16"):
        export_pdccrn(model, tmp_path / "m.onnx", name="m", precision=precision)  # type: ignore[arg-type]
        sizes[precision] = (tmp_path / "m.onnx").stat().st_size
    assert sizes["fp16"] < 0.6 * sizes["fp32"]


def test_int8_is_refused_with_the_reason(pdccrn: Pdccrn) -> None:
    description = describe_pdccrn(pdccrn, "m", "int8", "", {})
    with pytest.raises(ModelError, match="fp32 or fp16"):
        build_pdccrn(pdccrn, description, "int8")


def test_a_graph_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pse_sdk.exporters.pdccrn.MODULUS_FLOOR", 0.5)
    with pytest.raises(ModelError, match="differs from torch"):
        export_pdccrn(make_pdccrn(TINY_PDCCRN), tmp_path / "m.onnx", name="m", precision="fp32")
    assert not (tmp_path / "m.onnx").exists()
