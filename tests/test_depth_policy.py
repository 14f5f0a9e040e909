"""What the controller is told of load and frames, and when."""

from pathlib import Path

import numpy as np
from pse_sdk.profiles import Profile

import pse_sdk as sdk
from pse_sdk.controller import Load
from pse_sdk.load import Clocks
from pse_sdk.pipeline import Frame
from tests.conftest import plain

IDLE = Clocks(lambda: 0.0, lambda: 0.0)


def test_the_load_that_the_monitor_reads_reaches_the_controller(tiny_model: Path) -> None:
    enhancer = sdk.Enhancer(Profile("b", low_battery=0.3, cpu_share=1.0), model=tiny_model, clocks=IDLE)
    enhancer._monitor.load = Load(0.1, battery=0.1, plugged=False)
    enhancer._monitor.start = lambda: None  # type: ignore[method-assign]
    enhancer.process(plain(5))
    assert (enhancer.depth, enhancer.stats().reason) == (1, "battery low")


def test_bypass_for_want_of_time_ends_when_there_is_time(tiny_model: Path) -> None:
    now, frame_s = [0.0], [1.0]

    def wall() -> float:
        now[0] += frame_s[0]
        return now[0]

    profile = Profile("slow", min_depth=0, dwell_s=0.05)
    enhancer = sdk.Enhancer(profile, model=tiny_model, clocks=Clocks(wall, lambda: 0.0))
    enhancer.process(plain(20))
    assert enhancer.depth == 0
    frame_s[0] = 1e-4
    enhancer.process(plain(3000))
    assert enhancer.depth > 0


def test_frames_of_pauses_teach_and_those_that_nothing_ran_in_do_not(tiny_model: Path) -> None:
    profile = Profile("x", cpu_share=1.0, rest_after_s=0.2)
    enhancer = sdk.Enhancer(profile, model=tiny_model, clocks=IDLE)
    seen: list[int] = []
    enhancer._policy.controller.observe = lambda depth, *_: seen.append(depth)  # type: ignore[method-assign]
    enhancer._policy.observe(Frame(np.zeros(160, np.float32), 1, 1, True), 1e-3, 1e-3, 0.0, Load())
    assert seen == [1]
    enhancer.process(np.zeros(200 * 160, np.float32))
    assert 0 not in seen


def test_a_new_stream_is_not_told_to_rest(tiny_model: Path) -> None:
    profile = Profile("x", cpu_share=1.0, rest_after_s=0.2)
    enhancer = sdk.Enhancer(profile, model=tiny_model, clocks=IDLE)
    enhancer.process(np.zeros(60 * 160, np.float32))
    assert enhancer.stats().reason == "nobody speaks"
    enhancer.reset()
    assert enhancer.stats().reason != "nobody speaks"
