"""Blocks that wake up start from zeros, unless they rested only briefly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pse_sdk.runtimes.onnx import OnnxRuntime

from pse_sdk.depth_change import BYPASS_REST, REST, WARM_UP
from pse_sdk.pipeline import Frame, Pipeline
from pse_sdk.silence import Rest
from tests.conftest import plain


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


def frames(pipeline: Pipeline, depth: int) -> tuple[list[Frame], Callable[[Pipeline], np.ndarray]]:
    """What ran, frame by frame, and what to push samples with."""
    seen: list[Frame] = []

    def run(here: Pipeline) -> np.ndarray:
        seen.append(here.run_frame(depth, 1.0, Rest(0.1, 1)))
        return seen[-1].samples

    return seen, run


def in_a_pause(model: Path) -> Pipeline:
    """A stream at depth 3 whose pause has begun, and which has been bypassed in it."""
    pipeline = Pipeline(OnnxRuntime(model), 16000)
    pipeline.push(plain(5), frames(pipeline, 3)[1])
    pipeline._speech.quiet = 100
    pipeline.push(plain(10), frames(pipeline, 0)[1])
    return pipeline


def test_bypass_within_a_pause_ends_within_it(tiny_model: Path) -> None:
    pipeline = in_a_pause(tiny_model)
    seen, run = frames(pipeline, 3)
    pipeline.push(plain(5), run)
    assert seen[0].ran == 1


def test_what_wakes_up_from_bypass_in_a_pause_is_heard_after_its_warm_up(tiny_model: Path) -> None:
    pipeline = in_a_pause(tiny_model)
    pipeline._speech.observe = lambda *_: False  # type: ignore[method-assign]
    seen, run = frames(pipeline, 3)
    pipeline.push(plain(WARM_UP + 1), run)
    assert [frame.heard for frame in seen] == [0] * WARM_UP + [1]


def test_the_first_frame_after_long_digital_silence_runs_as_deep_as_it_may(tiny_model: Path) -> None:
    pipeline = Pipeline(OnnxRuntime(tiny_model), 16000)
    seen, run = frames(pipeline, 3)
    pipeline.push(np.concatenate([plain(40), np.zeros(30 * 160, np.float32)]), run)
    pipeline._speech.quiet = 100  # nobody had spoken for long before either
    pipeline.push(np.zeros(100 * 160, np.float32), run)
    seen.clear()
    pipeline.push(plain(1), run)
    assert seen[0].ran == 3
