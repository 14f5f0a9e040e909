"""pDCCRN, the baseline of the E3Net paper (arXiv 2204.00771): a causal DCCRN that hears one speaker.

DCCRN is arXiv 2008.00264, its personalised form arXiv 2110.09625. Here it shares the interface of `BloomStack`, with
one depth: windows in, windows to overlap-add out, states in and out as ``hidden`` and ``cell``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.complex_layers import ComplexConv, ComplexTransposedConv
from pse_sdk.models.encoder import EMBEDDING_SCALE
from pse_sdk.models.pdccrn_config import PdccrnConfig
from pse_sdk.models.stack import StackState, overlap_add

# Keeps the modulus of a mask differentiable at zero.
MODULUS_FLOOR = 1e-8


class Pdccrn(nn.Module):
    """Short-time transform, complex convolutions down, an LSTM with the speaker, the same up with skips, and a mask.

    The mask is DCCRN-E's: the modulus bounded by tanh, the phase free, multiplied with the complex spectrum.
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, config: PdccrnConfig) -> None:
        super().__init__()
        self.config = c = config
        self.register_buffer("analysis", analysis_matrix(c.window), persistent=False)
        self.register_buffer("synthesis", synthesis_matrix(c.window), persistent=False)
        widths = (1, *c.channels)
        pairs = list(itertools.pairwise(widths))
        self.encoder = nn.ModuleList(ComplexConv(a, b, c.kernel) for a, b in pairs)
        features = 2 * widths[-1] * c.lowest_bins
        self.lstm = nn.LSTM(features + c.speaker_dim, c.lstm, batch_first=True)
        self.projection = nn.Linear(c.lstm, features)
        self.decoder = nn.ModuleList(
            ComplexTransposedConv(b, a, c.kernel, last=i == 0) for i, (a, b) in reversed(list(enumerate(pairs)))
        )
        self.anyone = nn.Parameter(torch.zeros(c.speaker_dim)) if c.speaker_dim else None
        self._open_mask()

    @torch.no_grad()
    def _open_mask(self) -> None:
        last = self.decoder[-1]
        assert isinstance(last, ComplexTransposedConv)
        assert last.bias is not None
        for weight in (last.real, last.imaginary):
            weight.mul_(0.1)
        last.bias[0] = self.config.mask_bias

    def history_shapes(self) -> list[tuple[int, int]]:
        """[channels, bins] of the frame that each convolution keeps, in the order of ``hidden``."""
        c = self.config
        bins = [c.bins // 2**i for i in range(len(c.channels) + 1)]
        down = list(zip((1, *c.channels[:-1]), bins[:-1], strict=True))
        up = list(zip(reversed(c.channels), reversed(bins[1:]), strict=True))
        return [*((2 * width, n) for width, n in down), *((4 * width, n) for width, n in up)]

    def initial_state(self, batch: int = 1) -> StackState:
        """Zeros. hidden holds the frames that the convolutions keep, then the LSTM's output; cell the LSTM's cell."""
        like = self.projection.weight
        size = sum(width * n for width, n in self.history_shapes()) + self.config.lstm
        return StackState(
            history=like.new_zeros(batch, self.config.overlap),
            hidden=like.new_zeros(1, batch, size),
            cell=like.new_zeros(1, batch, self.config.lstm),
            overlap=like.new_zeros(batch, self.config.overlap),
        )

    def speaker_projection(self, embedding: Tensor) -> Tensor:
        """[batch, speaker_dim] -> what `forward` takes as ``speaker``: the embedding, enlarged."""
        return EMBEDDING_SCALE * embedding

    def forward(self, signal: Tensor, speaker: Tensor | None = None) -> Tensor:
        """The whole signal: [batch, samples] -> [batch, samples], aligned with the input.

        ``speaker`` is [batch, speaker_dim], what `speaker_projection` made of the embedding, or None.
        """
        samples = signal.shape[1]
        hops = -(-(samples + self.config.overlap) // self.config.hop)
        padded = F.pad(signal, (0, hops * self.config.hop - samples))
        frames = padded.view(len(signal), hops, self.config.hop)
        output, _ = self.step(frames, self.initial_state(signal.shape[0]), speaker)
        return output.flatten(1)[:, self.config.overlap :][:, :samples]

    def step(self, frames: Tensor, state: StackState, speaker: Tensor | None = None) -> tuple[Tensor, StackState]:
        """Advance a stream by one or more hops.

        Frames [batch, frames, hop] -> [batch, frames, hop] samples, ``config.overlap`` samples behind the input, and
        the next state.
        """
        extended = torch.cat([state.history, frames.flatten(1)], 1)
        windows = extended.unfold(1, self.config.window, self.config.hop)
        (enhanced,), hidden, cell = self.step_windows(windows, state.hidden, state.cell, speaker=speaker)
        done, overlap = overlap_add(enhanced, state.overlap, self.config.hop)
        history = extended[:, extended.shape[1] - self.config.overlap :]
        return done.view(frames.shape), StackState(history, hidden, cell, overlap)

    def step_windows(
        self,
        windows: Tensor,
        hidden: Tensor,
        cell: Tensor,
        depth: int = 1,
        heads: Sequence[int] = (1,),
        speaker: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """What an exported model computes: windows in, windows to overlap-add out, states handed through.

        Windows [batch, frames, window], hidden and cell [1, batch, size]; depth and heads can only be 1.
        """
        if depth != 1 or tuple(heads) != (1,):
            raise ValueError("a pDCCRN has one depth and one head")
        *before, remembered = self._unpack(hidden[0])
        after: list[Tensor] = []
        spectrum = self._analyse(windows)
        x, skips = spectrum, []
        for conv, frame in zip(self.encoder, before, strict=False):
            x, kept = conv(x, frame)
            skips.append(x)
            after.append(kept)
        x, remembered, cell = self._recur(x, remembered, cell[0], speaker)
        for conv, skip, frame in zip(self.decoder, reversed(skips), before[len(skips) :], strict=True):
            x, kept = conv(x, skip, frame)
            after.append(kept)
        packed = torch.cat([*(kept.flatten(1).to(hidden.dtype) for kept in after), remembered.to(hidden.dtype)], 1)
        return [self._mask(x.float(), spectrum)], packed[None], cell[None].to(hidden.dtype)

    def _unpack(self, hidden: Tensor) -> list[Tensor]:
        shapes = self.history_shapes()
        sizes = [*(width * n for width, n in shapes), self.config.lstm]
        *frames, remembered = torch.split(hidden, sizes, 1)
        return [*(f.view(-1, width, 1, n) for f, (width, n) in zip(frames, shapes, strict=True)), remembered]

    def _analyse(self, windows: Tensor) -> Tensor:
        """[batch, frames, window] -> [batch, 2, frames, bins]."""
        with torch.autocast(windows.device.type, enabled=False):
            spectrum = F.linear(windows.float(), self.analysis)
        return spectrum.view(*spectrum.shape[:2], 2, self.config.bins).transpose(1, 2)

    def _recur(self, x: Tensor, hidden: Tensor, cell: Tensor, speaker: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The LSTM over all channels and bins of a frame: x keeps its shape."""
        by_frame = x.transpose(1, 2)
        features = by_frame.flatten(2)
        if self.anyone is not None:
            who = self.anyone.expand(len(features), -1) if speaker is None else speaker
            features = torch.cat([features, who[:, None].expand(-1, features.shape[1], -1).to(features.dtype)], 2)
        # A part of the stacked states is not contiguous, which cuDNN wants.
        hidden, cell = (state[None].to(features.dtype).contiguous() for state in (hidden, cell))
        y, (hidden, cell) = self.lstm(features, (hidden, cell))
        return self.projection(y).view(by_frame.shape).transpose(1, 2), hidden[0], cell[0]

    def _mask(self, mask: Tensor, spectrum: Tensor) -> Tensor:
        """Mask and spectrum [batch, 2, frames, bins] -> windows [batch, frames, window]."""
        modulus = (mask.square().sum(1, keepdim=True) + MODULUS_FLOOR).sqrt()
        m_re, m_im = (mask * (torch.tanh(modulus) / modulus)).unbind(1)
        x_re, x_im = spectrum.unbind(1)
        with torch.autocast(mask.device.type, enabled=False):
            y = torch.cat([x_re * m_re - x_im * m_im, x_re * m_im + x_im * m_re], 2)
            return F.linear(y, self.synthesis)


def analysis_matrix(window: int) -> Tensor:
    """Rows cos and -sin of frequencies 1..window / 2 on a sine window, [window, window]; orthonormal in scale."""
    cosine, sine = _waves(window)
    return (torch.cat([cosine, -sine]) * _taper(window) / math.sqrt(window)).float()


def synthesis_matrix(window: int) -> Tensor:
    """The inverse on the same window, [window, window]: overlap-added it rebuilds all but 0 Hz."""
    cosine, sine = _waves(window)
    # Every frequency but the highest stands for its mirror image too.
    weight = torch.full((window // 2, 1), 2.0, dtype=torch.float64)
    weight[-1] = 1
    waves = torch.cat([cosine * weight, -sine * weight]) * _taper(window) / math.sqrt(window)
    return waves.t().contiguous().float()


def _waves(window: int) -> tuple[Tensor, Tensor]:
    t = torch.arange(window, dtype=torch.float64)
    k = torch.arange(1, window // 2 + 1, dtype=torch.float64)[:, None]
    phase = 2 * math.pi * k * t / window
    return phase.cos(), phase.sin()


def _taper(window: int) -> Tensor:
    """Sine window: its square adds up to one at half overlap."""
    return torch.sin(math.pi * (torch.arange(window, dtype=torch.float64) + 0.5) / window)
