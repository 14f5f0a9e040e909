"""Muon for the blocks' matrices, AdamW for everything else, as one optimiser.

Measured on the shipped stack, same data and rate: after 336 steps of 20 s Muon stood at 2.6 dB SI-SDR gain on
held-out mixtures, AdamW after 450 steps at 2.0 dB; only with Muon did deeper heads gain more from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter

from pse_sdk.training.muon import Muon


class MuonAdamW(torch.optim.Optimizer):
    """Two optimisers that share parameter groups with this one, so that one schedule drives both.

    Parameters
    ----------
    matrices : stepped by Muon, scaled to AdamW's update size, so that one learning rate fits both
    others : stepped by AdamW; weight decay only on what has two or more dimensions
    """

    def __init__(
        self, matrices: Iterable[Parameter], others: Iterable[Parameter], learning_rate: float, weight_decay: float
    ) -> None:
        rest = list(others)
        self.muon = Muon(list(matrices), learning_rate, weight_decay)
        decayed: dict[str, Any] = {"params": [p for p in rest if p.ndim >= 2]}
        kept: dict[str, Any] = {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0}
        self.adamw = torch.optim.AdamW([decayed, kept], lr=learning_rate, weight_decay=weight_decay, betas=(0.9, 0.98))
        super().__init__(self._groups(), {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else torch.enable_grad()(closure)()
        self.muon.step()
        self.adamw.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.muon.load_state_dict(state_dict["muon"])
        self.adamw.load_state_dict(state_dict["adamw"])
        self.param_groups = self._groups()  # loading made new ones

    def _groups(self) -> list[dict[str, Any]]:
        return [*self.muon.param_groups, *self.adamw.param_groups]
