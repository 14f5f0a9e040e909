"""Encoder (learned filterbank), its matching decoder filters, and the bottleneck."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.models.activation import PReLU
from pse_sdk.models.config import StackConfig

# Added to the power of a filter pair before the logarithm: -90 dB of full scale, below any microphone's noise.
POWER_FLOOR = 1e-9

# An embedding has length 1, so its 128 numbers are small beside the features; enlarged they are learned from sooner.
EMBEDDING_SCALE = 4.0


def tight_frame(filters: int, window: int) -> Tensor:
    """Cosine and sine filters on a sine window, [filters, window], that rebuild any signal exactly.

    With hop = window / 2 the same matrix as encoder and decoder is the identity (measured: -110 dB error),
    so training starts from the noisy signal instead of from noise. With other overlaps, or fewer filters than
    samples in a window, it is only a start.
    """
    pairs = filters // 2
    t = torch.arange(window, dtype=torch.float64)
    k = torch.arange(pairs, dtype=torch.float64)[:, None]
    phase = math.pi * (k + 0.5) * (t - (window - 1) / 2) / pairs
    taper = torch.sin(math.pi * (t + 0.5) / window)
    return (torch.cat([phase.cos(), phase.sin()]) * taper / math.sqrt(pairs)).float()


class Encoder(nn.Module):
    """Learned Conv1d filterbank ``h = Enc(x)`` (arXiv 1809.07454, eq. 2), as a matrix on windows.

    Windows [batch, frames, window] -> the filters' output [batch, frames, filters] for the oldest samples of each
    window, which are those that come out of the decoder; and what is looked ahead, [batch, frames, lookahead, filters]:
    the same filters one hop later, two hops later ... None for a stack that does not.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(tight_frame(config.filters, config.filter_length))
        self.length = config.filter_length
        self.starts = [i * config.hop for i in range(1 + config.lookahead)]

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor | None]:
        if len(self.starts) == 1:
            return F.linear(windows, self.weight), None
        parts = torch.stack([windows[..., start : start + self.length] for start in self.starts], -2)
        h = F.linear(parts, self.weight)
        return h[..., 0, :], h[..., 1:, :]


class Bottleneck(nn.Module):
    """Encoder output and speaker embedding -> ``z[0]`` (arXiv 2204.00771, section 2.1).

    PReLU, LayerNorm, then one projection of the features and the embedding together. The embedding does not
    change from frame to frame, so its share is a bias that `speaker_projection` computes once at enrolment;
    ``anyone`` is the learned share that stands for no enrolment. What is looked ahead has a projection of its own,
    which begins at zero: a stack that never looked ahead can learn to.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        power = config.features == "prelu+power"
        self.pairs = config.filters // 2
        self.prelu = PReLU()
        self.norm = nn.LayerNorm(config.filters)
        self.projection = nn.Linear(config.filters, config.channels)
        self.power_projection = nn.Linear(self.pairs, config.channels, bias=False) if power else None
        seen = config.lookahead * (config.filters + (self.pairs if power else 0))
        self.ahead = nn.Linear(seen, config.channels, bias=False) if seen else None
        if self.ahead is not None:
            nn.init.zeros_(self.ahead.weight)
        self.speaker = nn.Linear(config.speaker_dim, config.channels, bias=False) if config.speaker_dim else None
        self.anyone = nn.Parameter(torch.zeros(config.channels)) if config.speaker_dim else None

    def speaker_projection(self, embedding: Tensor) -> Tensor:
        """[batch, speaker_dim] -> [batch, channels]: what the embedding adds to ``z[0]``."""
        if self.speaker is None:
            raise ValueError("this stack has no speaker input (speaker_dim = 0)")
        out: Tensor = self.speaker(EMBEDDING_SCALE * embedding)
        return out

    @property
    def projection_matrix(self) -> Tensor:
        """[channels, speaker_dim], what an embedding of length 1 is multiplied with."""
        assert self.speaker is not None
        return EMBEDDING_SCALE * self.speaker.weight.detach()

    def condition(self, embedding: Tensor, enrolled: Tensor) -> Tensor:
        """What is added to ``z[0]`` for a batch in which only some voices are known.

        Embedding [batch, speaker_dim], enrolled [batch] (bool) -> [batch, channels].
        """
        assert self.anyone is not None
        return torch.where(enrolled[:, None], self.speaker_projection(embedding), self.anyone)

    def forward(self, h: Tensor, ahead: Tensor | None, speaker: Tensor | None = None) -> Tensor:
        """Encoder output -> z0 [batch, frames, channels].

        Parameters
        ----------
        h, ahead : as `Encoder` gives them
        speaker : [batch, channels], or None where nobody is enrolled
        """
        z: Tensor = self.projection(self.norm(self.prelu(h)))
        if self.power_projection is not None:
            z = z + self.power_projection(self.log_power(h))
        if self.ahead is not None:
            assert ahead is not None
            z = z + self.ahead(self._features(ahead).flatten(-2))
        if speaker is None:
            return z if self.anyone is None else z + self.anyone
        return z + speaker[:, None, :]

    def _features(self, h: Tensor) -> Tensor:
        features: Tensor = self.norm(self.prelu(h))
        return features if self.power_projection is None else torch.cat([features, self.log_power(h)], -1)

    def log_power(self, h: Tensor) -> Tensor:
        """Log power of each cosine/sine pair, scaled to about -1..1 between -60 and 0 dB of full scale."""
        power = h[..., : self.pairs].square() + h[..., self.pairs :].square()
        # ln(power) of speech at -60..0 dB of full scale lies within about -14..0.
        return torch.log(power + POWER_FLOOR) * (1 / 7) + 1
