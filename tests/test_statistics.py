"""What `Enhancer.stats` tells: every figure from frames whose times are known."""

import numpy as np
import pytest

from pse_sdk.controller import Load
from pse_sdk.statistics import RECENT, FrameStatistics


def summary(statistics: FrameStatistics):
    return statistics.summary(2, "because", 0.005, 3, "why", Load())


def test_times_depths_and_counts_are_those_of_the_frames() -> None:
    statistics = FrameStatistics(3)
    for i in range(100):
        late, resting = i == 7, i < 10
        statistics.add_frame(1 if i < 50 else 3, wall_s=(i + 1) * 1e-5, late=late, resting=resting)
        if i % 2:  # blocks of two frames, which take more than their frames
            statistics.add_block(0.02, wall_s=(i + 1) * 4e-5, cpu_s=4e-5)
    stats = summary(statistics)
    assert (stats.frames, stats.frames_at_depth, stats.mean_depth) == (100, (0, 50, 0, 50), 2.0)
    assert (stats.depth_changes, stats.misses, stats.resting_frames) == (1, 1, 10)
    assert (stats.frame_ms_p50, stats.frame_ms_p95) == (pytest.approx(0.505), pytest.approx(0.9505))
    assert stats.frame_ms_p99 == pytest.approx(0.9901)
    assert stats.real_time_factor == pytest.approx(np.mean(np.arange(2, 101, 2)) * 4e-5 / 0.02)
    assert stats.cpu_share == pytest.approx(0.002)
    assert (stats.depth, stats.reason, stats.deadline_ms, stats.faults, stats.last_fault) == (2, "because", 5, 3, "why")


def test_only_the_last_frames_count_for_times_and_all_for_depths() -> None:
    statistics = FrameStatistics(1)
    for _ in range(RECENT):
        statistics.add_frame(1, 1.0, False)
        statistics.add_block(0.01, 1.0, 1.0)
    for _ in range(RECENT):
        statistics.add_frame(0, 1e-3, False)
        statistics.add_block(0.01, 1e-3, -5.0)
    stats = summary(statistics)
    assert stats.frame_ms_p99 == pytest.approx(1)
    assert (stats.real_time_factor, stats.cpu_share) == (
        pytest.approx(0.1),
        0,
    )  # a clock that was set back says nothing
    assert stats.frames_at_depth == (RECENT, RECENT)


def test_late_starts_and_replaced_samples_are_counted() -> None:
    statistics = FrameStatistics(1)
    statistics.count_replaced(5)
    statistics.count_late_start(late=True, stalled_before=True)
    statistics.count_late_start(late=False, stalled_before=False)
    stats = summary(statistics)
    assert (stats.replaced_samples, stats.late_starts, stats.misses) == (5, 2, 1)


def test_before_the_first_frame_there_are_no_times() -> None:
    stats = summary(FrameStatistics(1))
    assert (stats.frames, stats.mean_depth, stats.frame_ms_p99, stats.real_time_factor) == (0, 0, 0, 0)


def test_changes_of_depth_are_counted() -> None:
    statistics = FrameStatistics(3)
    for depth in (1, 1, 3, 3, 2):
        statistics.add_frame(depth, 0.0, False)
    assert summary(statistics).depth_changes == 2
