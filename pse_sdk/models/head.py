"""A head: masker and decoder of one block, ``s_l = Dec_l(Mas_l(.) * h)`` (BLOOM-Net, eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.activation import PReLU
from pse_sdk.models.config import StackConfig
from pse_sdk.models.encoder import tight_frame


class Head(nn.Module):
    """z [batch, frames, channels], h [batch, frames, filters] -> windows [batch, frames, window] to overlap-add.

    What is looked ahead is the windows' end, and zero.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.channels)
        self.prelu = PReLU()
        self.mask = nn.Linear(config.channels, config.filters)
        self.decoder = nn.Parameter(tight_frame(config.filters, config.filter_length))
        self.padding = config.window - config.filter_length
        # Small weights and an open bias: the untrained head passes the noisy signal.
        nn.init.normal_(self.mask.weight, std=0.02)
        nn.init.constant_(self.mask.bias, config.mask_bias)

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        mask = torch.sigmoid(self.mask(self.prelu(self.norm(z))))
        windows = F.linear(mask * h, self.decoder.t())
        return F.pad(windows, (0, self.padding)) if self.padding else windows
