"""What every model may spend: minutes, so that what is cheap to train sees more, or steps, so that all see the same."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from pse_sdk.errors import UsageError

# Shares of the budget in which the learning rate rises from, and falls to, almost nothing.
WARM_UP = 0.05
DECAY = 0.4


@dataclass(frozen=True)
class Budget:
    """Exactly one of the two.

    Parameters
    ----------
    minutes : of processor time, which other work on the machine does not use up; of the clock where a GPU trains
    steps : of the optimiser
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("a budget is either minutes or steps: give one of them")
        if not 0 < (self.minutes or self.steps or 0) < math.inf:
            raise UsageError("a budget must be more than nothing, and end")

    def __str__(self) -> str:
        clock = "by the clock" if torch.cuda.is_available() else "of processor time"
        return f"{self.minutes:g} minutes {clock}" if self.minutes else f"{self.steps} steps"

    def to_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


class Spending:
    """How much of a budget is gone."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.process_time) -> None:
        self._budget, self._clock = budget, clock
        self._started = clock()

    def minutes(self) -> float:
        return (self._clock() - self._started) / 60

    def share(self, steps: int) -> float:
        """0 at the start, 1 and more when nothing is left."""
        if self._budget.steps is not None:
            return steps / self._budget.steps
        assert self._budget.minutes is not None
        return self.minutes() / self._budget.minutes


def learning_rate_factor(share: float) -> float:
    """Linear up, constant, linear down to nothing, over the shares of a budget."""
    up = max(share / WARM_UP, 0.1)
    return max(0.0, min(1.0, up, (1 - share) / DECAY))
