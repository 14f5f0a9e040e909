"""The exponential average of the weights, which is what gets validated and exported."""

from __future__ import annotations

import lightning
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialAverage(WeightAveraging):
    """``average += (1 - decay) * (weights - average)`` after every step.

    Lightning's own callback adds two products instead, which rounds: frozen weights would drift from step to step.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    def on_fit_start(self, _: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Follow the model to its device: it was copied before the model went there."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)
