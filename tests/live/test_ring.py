"""Samples with positions: what is there comes back, everything else is silence."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.live.ring import TimedRing


@given(
    capacity=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(-20, 80), st.integers(0, 70)), max_size=12),
    start=st.integers(0, 300),
    count=st.integers(0, 60),
)
def test_the_ring_is_a_window_on_an_endless_tape(
    capacity: int, steps: list[tuple[int, int]], start: int, count: int
) -> None:
    ring, tape, end = TimedRing(capacity), np.zeros(3000, np.float32), 0
    value = 0
    for jump, length in steps:
        at = max(0, end + jump)
        samples = np.arange(value + 1, value + 1 + length, dtype=np.float32)
        value += length
        ring.write(at, samples)
        tape[at : at + length] = samples
        tape[at + length :] = 0
        end = at + length
    out, missing = ring.read(start, count)
    positions = np.arange(start, start + count)
    there = (positions < end) & (positions >= end - capacity)
    # A jump back of the writer leaves less than the capacity that is known; what is read is on the tape or silence.
    expected = np.where(there, tape[positions], 0)
    assert missing == count - there.sum()
    np.testing.assert_array_equal(out[(out != 0)], expected[(out != 0)])
    if all(jump >= 0 for jump, _ in steps):
        np.testing.assert_array_equal(out, expected)
