"""Speaker encoder: audio of any length -> a unit vector that tells voices apart."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pse_sdk.errors import shown

# The recording is brought to this RMS first (-30 dBFS): the features are energies, not their logarithms.
LEVEL = 10 ** (-30 / 20)


@dataclass(frozen=True)
class SpeakerEncoderConfig:
    """Sizes of a `SpeakerEncoder`.

    Parameters
    ----------
    dim : length of the embedding
    mels, window, fft, hop : mel energies; window and hop in samples, the window is padded to ``fft``
    hidden, layers : of the LSTM
    settling : frames at the start whose output is not counted: the LSTM has heard too little
    """

    dim: int = 128
    sample_rate: int = 16000
    mels: int = 40
    window: int = 400
    fft: int = 512
    hop: int = 160
    hidden: int = 256
    layers: int = 3
    settling: int = 50

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            least = 0 if name == "settling" else 1
            if type(value) is not int or value < least:
                raise ValueError(f"{name} = {shown(value)}: must be a whole number, at least {least}")
        if self.window % 2 or self.window > self.fft:
            raise ValueError(f"window = {self.window}: must be even, and no longer than fft = {self.fft}")

    @property
    def shortest(self) -> int:
        """Samples that an embedding needs at least."""
        return (2 * self.settling - 1) * self.hop + self.fft

    def to_dict(self) -> dict[str, object]:
        return dataclasses.asdict(self)


class SpeakerEncoder(nn.Module):
    """[batch, samples] -> [batch, dim], each of length 1. Silence is added to audio shorter than ``config.shortest``.

    A d-vector network (GE2E, arXiv 1710.10467): an LSTM on mel energies, a linear layer with ReLU, each frame's
    vector brought to length 1, their mean over time projected to ``dim``.
    """

    taper: Tensor
    mel: Tensor

    def __init__(self, config: SpeakerEncoderConfig = SpeakerEncoderConfig()) -> None:
        super().__init__()
        self.config = c = config
        side = (c.fft - c.window) // 2
        self.register_buffer("taper", F.pad(torch.hann_window(c.window), (side, side)), persistent=False)
        # A frame padded to ``fft`` has its energy in more bins.
        self.register_buffer("mel", mel_filterbank(c.mels, c.fft, c.sample_rate) * (c.window / c.fft), persistent=False)
        self.lstm = nn.LSTM(c.mels, c.hidden, c.layers, batch_first=True)
        self.linear = nn.Linear(c.hidden, c.hidden)
        self.projection = nn.Linear(c.hidden, c.dim)

    def forward(self, audio: Tensor) -> Tensor:
        audio = F.pad(audio, (0, max(0, self.config.shortest - audio.shape[1])))
        frames, _ = self.lstm(self.features(audio))
        vectors = F.normalize(F.relu(self.linear(frames[:, self.config.settling :])).float(), dim=2)
        return F.normalize(self.projection(vectors.mean(1)).float(), dim=1)

    def features(self, audio: Tensor) -> Tensor:
        """Mel energies, [batch, frames, mels]."""
        audio = audio * (LEVEL / (audio.square().mean(1, keepdim=True).sqrt() + 1e-8))
        with torch.autocast(audio.device.type, enabled=False):
            spectrum = torch.stft(
                audio.float(), self.config.fft, self.config.hop, window=self.taper, center=False, return_complex=True
            )
            energy = torch.view_as_real(spectrum).square().sum(-1)
            return (self.mel @ energy).transpose(1, 2)


def mel_filterbank(mels: int, fft: int, sample_rate: int) -> Tensor:
    """Triangular filters of equal area on Slaney's mel scale, linear up to 1 kHz, [mels, fft // 2 + 1]."""
    edges = _slaney_hz(torch.linspace(0, float(_slaney_mel(torch.tensor(sample_rate / 2))), mels + 2))
    bins = torch.arange(fft // 2 + 1) * sample_rate / fft
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = (edges[2:] - edges[:-2])[:, None] / 2
    return torch.minimum(rising, falling).clamp_min(0) / area


def _slaney_mel(hz: Tensor) -> Tensor:
    return torch.where(hz < 1000, hz * 3 / 200, 15 + 27 * torch.log(hz.clamp_min(1) / 1000) / math.log(6.4))


def _slaney_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))
