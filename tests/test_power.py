"""`profile="auto"`: the supply decides, good news is believed only when it lasts, and no news changes nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.profiles import load_profile

import pse_sdk as sdk
from pse_sdk import enhancer as enhancer_module
from pse_sdk.controller import Load
from pse_sdk.power import CALM_S, PLUGGED_S, PowerState, Supply, first_state, follow, profile_for

BUSY_ON_MAINS = Load(cpu=0.5, battery=0.8, plugged=True)
IDLE_ON_MAINS = Load(cpu=0.05, battery=0.8, plugged=True)
UNPLUGGED = Load(cpu=0.05, battery=0.8, plugged=False)
DESKTOP = Load(cpu=0.5)
UNKNOWN = Load()


def after(state: PowerState, load: Load, seconds: float) -> PowerState:
    for _ in range(round(seconds / 0.01)):
        state = follow(state, load, 0.01)
    return state


@pytest.mark.parametrize(
    ("load", "supply"),
    [
        (UNKNOWN, Supply.MAINS), (DESKTOP, Supply.MAINS), (IDLE_ON_MAINS, Supply.MAINS), (UNPLUGGED, Supply.BATTERY),
        (Load(battery=0.1, plugged=False), Supply.LOW), (Load(battery=0.1, plugged=True), Supply.MAINS),
        (Load(battery=0.1), Supply.MAINS),
    ],
)  # fmt: skip
def test_a_stream_begins_with_what_one_reading_says(load: Load, supply: Supply) -> None:
    assert first_state(load) == PowerState(supply)


def test_pulling_the_plug_is_answered_at_once() -> None:
    for supply in (Supply.MAINS, Supply.PLENTY):
        assert follow(PowerState(supply), UNPLUGGED, 0.01).supply is Supply.BATTERY


def test_a_plug_is_believed_only_when_it_stays() -> None:
    state = after(PowerState(Supply.BATTERY), BUSY_ON_MAINS, PLUGGED_S - 0.5)
    assert state.supply is Supply.BATTERY
    assert after(follow(state, UNPLUGGED, 0.01), BUSY_ON_MAINS, PLUGGED_S - 0.5).supply is Supply.BATTERY
    assert after(state, BUSY_ON_MAINS, 1.0).supply is Supply.MAINS


def test_on_mains_an_idle_machine_gets_quality_after_a_while_and_a_busy_one_balanced() -> None:
    mains = PowerState(Supply.MAINS)
    assert after(mains, IDLE_ON_MAINS, CALM_S - 0.5).supply is Supply.MAINS
    plenty = after(mains, IDLE_ON_MAINS, CALM_S + 0.5)
    assert plenty.supply is Supply.PLENTY
    assert after(mains, BUSY_ON_MAINS, 600).supply is Supply.MAINS
    # What quality itself adds to the load of a single core does not end it.
    assert after(plenty, Load(cpu=0.85, plugged=True), 600).supply is Supply.PLENTY
    assert follow(plenty, Load(cpu=0.95, plugged=True), 0.01).supply is Supply.MAINS


def test_a_hot_machine_gets_no_quality() -> None:
    hot = Load(cpu=0.05, plugged=True, heat=0.99)
    assert after(PowerState(Supply.MAINS), hot, 600).supply is Supply.MAINS
    assert follow(PowerState(Supply.PLENTY), hot, 0.01).supply is Supply.MAINS


def test_a_machine_without_battery_is_on_mains() -> None:
    assert after(PowerState(Supply.MAINS), Load(cpu=0.01), 60).supply is Supply.PLENTY


def test_a_battery_that_hovers_around_low_does_not_change_the_profile_to_and_fro() -> None:
    state, seen = PowerState(Supply.BATTERY), []
    for i in range(1000):
        state = follow(state, Load(battery=0.2 + 0.01 * (-1) ** i, plugged=False), 1.0)
        seen.append(state.supply)
    assert sum(a is not b for a, b in itertools.pairwise(seen)) <= 1
    assert follow(state, Load(battery=0.3, plugged=False), 1.0).supply is Supply.BATTERY


def test_what_is_not_told_any_more_changes_nothing() -> None:
    for supply in (Supply.BATTERY, Supply.LOW, Supply.MAINS):
        assert after(PowerState(supply), UNKNOWN, 60).supply is supply


loads = st.builds(
    Load,
    cpu=st.none() | st.floats(0, 1),
    battery=st.none() | st.floats(0, 1),
    plugged=st.none() | st.booleans(),
    heat=st.none() | st.floats(0, 1.5),
)


@given(st.lists(loads, max_size=100))
def test_unplugged_never_means_a_profile_for_mains(readings: list[Load]) -> None:
    state = first_state(UNKNOWN)
    for load in readings:
        state = follow(state, load, 0.5)
        if load.plugged is False:
            assert state.supply in (Supply.BATTERY, Supply.LOW)


@pytest.mark.parametrize(
    ("supply", "blocks", "like", "max_depth"),
    [
        (Supply.PLENTY, 5, "quality", 0), (Supply.MAINS, 5, "balanced", 0), (Supply.BATTERY, 5, "battery", 2),
        (Supply.BATTERY, 1, "battery", 1), (Supply.LOW, 5, "battery", 1),
    ],
)  # fmt: skip
def test_each_supply_has_its_profile_within_the_models_depths(
    supply: Supply, blocks: int, like: str, max_depth: int
) -> None:
    profile, built_in = profile_for(supply, blocks), load_profile(like)
    assert (profile.max_depth, profile.cpu_share) == (max_depth, built_in.cpu_share)
    assert profile.name == f"auto: {supply.value}"


# ---- the Enhancer


@pytest.fixture
def auto(tiny_model, monkeypatch: pytest.MonkeyPatch) -> sdk.Enhancer:
    monkeypatch.setattr(enhancer_module, "read_sensors", lambda: UNPLUGGED)
    enhancer = sdk.Enhancer("auto", model=tiny_model)
    monkeypatch.setattr(enhancer._monitor, "start", lambda: None)  # readings come from the test alone
    return enhancer


def stream(enhancer: sdk.Enhancer, load: Load, seconds: float) -> str:
    enhancer._monitor.load = load
    enhancer.process(np.zeros(int(seconds * 16000), np.float32))
    return enhancer.profile.name


def test_an_enhancer_with_auto_begins_as_the_supply_is(auto: sdk.Enhancer) -> None:
    assert auto.profile.name == "auto: battery"
    auto.set_depth(None)
    assert auto.depth <= 2


def test_the_profile_follows_the_supply_while_a_stream_runs(auto: sdk.Enhancer) -> None:
    assert stream(auto, UNPLUGGED, 0.5) == "auto: battery"
    assert stream(auto, BUSY_ON_MAINS, PLUGGED_S + 0.1) == "auto: balanced"
    assert stream(auto, IDLE_ON_MAINS, CALM_S + 0.1) == "auto: quality"
    assert stream(auto, Load(battery=0.1, plugged=False), 0.01) == "auto: low battery"
    assert auto.depth == 1
    assert stream(auto, UNPLUGGED, 0.01) == "auto: battery"


def test_a_profile_that_is_set_ends_auto_and_auto_can_be_set(auto: sdk.Enhancer) -> None:
    auto.set_profile("quality")
    assert stream(auto, Load(battery=0.1, plugged=False), 0.1) == "quality"
    auto.set_profile("auto")
    assert stream(auto, Load(battery=0.1, plugged=False), 0.1) == "auto: low battery"


def test_a_profile_that_is_refused_leaves_auto_on(auto: sdk.Enhancer) -> None:
    for wrong, error in (("turbo", sdk.ProfileError), ("fixed-4", sdk.UsageError)):
        with pytest.raises(error):
            auto.set_profile(wrong)
    assert stream(auto, Load(battery=0.1, plugged=False), 0.1) == "auto: low battery"


def test_a_changing_supply_neither_clicks_nor_loses_samples(auto: sdk.Enhancer, tiny_model, speechlike) -> None:
    signal = speechlike(16000)
    auto.set_depth(2)
    fixed = sdk.Enhancer("quality", model=tiny_model)
    fixed.set_depth(2)
    out = []
    for i, block in enumerate(np.split(signal, 100)):
        auto._monitor.load = [UNPLUGGED, Load(battery=0.1, plugged=False), IDLE_ON_MAINS, UNKNOWN][i % 4]
        out.append(auto.process(block))
    np.testing.assert_array_equal(np.concatenate(out), fixed.process(signal))
