"""Blocks that wake up start from zeros, unless they rested only briefly."""

from pathlib import Path

import numpy as np
import pytest
from pse_sdk.runtimes.onnx import OnnxRuntime

from pse_sdk.depth_change import BYPASS_REST, REST, WARM_UP
from pse_sdk.pipeline import Pipeline
from pse_sdk.silence import Rest


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


def test_after_more_than_a_moment_of_bypass_all_blocks_start_from_zeros(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states_forgotten(tiny_model, [3] * 5 + [0] * BYPASS_REST + [3] * 5, monkeypatch) == [(0, 0)]
    depths = [3] * 5 + [0] * (BYPASS_REST + 1) + [3] * 5
    assert states_forgotten(tiny_model, depths, monkeypatch) == [(0, 0), (5 + BYPASS_REST + 1, 0)]


def test_a_rise_in_depth_in_a_pause_waits_for_its_end(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(OnnxRuntime(tiny_model), 16000)
    rest = Rest(after_s=0.1, depth=1)
    samples = 0.1 * np.random.default_rng(0).standard_normal(160).astype(np.float32)

    def frames(depth: int, speaks: bool, count: int) -> list[tuple[int, int]]:
        monkeypatch.setattr(pipeline._speech, "quiet", 0 if speaks else 100)
        monkeypatch.setattr(pipeline._speech, "observe", lambda *_: speaks)
        done = []

        def run(p: Pipeline) -> np.ndarray:
            frame = p.run_frame(depth, 1.0, rest)
            done.append((frame.ran, frame.heard))
            return frame.samples

        while len(done) < count:
            pipeline.push(samples, run)
        return done[:count]

    assert set(frames(1, True, 5)) == {(1, 1)}
    assert set(frames(3, False, 2 * WARM_UP)) == {(1, 1)}
    assert frames(3, True, WARM_UP + 1) == [(3, 1)] * WARM_UP + [(3, 3)]
    # Blocks that ran before the pause wait in it, and are heard at once after it.
    assert set(frames(3, False, 5)) == {(1, 1)}
    assert frames(3, True, 1) == [(3, 3)]
    # So they do where a late frame took their depth back for a moment of the pause.
    frames(3, False, 5)
    assert frames(1, False, 1) == [(1, 1)]
    assert set(frames(3, False, 2 * WARM_UP)) == {(1, 1)}
    assert frames(3, True, 1) == [(3, 3)]
    # What the controller still wants less of when somebody speaks does not run; bypass is bypass in pauses too.
    frames(2, False, 5)
    assert frames(2, True, 1) == [(2, 2)]
    assert frames(0, False, 1) == [(0, 0)]
