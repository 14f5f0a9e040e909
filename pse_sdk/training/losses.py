"""Losses on the waveform and on compressed spectra."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pse_sdk.training.perceptual import perceptual_loss

FFT = 512
# Half a window: `spectrum` pads and adds windows by halves.
HOP = FFT // 2
# Power of a bin at -60 dB of the recording's level: below it nothing counts.
FLOOR = 1e-6


def snr_loss(estimate: Tensor, target: Tensor, noisy: Tensor, ceiling_db: float = 30.0) -> Tensor:
    """Negative signal-to-distortion ratio in dB, limited below by ``ceiling_db`` (after arXiv 1911.08895, eq. 3).

    The limit, of distortion that far below target and input together, keeps easy items from dominating. Silent targets
    have a loss by the input's part in it: how far the output lies above ``-ceiling_db`` of the input.
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
    The gradient is that of ``y`` alone. Returns [batch].
    """
    weights = power, complex_weight, over_suppression
    loss: Tensor = _CompressedSpectralLoss.apply(y, s, *weights)  # type: ignore[no-untyped-call]
    return loss


class _CompressedSpectralLoss(torch.autograd.Function):
    """By hand, with its gradient: half the time that autograd takes for a dozen passes over spectra."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, s: Tensor, power: float, complex_weight: float, over_suppression: float) -> Tensor:
        y_power, s_power = power_of(y) + FLOOR, power_of(s) + FLOOR
        y_log, s_log = y_power.log(), s_power.log()
        y_compressed, s_compressed = (y_log * (power / 2)).exp_(), (s_log * (power / 2)).exp_()
        # |Yc - Sc|^2 from magnitudes and the inner product Re(y s*).
        cross = (y_log.add_(s_log) * ((power - 1) / 2)).exp_()
        inner = (y[0] * s[0]).addcmul_(y[1], s[1]).add_(FLOOR).mul_(cross)
        with_phase = y_compressed.square().addcmul_(s_compressed, s_compressed).sub_(inner, alpha=2)
        missing = s_compressed - y_compressed
        uncovered = missing.clamp_min(0)
        loss = with_phase.mul_(complex_weight).addcmul_(missing, missing, value=1 - complex_weight)
        loss.addcmul_(uncovered, uncovered, value=over_suppression)
        # d|y|^p / dy = p |y|^(p - 2) y, so that all of the gradient lies along y and s.
        pull = missing.mul_(1 - complex_weight).add_(uncovered, alpha=over_suppression)
        pull.sub_(y_compressed, alpha=complex_weight)
        along_y = inner.mul_(2 * complex_weight * (1 - power)).addcmul_(y_compressed, pull, value=-2 * power)
        along_y.div_(y_power)
        ctx.save_for_backward((y * along_y).addcmul_(s, cross, value=-2 * complex_weight))
        return loss.mean((1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        share = grad / (gradient.shape[2] * gradient.shape[3])
        return gradient * share[:, None, None], None, None, None, None


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
        if spectral_weight:
            loss = loss + spectral_weight * compressed_spectral_loss(y, s, over_suppression=over_suppression)
        if perceptual_weight:
            loss = loss + perceptual_weight * perceptual_loss(power_of(y), power_of(s))
    return loss.mean()


def spectrum(x: Tensor) -> Tensor:
    """32 ms Hann windows, a new one every 16 ms: [batch, samples] -> [2, batch, frames, bins], real and imaginary part.

    The first window is centred on the first sample, with the signal mirrored before it, as the last one on the end.
    """
    bins: Tensor = _Spectrum.apply(x)  # type: ignore[no-untyped-call]
    return bins


class _Spectrum(torch.autograd.Function):
    """By hand, with its gradient: torch's takes a complex transform of twice the length, and adds windows one by one.

    On a CPU forward and backward pass take half of `torch.stft`'s time. Parts stand apart, because what comes after
    is real, and passes over every second number are slow.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.samples = x.shape[1]
        padded = F.pad(x[:, None], (HOP, HOP), mode="reflect")[:, 0]
        bins = torch.fft.rfft(padded.unfold(1, FFT, HOP) * _window(x))
        return torch.stack([bins.real, bins.imag])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # An inverse transform counts every bin but the first and the last twice, for the frequency and its mirror.
        bins = torch.complex(grad[0], grad[1])
        bins[..., 1:-1] *= 0.5
        windows = torch.fft.irfft(bins, FFT, norm="forward") * _window(grad)
        before, after = (half.flatten(1) for half in windows.chunk(2, dim=2))
        samples, padded = ctx.samples, grad.new_zeros(len(windows), ctx.samples + 2 * HOP)
        padded[:, : before.shape[1]] += before
        padded[:, HOP : HOP + after.shape[1]] += after
        gradient = padded[:, HOP : HOP + samples].clone()
        gradient[:, 1 : HOP + 1] += padded[:, :HOP].flip(1)
        gradient[:, samples - 1 - HOP : samples - 1] += padded[:, HOP + samples :].flip(1)
        return gradient


def _window(like: Tensor) -> Tensor:
    window: Tensor = torch.hann_window(FFT, dtype=like.dtype, device=like.device) * (2 / FFT**0.5)
    return window


def power_of(bins: Tensor) -> Tensor:
    """Squared magnitudes of `spectrum`: [2, batch, frames, bins] -> [batch, frames, bins]."""
    power: Tensor = _Power.apply(bins)  # type: ignore[no-untyped-call]
    return power


class _Power(torch.autograd.Function):
    """By hand, with its gradient: a sum over real and imaginary part took 5 % of a training step on a CPU."""

    @staticmethod
    def forward(ctx: Any, bins: Tensor) -> Tensor:
        ctx.save_for_backward(bins)
        return bins[0].square().addcmul_(bins[1], bins[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (bins,) = ctx.saved_tensors
        to_bins: Tensor = bins * (2 * grad)
        return to_bins


def _energy(x: Tensor) -> Tensor:
    return x.square().mean(1)
