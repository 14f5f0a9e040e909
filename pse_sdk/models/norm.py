"""Normalisation over one frame, over all frames so far, or over the whole recording."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pse_sdk.models.config import NormKind

# count, mean and mean square: what one cumulative normalisation carries from frame to frame.
STATISTICS = 3
# What the count goes up to: 44 minutes of frames of 10 ms.
MOST_FRAMES = 2**18


class ChannelNorm(nn.Module):
    """Normalise [batch, frames, channels] with a learned gain and bias per channel.

    ``"frame"``: over the channels of one frame. ``"cumulative"``: over all channels and frames so far (cLN,
    arXiv 1809.07454, eq. 14-16). ``"global"``: over the whole recording (gLN, eq. 11-13), not causal.
    """

    def __init__(self, channels: int, kind: NormKind) -> None:
        super().__init__()
        self.kind = kind
        self.eps = 1e-5
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """X [batch, frames, channels], statistics [batch, 3] -> the same shapes."""
        if self.kind == "cumulative":
            return self._cumulative(x, statistics)
        over = (2,) if self.kind == "frame" else (1, 2)
        centred = x - x.mean(over, keepdim=True)
        return self._scale(centred, centred.square().mean(over, keepdim=True)), statistics

    def _cumulative(self, x: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        # Under autocast to bf16 too: it cannot count beyond 256.
        dtype, x, statistics = x.dtype, x.float(), statistics.float()
        # A running mean, not a running sum: its size does not grow, so hours of audio lose no precision. The count
        # stops at MOST_FRAMES, from where on the mean forgets slowly: no float holds a small part of a large sum.
        count, mean, square = (column[:, None] for column in statistics.unbind(1))
        counts = count + torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)
        means = (count * mean + x.mean(2).cumsum(1)) / counts
        squares = (count * square + x.square().mean(2).cumsum(1)) / counts
        variance = (squares - means.square()).clamp_min(0)
        y = self._scale(x - means[..., None], variance[..., None]).to(dtype)
        counted = counts[:, -1].expand(x.shape[0]).clamp_max(MOST_FRAMES)
        return y, torch.stack([counted, means[:, -1], squares[:, -1]], 1)

    def _scale(self, centred: Tensor, variance: Tensor) -> Tensor:
        return centred / torch.sqrt(variance + self.eps) * self.gain + self.bias
