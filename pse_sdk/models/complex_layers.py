"""Complex convolutions that stream: kernels of two frames, stride 2 in frequency, real arithmetic throughout.

Activations are [batch, 2 * channels, frames, bins]: the real parts of all channels, then the imaginary ones. A layer's
state is the frame before, with the shape of its input and one frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Frames that a convolution sees: the one before and this one.
TAPS = 2


class ComplexConv(nn.Module):
    """Complex convolution, batch normalisation, PReLU (DCCRN, arXiv 2008.00264, section 2.2). Halves the bins.

    The normalisation is of real and imaginary parts apart, which an exporter folds into the weights.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.padding = kernel // 2
        scale = (inputs * TAPS * kernel) ** -0.5
        self.real = nn.Parameter(scale * torch.randn(outputs, inputs, TAPS, kernel))
        self.imaginary = nn.Parameter(scale * torch.randn(outputs, inputs, TAPS, kernel))
        self.norm = nn.BatchNorm2d(2 * outputs)
        self.prelu = nn.PReLU()

    def matrix(self) -> Tensor:
        """The weights of the same convolution on real numbers, [2 * outputs, 2 * inputs, taps, kernel]."""
        of_real = torch.cat([self.real, self.imaginary], 0)
        of_imaginary = torch.cat([-self.imaginary, self.real], 0)
        return torch.cat([of_real, of_imaginary], 1)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        extended = torch.cat([before, x], 2)
        y = F.conv2d(extended, self.matrix(), stride=(1, 2), padding=(0, self.padding))
        return self.prelu(self.norm(y)), extended[:, :, -1:]


class ComplexTransposedConv(nn.Module):
    """Complex transposed convolution of two inputs, the layer below and the encoder's skip. Doubles the bins.

    In time the transposed convolution sees the frame before and this one, and none to come. ``last`` leaves out the
    normalisation and PReLU: its output is the mask.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, last: bool = False) -> None:
        super().__init__()
        self.padding = kernel // 2
        # Taps and the two inputs, then as torch orders a transposed convolution.
        shape = (TAPS, 2, inputs, outputs, kernel)
        # Each output is the sum of half of the kernel's taps in frequency.
        scale = (inputs * TAPS * kernel) ** -0.5
        self.real = nn.Parameter(scale * torch.randn(shape))
        self.imaginary = nn.Parameter(scale * torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(2 * outputs)) if last else None
        self.norm = None if last else nn.BatchNorm2d(2 * outputs)
        self.prelu = None if last else nn.PReLU()

    def matrix(self) -> Tensor:
        """The weights on real numbers, [taps * 2 * 2 * inputs, 2 * outputs, 1, kernel]."""
        of_real = torch.cat([self.real, self.imaginary], 3)
        of_imaginary = torch.cat([-self.imaginary, self.real], 3)
        return torch.cat([of_real, of_imaginary], 2).flatten(0, 2)[:, :, None]

    def forward(self, below: Tensor, skip: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Below, skip [batch, 2 * inputs, frames, bins], before [batch, 4 * inputs, 1, bins]."""
        extended = torch.cat([before, torch.cat([below, skip], 1)], 2)
        taps = torch.cat([extended[:, :, :-1], extended[:, :, 1:]], 1)
        y = F.conv_transpose2d(
            taps, self.matrix(), self.bias, stride=(1, 2), padding=(0, self.padding), output_padding=(0, 1)
        )
        if self.norm is not None and self.prelu is not None:
            y = self.prelu(self.norm(y))
        return y, extended[:, :, -1:]
