"""Laws of replay, oracle and scores: whatever the trace, they are what their names say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.profiles import Profile, load_profile

from pse_sdk.depth_change import WARM_UP
from pse_sdk.simulate import LoadTrace, oracle, replay, replay_fixed, score, synthetic_trace
from pse_sdk.simulate.scores import DIP_FRAMES, count_changes

HOP_S = 0.01
PROFILES = [load_profile(name) for name in ("balanced", "battery", "quality", "fixed-2")]
PROFILES.append(Profile("may bypass", min_depth=0, dwell_s=0.1))
profiles = st.sampled_from(PROFILES)


@st.composite
def traces(draw: st.DrawFn) -> LoadTrace:
    """Levels of load that last some frames each, with jitter and stalls."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depths = draw(st.integers(1, 5))
    levels = draw(st.lists(st.sampled_from([0.5, 1, 3, 8, 12, 40]), min_size=1, max_size=6))
    slowdown = np.repeat(levels, draw(st.integers(1, 60))) * rng.uniform(0.8, 1.25, 1)
    slowdown = slowdown * rng.uniform(0.8, 1.25, len(slowdown))
    frames = len(slowdown)
    return LoadTrace(
        name="drawn",
        hop_s=0.01,
        costs_s=np.cumsum(rng.uniform(1e-4, 5e-4, depths)),
        expected_s=np.cumsum(rng.uniform(1e-4, 5e-4, depths)),
        slowdown=slowdown,
        stall_s=np.where(rng.uniform(size=frames) < 0.1, rng.uniform(0, 0.02, frames), 0.0),
        stall_at=rng.uniform(size=frames),
        wait_s=np.where(rng.uniform(size=frames) < 0.3, rng.uniform(0, 0.02, frames), 0.0),
        cpu_load=np.where(rng.uniform(size=frames) < 0.5, np.nan, rng.uniform(size=frames)),
        loaded=slowdown > 2,
    )


def constant(slowdown: list[float], **changes: object) -> LoadTrace:
    frames = len(slowdown)
    values = {
        "name": "constant",
        "hop_s": 0.01,
        "costs_s": np.array([1e-4, 2e-4, 3e-4]),
        "expected_s": np.array([1e-4, 2e-4, 3e-4]),
        "slowdown": np.array(slowdown),
        "stall_s": np.zeros(frames),
        "stall_at": np.zeros(frames),
        "wait_s": np.zeros(frames),
        "cpu_load": np.full(frames, np.nan),
        "loaded": np.array(slowdown) > 1,
    }
    return LoadTrace(**{**values, **changes})  # type: ignore[arg-type]


@given(traces(), profiles)
def test_the_oracle_is_never_late_where_the_least_depth_is_not(trace: LoadTrace, profile: Profile) -> None:
    for steady_s in (0.0, 1.0):
        assert not oracle(trace, profile, steady_s).avoidable.any()


@given(traces())
def test_nothing_that_is_in_time_is_deeper_than_the_oracle(trace: LoadTrace) -> None:
    profile = Profile("deadline only", cpu_share=1.0)
    best = oracle(trace, profile)
    within_share = trace.costs_s[-1] * trace.slowdown.max() < 0.01
    for depth in range(1, trace.depths + 1):
        run = replay_fixed(trace, profile, depth)
        if within_share:
            assert (best.ran >= depth)[~run.late].all()
    assert (oracle(trace, profile, steady_s=1.0).ran <= best.ran).all()


@given(traces(), profiles, st.integers(1, 5))
def test_the_misses_of_a_fixed_depth_are_what_they_must_be(trace: LoadTrace, profile: Profile, depth: int) -> None:
    depth = min(depth, trace.depths)
    run = replay_fixed(trace, profile, depth)
    for n in range(trace.frames):
        wall = trace.costs_s[depth - 1] * trace.slowdown[n]
        if trace.costs_s[depth - 1] / trace.costs_s[-1] >= trace.stall_at[n]:
            wall += trace.stall_s[n]
        assert run.late[n] == (trace.wait_s[n] + wall > profile.deadline_share * 0.01)


@given(traces(), profiles)
def test_the_same_trace_gives_the_same_replay_within_the_profile(trace: LoadTrace, profile: Profile) -> None:
    first, again = replay(trace, profile), replay(trace, profile)
    np.testing.assert_array_equal(first.ran, again.ran)
    np.testing.assert_array_equal(first.heard, again.heard)
    deepest = min(profile.max_depth or trace.depths, trace.depths)
    assert first.ran.min() >= min(profile.min_depth, deepest)
    assert first.ran.max() <= deepest
    assert (first.heard <= first.ran).all()


@given(traces(), profiles)
def test_the_oracle_scores_as_the_best_and_shares_are_shares(trace: LoadTrace, profile: Profile) -> None:
    best = oracle(trace, profile)
    scores = score(best, best, trace, profile)
    assert (scores.of_oracle, scores.avoidable, scores.longest_avoidable) == (1.0, 0.0, 0)
    run = score(replay(trace, profile), best, trace, profile)
    assert 0 <= run.avoidable <= run.late <= 1


def test_the_cpu_share_bounds_the_oracle_where_the_deadline_does_not() -> None:
    trace = constant([1.0] * 500)
    assert set(oracle(trace, Profile("thrifty", cpu_share=0.021)).ran) == {2}


def test_a_later_load_can_be_told_from_a_fixed_depth_by_its_recovery() -> None:
    trace = constant([1.0] * 1000 + [30.0] * 200 + [1.0] * 600)
    profile = Profile("any", cpu_share=1.0, dwell_s=0.2)
    best = oracle(trace, profile)
    shallow = score(replay_fixed(trace, profile, 1), best, trace, profile)
    deep = score(replay_fixed(trace, profile, 3), best, trace, profile)
    ours = score(replay(trace, profile), best, trace, profile)
    assert (shallow.reaction_frames, shallow.recovery_s) == (0, pytest.approx(6.0))
    assert (deep.reaction_frames, deep.recovery_s) == (200, 0.0)
    assert ours.reaction_frames == 1
    assert ours.recovery_s == pytest.approx(
        2 * 0.2 + WARM_UP * HOP_S, abs=0.05
    )  # two rises, and the last one's warm-up


def test_without_onsets_nothing_is_said_of_reaction_and_recovery() -> None:
    trace, profile = synthetic_trace("idle"), PROFILES[0]
    scores = score(replay(trace, profile), oracle(trace, profile), trace, profile)
    assert (scores.reaction_frames, scores.recovery_s) == (None, None)


@pytest.mark.parametrize(
    ("depths", "changes", "dips"),
    [
        ([5] * 9, 0, 0),
        ([5, 5, 4, 4, 4, 4, 4], 1, 0),
        ([5, 5, 1, 5, 5], 0, 1),
        ([5] + [1] * DIP_FRAMES + [5], 0, 1),
        ([5] + [1] * (DIP_FRAMES + 1) + [5], 2, 0),
        ([1, 5, 1], 2, 0),
        ([5, 1, 4, 4, 4, 4], 2, 0),
        ([5, 1, 5, 1, 5], 0, 2),
    ],
    ids=str,
)
def test_a_short_rest_is_a_dip_and_no_change(depths: list[int], changes: int, dips: int) -> None:
    assert count_changes(np.array(depths)) == (changes, dips)
