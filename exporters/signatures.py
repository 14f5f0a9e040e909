"""One frame of a stack as torch modules, one per signature of a TFLite file.

TFLite has no branches that cost nothing, but several entry points into one file: a signature per depth, and a signature
per head for frames on which a shallower head speaks than blocks run. All share the modules of one copy of the stack,
and so its weights.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.stack import BloomStack


class FrameLstm(nn.Module):
    """An ``nn.LSTM`` on exactly one frame: two matrices and element-wise operations, all of which TFLite has."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        parameters = dict(lstm.named_parameters())
        self.input, self.recurrent = parameters["weight_ih_l0"], parameters["weight_hh_l0"]
        self.bias = nn.Parameter((parameters["bias_ih_l0"] + parameters["bias_hh_l0"]).detach())

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        hidden, cell = state
        gates = F.linear(x, self.input, self.bias) + F.linear(hidden, self.recurrent)
        admit, keep, candidate, show = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(admit) * torch.tanh(candidate)
        hidden = torch.sigmoid(show) * torch.tanh(cell)
        return hidden, (hidden, cell)


class FrameNorm(nn.Module):
    """An ``nn.LayerNorm`` in seven operations; the converter's own takes seventeen (5 % of a frame's time in int8)."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.gain, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + self.eps) * self.gain + self.bias


def frame_stack(stack: BloomStack) -> BloomStack:
    """A copy of ``stack`` for one frame at a time, of layers that TFLite runs fast."""
    stack = copy.deepcopy(stack).eval()
    for module in list(stack.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.PReLU):
                setattr(module, name, nn.LeakyReLU(child.weight.item()))
            elif isinstance(child, nn.LayerNorm):
                setattr(module, name, FrameNorm(child))
            elif isinstance(child, nn.LSTM):
                setattr(module, name, FrameLstm(child))
    return stack


class DepthSignature(nn.Module):
    """The first ``depth`` blocks and the head of the last of them; also what another head would need."""

    def __init__(self, stack: BloomStack, depth: int) -> None:
        super().__init__()
        self.sums = stack.config.head_input == "sum"
        self.encoder, self.bottleneck = stack.encoder, stack.bottleneck
        self.blocks = stack.blocks[:depth]
        self.head = stack.heads[depth - 1]

    def forward(self, windows: Tensor, speaker: Tensor, hidden: Tensor, cell: Tensor) -> dict[str, Tensor]:
        features, ahead = self.encoder(windows[None])
        zbar = self.bottleneck(features, ahead, speaker[None])
        # By slices: the converter fails at a split into one part.
        hiddens, cells = ([states[i : i + 1] for i in range(states.shape[0])] for states in (hidden, cell))
        heard = []
        for i, block in enumerate(self.blocks):
            z, hiddens[i], cells[i] = block(zbar, hiddens[i], cells[i])
            zbar = zbar + z
            heard.append(zbar if self.sums else z)
        return {
            "enhanced": self.head(heard[-1], features)[0],
            "hidden_out": torch.cat(hiddens),
            "cell_out": torch.cat(cells),
            "features": features[0],
            "head_inputs": torch.cat(heard, 1)[0],
        }


class HeadSignature(nn.Module):
    """One head alone, from what a deeper signature has computed."""

    def __init__(self, stack: BloomStack, head: int) -> None:
        super().__init__()
        self.head = stack.heads[head - 1]

    def forward(self, features: Tensor, head_input: Tensor) -> dict[str, Tensor]:
        return {"enhanced": self.head(head_input[None], features[None])[0]}
