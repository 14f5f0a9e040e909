"""Waking blocks run unheard before their head speaks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.depth_change import PINNED_WARM_UP, REST, WARM_UP, DepthChange

# Depths that are held for a while, longer than a warm-up too.
wanted_depths = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.integers(1, REST + 2), st.integers(1, 2 * WARM_UP))),
    min_size=3,
    max_size=12,
).map(lambda held: [depth for depth, frames in held for _ in range(frames)])


def test_a_stream_starts_at_any_depth_at_once() -> None:
    assert DepthChange().next(4) == (4, 4)


def test_going_down_is_immediate() -> None:
    change = DepthChange()
    change.next(4)
    assert change.next(1) == (1, 1)


def test_going_up_is_heard_after_the_warm_up() -> None:
    change = DepthChange()
    change.next(1)
    frames = [change.next(3) for _ in range(WARM_UP + 1)]
    assert frames[:-1] == [(3, 1)] * WARM_UP
    assert frames[-1] == (3, 3)


def test_leaving_bypass_warms_up_too() -> None:
    change = DepthChange()
    change.next(0)
    assert change.next(2) == (2, 0)


@pytest.mark.parametrize("rest", range(1, REST + 1))
def test_blocks_that_rested_briefly_are_heard_again_at_once(rest: int) -> None:
    change = DepthChange()
    change.next(5)
    assert [change.next(1) for _ in range(rest)] == [(1, 1)] * rest
    assert change.next(5) == (5, 5)
    assert change.kept == 5


def test_blocks_that_rested_longer_warm_up_from_zeros() -> None:
    change = DepthChange()
    change.next(5)
    for _ in range(REST + 1):
        change.next(1)
    assert change.next(5) == (5, 1)
    assert change.kept == 1


def test_a_pinned_depth_is_heard_sooner() -> None:
    change = DepthChange()
    change.next(1, pinned=True)
    frames = [change.next(3, pinned=True) for _ in range(PINNED_WARM_UP + 1)]
    assert frames == [(3, 1)] * PINNED_WARM_UP + [(3, 3)]
    assert PINNED_WARM_UP < WARM_UP


def test_a_rest_does_not_interrupt_a_warm_up() -> None:
    change = DepthChange()
    change.next(1)
    frames = [change.next(depth) for depth in [5] * 4 + [1] + [5] * (WARM_UP - 3)]
    assert frames[-2:] == [(5, 1), (5, 5)]


@given(wanted_depths)
def test_what_is_heard_always_runs_and_ran_warm(wanted: list[int]) -> None:
    change = DepthChange()
    history: list[int] = []
    for want in wanted:
        ran, heard = change.next(want)
        assert ran == want
        assert heard <= ran
        recent = [r >= heard for r in history[-WARM_UP:]]
        if heard > 0 and len(history) >= WARM_UP:
            rests = [len(list(run)) for awake, run in itertools.groupby(recent) if not awake]
            assert all(rest <= REST for rest in rests)
        history.append(ran)


@given(wanted_depths)
def test_states_are_kept_only_over_short_rests(wanted: list[int]) -> None:
    change = DepthChange()
    rested = [REST + 1] * 5  # frames since each block ran
    for want in wanted:
        change.next(want)
        assert all(rested[block] <= REST for block in range(min(change.kept, want)))
        rested = [0 if block < want else frames + 1 for block, frames in enumerate(rested)]


@given(wanted_depths)
def test_a_block_that_began_from_zeros_is_heard_after_the_warm_up(wanted: list[int]) -> None:
    change = DepthChange()
    change.next(5)
    ran = [
        WARM_UP
    ] * 5  # frames of each block since it began from zeros; at the start of a stream all are heard at once
    for want in wanted:
        _, heard = change.next(want)
        ran = [frames if block < change.kept or block >= want else 0 for block, frames in enumerate(ran)]
        assert all(frames >= WARM_UP for frames in ran[:heard])
        ran = [frames + 1 if block < want else frames for block, frames in enumerate(ran)]


def test_what_rested_is_not_remembered_over_deeper_blocks_that_began_anew() -> None:
    change = DepthChange()
    for depth, frames in ((3, 100), (1, 10), (5, 5), (1, 5)):
        for _ in range(frames):
            change.next(depth, pinned=True)
    # Block 3 began from zeros five frames ago.
    assert change.next(3, pinned=True) == (3, 1)


def test_a_second_short_rest_is_as_short_as_the_first() -> None:
    change = DepthChange()
    for depth in [3, 1] + [3] * 57 + [1] * 5:
        change.next(depth)
    assert change.next(3) == (3, 3)
