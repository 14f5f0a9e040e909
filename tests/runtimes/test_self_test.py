"""The self-test: passed by runtimes that compute the model, failed by those that only seem to."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.base import Float32
from pse_sdk.runtimes.bundled import find_model
from pse_sdk.runtimes.onnx import OnnxRuntime, OnnxStream


class Spoilt:
    """A runtime whose output goes through ``spoil(output, depth, head)``."""

    name = "spoilt"

    def __init__(self, runtime: OnnxRuntime, spoil: Callable[[Float32, int, int], Float32]) -> None:
        self.runtime, self.spoil, self.description = runtime, spoil, runtime.description

    def open_stream(self) -> OnnxStream:
        stream = self.runtime.open_stream()
        step = stream.step
        stream.step = lambda windows, depth, head: self.spoil(step(windows, depth, head), depth, head)  # type: ignore[method-assign]
        return stream


@pytest.fixture(scope="module")
def runtime(tiny_model: Path) -> OnnxRuntime:
    return OnnxRuntime(tiny_model)


def test_a_runtime_that_computes_the_model_passes(runtime: OnnxRuntime) -> None:
    assert self_test.failure(runtime) is None
    assert self_test.failure(Spoilt(runtime, lambda out, depth, head: out * 1.001)) is None


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda out, depth, head: 0 * out, "at depth 1 is"),
        (lambda out, depth, head: out * (1.0 if depth < 2 else 1.1), "at depth 2 is"),
        (lambda out, depth, head: out * (1.0 if head == depth else 0.5), "while deeper blocks run unheard"),
        (lambda out, depth, head: out * (1.0 if depth < 3 else np.nan), "not finite"),
    ],
)
def test_wrong_answers_are_told_where(runtime: OnnxRuntime, spoil, problem: str) -> None:
    assert problem in (self_test.failure(Spoilt(runtime, spoil)) or "")


def test_a_model_whose_lstms_give_nothing_fails(tmp_path: Path) -> None:
    model = onnx.load(find_model("small"))
    for weights in model.graph.initializer:
        if ".lstm." in weights.name and weights.data_type == onnx.TensorProto.INT8:
            weights.raw_data = bytes(len(weights.raw_data))
    onnx.save(model, tmp_path / "m.onnx")
    assert "dB from what it must be" in (self_test.failure(OnnxRuntime(tmp_path / "m.onnx")) or "")
    assert self_test.failure(OnnxRuntime(find_model("small"))) is None


def test_a_file_without_a_reference_is_only_checked_for_sense(runtime: OnnxRuntime) -> None:
    spoilt = Spoilt(runtime, lambda out, depth, head: 2 * out)
    spoilt.description = dataclasses.replace(runtime.description, self_test="")
    assert self_test.failure(spoilt) is None
    spoilt.spoil = lambda out, depth, head: out * np.inf
    assert self_test.failure(spoilt) == "its output is not finite"


def test_the_signal_is_at_speech_level_and_the_same_everywhere(runtime: OnnxRuntime) -> None:
    windows = self_test.signal_windows(runtime.description)
    assert windows.shape == (self_test.FRAMES, 320)
    assert 0.01 < np.sqrt(np.mean(windows**2)) < 0.1
    np.testing.assert_array_equal(windows[1, :160], windows[0, 160:])
