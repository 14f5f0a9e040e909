"""Load time and memory, from a process of its own."""

from pathlib import Path

import pytest

from pse_sdk.errors import ModelError
from pse_sdk.profiling.footprint import measure_footprint


def test_a_model_takes_time_and_memory_to_load(tiny_model: Path) -> None:
    footprint = measure_footprint("onnx", tiny_model)
    assert 0 < footprint.load_ms < footprint.start_ms
    assert footprint.memory_mb > 1


def test_a_model_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"runtime 'onnx' failed in a process of its own \(.*no model file at"):
        measure_footprint("onnx", tmp_path / "gone.onnx")
