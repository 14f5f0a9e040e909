"""What a depth will take, learned from what others took."""

import pytest

from pse_sdk.cost_model import CostModel, StallCount


def learned(model: CostModel, seconds: float, frames: int) -> CostModel:
    for _ in range(frames):
        model.learn(1, seconds, seconds, False)
    return model


def test_bypass_makes_unsure_again() -> None:
    """Nothing is learned of a load while no block runs: after 2000 frames the deviation is that of the beginning."""
    model = learned(CostModel([1e-3]), 1e-3, 500)
    assert model._deviation < 0.1
    for _ in range(2000):
        model.forget()
    assert model._deviation == pytest.approx(0.25, rel=0.01)


def test_what_takes_less_for_a_second_is_soon_believed() -> None:
    model = learned(learned(CostModel([1e-3]), 2e-3, 2000), 1.4e-3, 100)
    assert model.cpu_s(1) < 1.45e-3


def test_a_long_calm_ends_the_count_of_stalls() -> None:
    stalls = StallCount()
    for frame in range(3000):
        stalls.add(frame % 50 == 0, False, 1.0)
    assert stalls.late_per_cost() > 0
    for _ in range(400):
        stalls.add(False, False, 1.0)
    assert stalls.late_per_cost() == 0
