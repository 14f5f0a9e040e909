"""Blocks that wake up start from zeros, unless they rested only briefly."""

from pathlib import Path

import numpy as np
import pytest
from pse_sdk.runtimes.onnx import OnnxRuntime

from pse_sdk.depth_change import REST
from pse_sdk.pipeline import Pipeline


def states_forgotten(model: Path, depths: list[int], monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(frame, blocks kept) of each time that states were set to zero."""
    pipeline = Pipeline(OnnxRuntime(model), 16000)
    forgotten: list[tuple[int, int]] = []
    for frame, depth in enumerate(depths):
        monkeypatch.setattr(pipeline.stream, "forget", lambda kept, frame=frame: forgotten.append((frame, kept)))
        pipeline.push(np.zeros(160, np.float32), lambda p, depth=depth: p.run_frame(depth, 1.0).samples)
    return forgotten


def test_a_short_rest_keeps_the_states(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert states_forgotten(tiny_model, [3] * 5 + [1] * REST + [3] * 5, monkeypatch) == [(0, 0)]


def test_after_a_long_rest_blocks_start_from_zeros(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depths = [3] * 5 + [1] * (REST + 1) + [3] * 5
    assert states_forgotten(tiny_model, depths, monkeypatch) == [(0, 0), (5 + REST + 1, 1)]
