"""Gains on held-out mixtures, differences between methods, and the paper's shapes."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from torch import Tensor

from pse_sdk.training.mixing import Mixtures
from pse_sdk.training.reproduce.paper import PAPER, findings
from pse_sdk.training.reproduce.score import difference, gains


class Passing:
    """Gives the input back at depth 1, and at depth 2 a rescaled one."""

    def forward_depths(self, signal: Tensor, depths: Sequence[int]) -> list[Tensor]:
        return [signal / depth for depth in depths]


def test_what_passes_the_mixture_gains_nothing_at_any_scale(held_out: Callable[..., Mixtures]) -> None:
    found = gains(Passing(), held_out(5), 2)
    assert found.shape == (5, 2)
    np.testing.assert_allclose(found, 0, atol=1e-4)


def test_what_two_methods_have_in_common_does_not_widen_their_difference() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.normal(3, 2, (100, 2))
    found = difference(theirs + rng.normal(0.5, 0.1, (100, 2)), theirs, depth=2)
    assert found.mean == pytest.approx(0.5, abs=0.05)
    assert found.margin == pytest.approx(1.96 * 0.1 / 10, rel=0.2)


def rows(**changes: tuple[float, ...]) -> dict[str, np.ndarray]:
    """The paper's table as if all mixtures had gained the same; ours as its fine-tuned model."""
    figures = {**PAPER, **dict.fromkeys(("joint", "weighted", "distilled", "switching"), PAPER["int"]), **changes}
    return {row: np.array([values, values]) for row, values in figures.items()}


def test_the_papers_own_table_has_the_papers_shapes() -> None:
    found = findings(rows())
    assert len(found) == 7
    assert all(finding.holds for finding in found)


@pytest.mark.parametrize(
    ("row", "figures", "index", "evidence"),
    [
        ("full", PAPER["int"], 0, "at best 8.58 dB, the smallest model 4.55 dB"),
        ("chain", PAPER["int"], 1, "+0.31 dB"),
        ("bloom-ft", (4.55,) * 6, 2, "-4.34 ± 0.00 dB"),
        ("joint", (4.4, 6.8, 7.6, 8.3, 8.6, 8.9), 3, "-0.15 ± 0.00"),
    ],
)
def test_a_shape_that_is_not_there_is_named_with_its_figures(
    row: str, figures: tuple[float, ...], index: int, evidence: str
) -> None:
    found = findings(rows(**{row: figures}))[index]
    assert str(found).startswith("does not hold")
    assert evidence in found.evidence


def test_rows_that_are_missing_are_not_judged() -> None:
    assert [f.claim for f in findings({"chain": rows()["chain"]})] == [
        "Baseline 2 saturates: its last link adds less than 0.1 dB"
    ]
