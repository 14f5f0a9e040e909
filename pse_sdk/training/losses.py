"""Losses on the waveform and on spectra. Each gives one value per item of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from pse_sdk.training.perceptual import perceptual_loss

FFT = 512
HOP = 256
# Power of a bin at -60 dB of the recording's level: below it nothing counts.
FLOOR = 1e-6


def snr_loss(estimate: Tensor, target: Tensor, noisy: Tensor, ceiling_db: float = 30.0) -> Tensor:
    """Negative signal-to-distortion ratio in dB, soft-limited to +- ``ceiling_db`` (arXiv 1911.08895, eq. 3).

    The limit keeps easy items from dominating. A part of the noisy energy stands beside the target's in it, so
    that silent targets have a loss too: how far the output lies above ``-ceiling_db`` of the input.
    """
    floor = 10 ** (-ceiling_db / 10) * (_energy(target) + _energy(noisy)) + 1e-8
    distortion = _energy(estimate - target)
    return 10 * (torch.log10(distortion + floor) - torch.log10(_energy(target) + floor))


def compressed_spectral_loss(
    y: Tensor, s: Tensor, power: float = 0.3, complex_weight: float = 0.3, over_suppression: float = 0.0
) -> Tensor:
    """Mean squared error of power-law-compressed spectra: magnitudes, and ``complex_weight`` of it with phase.

    arXiv 2009.12286, eq. 3. ``over_suppression`` weighs a third, asymmetric term that counts only what is missing
    of the target's magnitudes (arXiv 2110.09625, eq. 5): a voice cut off costs more than noise left in.
    ``y`` and ``s`` are `spectrum` of estimate and target. Levels matter: normalise both signals alike first.
    """
    y_log, s_log = _log_power(y), _log_power(s)
    y_compressed, s_compressed = (y_log * (power / 2)).exp(), (s_log * (power / 2)).exp()
    # |Yc - Sc|^2 from magnitudes and the inner product: half as many memory passes as on real and imaginary parts.
    inner = ((y * s).sum(-1) + FLOOR) * ((y_log + s_log) * ((power - 1) / 2)).exp()
    with_phase = y_compressed.square() + s_compressed.square() - 2 * inner
    missing = s_compressed - y_compressed
    loss = (1 - complex_weight) * missing.square() + complex_weight * with_phase
    if over_suppression:
        loss = loss + over_suppression * missing.clamp_min(0).square()
    return loss.mean((1, 2))


def enhancement_loss(
    estimate: Tensor,
    target: Tensor,
    noisy: Tensor,
    snr_weight: float = 0.05,
    over_suppression: float = 0.0,
    spectral_weight: float = 1.0,
    perceptual_weight: float = 0.0,
) -> Tensor:
    """The weighted sum of all, independent of the recording's level. [batch, samples] -> scalar.

    Without a weight of either no spectrum is computed, which on a CPU saves a good part of a small model's step.
    """
    level = noisy.square().mean(1, keepdim=True).sqrt() + 1e-5
    estimate, target, noisy = estimate / level, target / level, noisy / level
    loss = snr_weight * snr_loss(estimate, target, noisy)
    if spectral_weight or perceptual_weight:
        y, s = spectrum(estimate), spectrum(target)
        loss = loss + spectral_weight * compressed_spectral_loss(y, s, over_suppression=over_suppression)
        if perceptual_weight:
            loss = loss + perceptual_weight * perceptual_loss(_power(y), _power(s))
    return loss.mean()


def spectrum(x: Tensor) -> Tensor:
    """32 ms Hann windows, a new one every 16 ms: [batch, samples] -> [batch, bins, frames, real and imaginary part]."""
    # Real and imaginary part apart: complex autograd costs a small CPU more than the network does.
    window = torch.hann_window(FFT, device=x.device)
    out: Tensor = torch.view_as_real(torch.stft(x, FFT, HOP, window=window, return_complex=True)) * (2 / FFT**0.5)
    return out


def _energy(x: Tensor) -> Tensor:
    return x.square().mean(1)


def _log_power(spectrum: Tensor) -> Tensor:
    return torch.log(_power(spectrum) + FLOOR)


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.square().sum(-1)
