"""SI-SDR gain per mixture and depth, and how far two methods lie apart on the same mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.mixing import Mixtures

# [mixtures, depths], dB
Gains = npt.NDArray[np.float64]


class Scalable(Protocol):
    """Anything that enhances at several depths: [batch, samples] -> one [batch, samples] per depth."""

    def forward_depths(self, signal: Tensor, depths: Sequence[int]) -> list[Tensor]: ...


@dataclass(frozen=True)
class Difference:
    """Mean and half of its 95 % confidence interval over mixtures, dB."""

    mean: float
    margin: float


def gains(model: Scalable, mixtures: Mixtures, depths: int) -> Gains:
    """SI-SDR in dB above the noisy mixture's, [mixtures, depths]."""
    batches = []
    with torch.inference_mode():
        for batch in DataLoader(mixtures, 8):
            before = si_sdr(batch.noisy, batch.target)
            outputs = model.forward_depths(batch.noisy, range(1, depths + 1))
            batches.append(torch.stack([si_sdr(output, batch.target) - before for output in outputs], 1))
    out: Gains = torch.cat(batches).double().numpy()
    return out


def difference(ours: Gains, theirs: Gains, depth: int) -> Difference:
    """How much more ``ours`` gains at a depth. Paired: what makes a mixture hard for both cancels out."""
    values = ours[:, depth - 1] - theirs[:, depth - 1]
    return Difference(float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values))))
