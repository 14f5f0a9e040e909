"""The exponential average of the weights, which is what gets validated and exported."""

from __future__ import annotations

from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


def exponential_average(decay: float) -> WeightAveraging:
    """``average += (1 - decay) * (weights - average)`` after every step.

    Lightning's own callback adds two products instead, which rounds: frozen weights would drift from step to step.
    """
    return WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
