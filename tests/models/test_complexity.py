"""Parameter and MAC counts against the published tables."""

import pytest

from pse_sdk.models import complexity, preset


@pytest.mark.parametrize(("name", "millions"), [("e3net", 6.61), ("e3net-8", 10.85), ("e3net-2", 4.50)])
def test_e3net_has_the_papers_parameters(name: str, millions: float) -> None:
    deepest = complexity(preset(name))[-1]
    assert deepest.parameters / 1e6 == pytest.approx(millions, rel=0.005)


def test_bloom_net_has_the_papers_parameters_and_macs_at_every_depth() -> None:
    costs = complexity(preset("bloom-convtasnet"))
    parameters = [c.parameters_with_heads / 1e6 for c in costs]
    macs = [c.macs_per_second / 1e9 for c in costs]
    assert parameters == pytest.approx([0.28, 0.49, 0.71, 0.92, 1.13, 1.34], rel=0.03)
    assert macs == pytest.approx([0.53, 0.80, 1.07, 1.33, 1.60, 1.87], rel=0.06)


def test_a_voice_costs_no_frame_anything() -> None:
    config = preset("small")
    with_voices, without = complexity(config), complexity(config.replace(speaker_dim=0))
    assert [c.macs_per_second for c in with_voices] == [c.macs_per_second for c in without]
    assert with_voices[0].parameters > without[0].parameters


def test_the_shipped_preset_costs_at_most_a_third_at_depth_one() -> None:
    costs = complexity(preset("small"))
    assert costs[0].macs_per_second <= costs[-1].macs_per_second / 3


def test_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="bloom-convtasnet"):
        preset("huge")
