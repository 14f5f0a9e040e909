"""Waking blocks run unheard before their head speaks."""

from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.depth_change import WARM_UP, DepthChange


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


@given(st.lists(st.integers(0, 5), min_size=1, max_size=100))
def test_what_is_heard_always_runs_and_ran_warm(wanted: list[int]) -> None:
    change = DepthChange()
    history: list[int] = []
    for want in wanted:
        ran, heard = change.next(want)
        assert ran == want
        assert heard <= ran
        if history and heard > 0:
            recent = history[-WARM_UP:]
            assert all(r >= heard for r in recent) or len(history) < WARM_UP
        history.append(ran)
