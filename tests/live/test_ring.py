"""Samples with positions: what is there comes back, everything else is silence."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.live.ring import TimedRing


@given(
    capacity=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(-20, 80), st.integers(0, 70)), min_size=1, max_size=12),
    back=st.integers(-10, 70),
    count=st.integers(1, 80),
)
def test_the_ring_is_a_window_on_an_endless_tape(
    capacity: int, steps: list[tuple[int, int]], back: int, count: int
) -> None:
    ring, end, value = TimedRing(capacity), 0, 0.0
    slots: dict[int, tuple[int, float]] = {}  # what each place of the ring holds: a position and its sample
    for jump, length in steps:
        at = max(0, end + jump)
        samples = np.arange(value + 1, value + 1 + length, dtype=np.float32)
        value += length
        ring.write(at, samples)
        tape = [(p, 0.0) for p in range(max(end, at - capacity), at)]
        tape += [(at + i, float(sample)) for i, sample in enumerate(samples)]
        slots.update({p % capacity: (p, sample) for p, sample in tape})
        end = at + length
    start = max(0, end - back)
    known = {p: sample for p, sample in slots.values() if p < end}
    out, missing = ring.read(start, count)
    np.testing.assert_array_equal(out, [known.get(p, 0.0) for p in range(start, start + count)])
    assert missing == sum(p not in known for p in range(start, start + count))


def test_after_a_jump_back_newer_samples_are_not_taken_for_older_ones() -> None:
    ring = TimedRing(10)
    ring.write(0, np.arange(20, dtype=np.float32))
    ring.write(15, np.array([99.0], np.float32))
    out, missing = ring.read(6, 10)
    np.testing.assert_array_equal(out, [0, 0, 0, 0, 10, 11, 12, 13, 14, 99])
    assert missing == 4
