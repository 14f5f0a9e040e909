"""The pace of a stream: a real wait is told to the millisecond, and nothing else is taken for one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.pace import ENOUGH, Arrival, Pace

BLOCK = 0.01
COMPUTE = 0.001


def follow(arrivals: list[float], blocks: list[float], compute: float = COMPUTE) -> list[Arrival]:
    """What is said of blocks that are due at ``arrivals``; nobody begins one before the last is done."""
    pace, told, free = Pace(), [], 0.0
    for at, block in zip(arrivals, blocks, strict=True):
        begun = max(at, free)
        told.append(pace.enter(begun, block))
        free = begun + compute
        pace.leave(free)
    return told


def paced(count: int, block: float = BLOCK, start: float = 5.0) -> list[float]:
    return [start + n * block for n in range(count)]


def late(told: list[Arrival]) -> list[float]:
    return [arrival.late_s or 0.0 for arrival in told]


@given(
    drift=st.floats(-200e-6, 200e-6),
    jitter=st.floats(0, 0.4e-3),
    seed=st.integers(0, 99),
    block=st.sampled_from([128 / 48000, 0.01, 0.02, 0.1]),
)
def test_a_clock_that_drifts_by_200_ppm_is_never_late(drift: float, jitter: float, seed: int, block: float) -> None:
    count = 3000
    noise = np.random.default_rng(seed).uniform(0, jitter, count)
    arrivals = [at * (1 + drift) + more for at, more in zip(paced(count, block), noise, strict=True)]
    told = follow(arrivals, [block] * count, compute=0.1 * block)
    assert not any(late(told))
    assert told[-1].late_s == 0.0  # known, and in time


@given(st.lists(st.floats(1e-5, 9e-3), min_size=1, max_size=20), st.sampled_from([0.001, 0.01, 0.064]))
def test_a_file_fed_as_fast_as_it_goes_is_never_late(reads: list[float], block: float) -> None:
    """Reading takes any time below the block's, and every tenth read of the disk thirty times as long."""
    times = itertools.islice(itertools.cycle(reads), 600)
    steps = [min(step, 0.9 * block) * (30 if n % 97 == 96 else 1) for n, step in enumerate(times)]
    told = follow(list(np.cumsum(steps)), [block] * 600, compute=1e-5)
    assert not any(late(told))


@given(st.lists(st.integers(2, 12), min_size=1, max_size=8), st.sampled_from([0.0, 1.5e-3]))
def test_bursts_are_never_late(sizes: list[int], between: float) -> None:
    """Blocks that come several at a time, at once or with some work of the app between them."""
    arrivals: list[float] = []
    for size in itertools.islice(itertools.cycle(sizes), 200):
        due = BLOCK * (len(arrivals) + size)
        arrivals += [due + i * between for i in range(size)]
    assert not any(late(follow(arrivals, [BLOCK] * len(arrivals), compute=0.0005)))


@given(st.lists(st.floats(0.011, 100), min_size=1, max_size=5))
def test_pauses_are_never_late(pauses: list[float]) -> None:
    arrivals, now = [], 0.0
    for pause in pauses:
        arrivals += paced(3 * ENOUGH, start=now)
        now = arrivals[-1] + BLOCK + pause
    told = follow(arrivals + paced(10, start=now), [BLOCK] * (len(arrivals) + 10))
    assert not any(late(told))
    assert not any(arrival.stalled for arrival in told)


def test_a_late_first_block_after_a_pause_does_not_shift_the_clock() -> None:
    arrivals = [*paced(100), 5.0 + 3.0 + 0.004, *paced(100, start=5.0 + 3.0 + BLOCK)]
    arrivals[150] += 0.006
    told = late(follow(arrivals, [BLOCK] * 201))
    assert told == pytest.approx([0.006 if n == 150 else 0.0 for n in range(201)], abs=1e-4)


@given(st.lists(st.floats(1.2e-3, 9e-3), min_size=1, max_size=60), st.integers(0, 10_000))
def test_a_wait_for_the_core_is_told_to_the_millisecond(waits: list[float], seed: int) -> None:
    """Two in five blocks begin late, by less than their length."""
    waiting = np.random.default_rng(seed).uniform(size=400) < 0.4
    waiting[: 2 * ENOUGH] = False
    waited = [wait if w else 0.0 for wait, w in zip(itertools.cycle(waits), waiting, strict=False)]
    told = follow([at + w for at, w in zip(paced(400), waited, strict=True)], [BLOCK] * 400)
    assert late(told)[ENOUGH:] == pytest.approx(waited[ENOUGH:], abs=1e-3)


def test_a_stream_that_begins_on_a_busy_core_is_followed_where_the_system_tells_of_waits() -> None:
    """Two blocks in three begin late; without being told why, that may as well be how they are delivered."""
    waits = [0.0 if n % 3 == 0 else 0.003 + 0.001 * (n % 5) for n in range(300)]
    told, untold = Pace(), Pace()
    seen = []
    for at, wait in zip(paced(300), waits, strict=True):
        seen.append((told.enter(at + wait, BLOCK, wait).late_s, untold.enter(at + wait, BLOCK).late_s))
        for pace in (told, untold):
            pace.leave(at + wait + COMPUTE)
    assert [late_s for late_s, _ in seen[100:]] == pytest.approx(waits[100:], abs=1e-4)
    assert {late_s for _, late_s in seen} == {None}


@given(st.floats(0.0105, 0.3))
def test_a_stall_longer_than_a_block_is_told_until_it_is_caught_up(stall: float) -> None:
    n = 2 * ENOUGH
    arrivals = paced(n + 200)
    held_off = [max(at, arrivals[n] + stall) for at in arrivals[n:]]
    told = follow(arrivals[:n] + held_off, [BLOCK] * (n + 200))
    assert told[n].late_s is None  # it may be a pause
    assert told[n + 1].stalled
    caught_up = [max(0.0, stall + i * (COMPUTE - BLOCK)) for i in range(200)]
    assert late(told)[n + 1 :] == pytest.approx(caught_up[1:], abs=1.1e-3)
    assert sum(arrival.stalled for arrival in told) == 1


def test_blocks_of_any_size_share_one_clock() -> None:
    sizes = list(itertools.islice(itertools.cycle([0.007, 0.013, 0.004]), 600))
    due = np.cumsum(sizes)
    due[400] += 0.003
    told = follow(list(due), sizes)
    assert late(told) == pytest.approx([0.003 if n == 400 else 0.0 for n in range(600)], abs=1e-4)


def test_a_clock_set_back_begins_the_search_anew() -> None:
    arrivals = paced(100) + paced(100, start=0.0)
    told = follow(arrivals[:100], [BLOCK] * 100)
    assert told[-1].late_s == 0.0
    pace = Pace()
    for at in arrivals[:100]:
        pace.enter(at, BLOCK)
    assert pace.enter(arrivals[100], BLOCK).late_s is None


def test_empty_blocks_change_nothing() -> None:
    arrivals = [at for at in paced(100) for _ in range(2)]
    told = follow(arrivals, [BLOCK, 0.0] * 100, compute=1e-4)
    assert told[-2].late_s == 0.0


@pytest.mark.parametrize("drift", [-400e-6, 400e-6])
def test_a_card_that_is_fast_or_slow_all_along_does_not_lose_the_clock(drift: float) -> None:
    told = follow([at * (1 + drift) for at in paced(6000)], [BLOCK] * 6000)
    assert all(arrival.late_s == 0.0 for arrival in told[2 * ENOUGH :])


def test_two_late_blocks_that_were_no_pause_do_not_lose_the_clock() -> None:
    arrivals = paced(300)
    arrivals[100] += 0.012
    arrivals[101] += 0.012
    told = follow(arrivals, [BLOCK] * 300)
    assert all(arrival.late_s == 0.0 for arrival in told[103:])
