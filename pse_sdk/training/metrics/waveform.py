"""SI-SDR, on [batch, samples] tensors: a metric that training can watch."""

from __future__ import annotations

import torch
from torch import Tensor


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, [batch, samples] -> [batch] (arXiv 1811.02508, eq. 5).

    Without removal of the mean, as in the paper.
    """
    scale = (estimate * target).sum(1, keepdim=True) / (target.square().sum(1, keepdim=True) + 1e-10)
    projection = scale * target
    residual = estimate - projection
    return 10 * torch.log10((projection.square().sum(1) + 1e-10) / (residual.square().sum(1) + 1e-10))
