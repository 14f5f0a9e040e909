"""Separator blocks ``z[l] = Sep_l(zbar[l-1])``. State comes in and goes out as two tensors; none is kept inside.

Both kinds share one interface: ``block(x, hidden, cell) -> (z, hidden, cell)`` with x and z
[batch, frames, channels], hidden [batch, hidden_size] and cell [batch, cell_size].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.activation import PReLU
from pse_sdk.models.config import StackConfig
from pse_sdk.models.norm import STATISTICS, ChannelNorm

# Frames that the slowest LSTM cells remember before training: 1 s.
MEMORY_FRAMES = 100


class E3NetBlock(nn.Module):
    """LSTM, then a feed-forward layer (arXiv 2204.00771, figure 1), each on a normalised input.

    The residual connections stand around both, so that ``zbar[l] = z[l] + zbar[l-1]`` adds the LSTM's and the
    feed-forward layer's output to the running sum. hidden and cell are the LSTM's.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.hidden_size = self.cell_size = config.channels
        self.lstm_norm = nn.LayerNorm(config.channels)
        self.lstm = nn.LSTM(config.channels, config.channels, batch_first=True)
        self.feed_norm = nn.LayerNorm(config.channels)
        self.expand = nn.Linear(config.channels, config.hidden)
        self.prelu = PReLU()
        self.reduce = nn.Linear(config.hidden, config.channels)
        self._spread_memory(config.channels)

    @torch.no_grad()
    def _spread_memory(self, channels: int) -> None:
        """Forget gates for memories of 1 to MEMORY_FRAMES frames (chrono initialisation, arXiv 1804.11188, eq. 16).

        torch's start forgets half of the cell every 10 ms, and noise has to be known for longer than that.
        """
        spread = torch.log(1 + torch.rand(channels) * (MEMORY_FRAMES - 1))
        biases = dict(self.lstm.named_parameters())
        biases["bias_hh_l0"].zero_()
        # torch orders the gates input, forget, cell, output.
        biases["bias_ih_l0"].copy_(torch.cat([-spread, spread, torch.zeros(2 * channels)]))

    @torch.no_grad()
    def silence(self) -> None:
        """Make ``z = 0``, whatever comes in, by the weights that a gradient reaches at once."""
        self.reduce.weight.zero_()
        self.reduce.bias.zero_()
        for parameter in self.lstm.parameters():
            parameter.chunk(4)[2].zero_()  # the cell's candidate; see the order of the gates above

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        remembered, (hidden, cell) = self.lstm(self.lstm_norm(x), (hidden[None], cell[None]))
        fed = self.reduce(self.prelu(self.expand(self.feed_norm(x + remembered))))
        return remembered + fed, hidden[0], cell[0]


class ConvTasNetBlock(nn.Module):
    """1x1 convolution, causal depthwise convolution, 1x1 convolution (arXiv 1809.07454, figure 1C).

    Without dilation and skip path, as BLOOM-Net uses it. hidden holds the last ``kernel - 1`` frames of the
    depthwise convolution's input, cell the statistics of the two normalisations.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.kernel, self.width = config.kernel, config.hidden
        self.hidden_size = (config.kernel - 1) * config.hidden
        self.cell_size = 2 * STATISTICS
        self.causal = config.norm != "global"
        self.expand = nn.Linear(config.channels, config.hidden)
        self.expand_prelu = PReLU()
        self.expand_norm = ChannelNorm(config.hidden, config.norm)
        self.depthwise = nn.Conv1d(config.hidden, config.hidden, config.kernel, groups=config.hidden)
        self.depthwise_prelu = PReLU()
        self.depthwise_norm = ChannelNorm(config.hidden, config.norm)
        self.reduce = nn.Linear(config.hidden, config.channels)

    @torch.no_grad()
    def silence(self) -> None:
        """Make ``z = 0``, whatever comes in."""
        self.reduce.weight.zero_()
        self.reduce.bias.zero_()

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = cell.chunk(2, dim=1)
        y, first = self.expand_norm(self.expand_prelu(self.expand(x)), first)
        y, hidden = self._convolve(y, hidden)
        y, second = self.depthwise_norm(self.depthwise_prelu(y), second)
        return self.reduce(y), hidden, torch.cat([first, second], 1)

    def _convolve(self, y: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        if not self.causal:  # the reproduction's centred convolution looks ahead as far as it looks back
            before = (self.kernel - 1) // 2
            padded = F.pad(y.transpose(1, 2), (before, self.kernel - 1 - before))
            return self.depthwise(padded).transpose(1, 2), hidden
        history = hidden.view(len(hidden), self.kernel - 1, self.width)
        extended = torch.cat([history, y], 1)
        out = self.depthwise(extended.transpose(1, 2)).transpose(1, 2)
        return out, extended[:, y.shape[1] :].flatten(1)
