"""PESQ's model of hearing as a loss."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from pse_sdk.training.losses import enhancement_loss, power_of, spectrum
from pse_sdk.training.perceptual import _hearing, perceptual_loss

EXAMPLES = Path(__file__).parents[2] / "examples"
CLEAN = torch.from_numpy(soundfile.read(EXAMPLES / "clean.flac", dtype="float32")[0])[None, :80000]


def noise(seed: int, slope: float = 0.0) -> Tensor:
    """Noise as loud as the speech, white or with power falling by 1 / f^slope."""
    bins = torch.fft.rfft(torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(seed)))
    shaped = torch.fft.irfft(bins * torch.arange(1, bins.shape[1] + 1) ** (-slope / 2), CLEAN.shape[1])
    return shaped * CLEAN.std() / shaped.std()


def loss(estimate: Tensor, target: Tensor = CLEAN) -> float:
    return perceptual_loss(power_of(spectrum(estimate)), power_of(spectrum(target))).item()


def test_it_follows_pesq() -> None:
    pesq = pytest.importorskip("pesq")
    noisy = [CLEAN + 10 ** (-snr / 20) * noise(snr, slope) for snr in (-5, 0, 5, 10, 15, 20, 30) for slope in (0, 1, 2)]
    scores = np.array([pesq.pesq(16000, CLEAN[0].numpy(), x[0].numpy(), "wb") for x in noisy])
    # P.862.2's mapping undone: the loss is in points of the score before it.
    points = (3.8224 - np.log(4 / (scores - 0.999) - 1)) / 1.3669
    losses = np.array([loss(x) for x in noisy])
    assert np.corrcoef(4.5 - points, losses)[0, 1] > 0.97
    assert np.abs(4.5 - points - losses).mean() < 0.5


def test_the_target_costs_nothing_at_any_level_and_through_a_steady_filter() -> None:
    assert loss(CLEAN) == pytest.approx(0, abs=2e-3)
    assert loss(0.1 * CLEAN) == pytest.approx(0, abs=2e-3)
    bins = torch.fft.rfft(CLEAN)
    filtered = torch.fft.irfft(bins * torch.linspace(1, 0.1, bins.shape[1]), CLEAN.shape[1])  # 20 dB less at the top
    assert loss(filtered) < 0.1
    gone = filtered.clone()
    gone[:, 40000:] = CLEAN[:, 40000:]  # for half of the time only: nothing forgives that
    assert loss(gone) > 0.3


def test_more_noise_costs_more() -> None:
    losses = [loss(CLEAN + gain * noise(1)) for gain in (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)]
    assert losses == sorted(losses)


def test_silent_targets_cost_nothing_and_have_gradients() -> None:
    target = torch.cat([CLEAN, torch.zeros_like(CLEAN), CLEAN])
    estimate = torch.cat([CLEAN + 0.1 * noise(3), noise(3), torch.zeros_like(CLEAN)]).requires_grad_()
    losses = perceptual_loss(power_of(spectrum(estimate)), power_of(spectrum(target)))
    losses.sum().backward()
    assert losses[1] == 0
    assert losses[2] > losses[0] > 0
    assert torch.isfinite(estimate.grad).all()
    assert estimate.grad[0].abs().sum() > 0
    assert estimate.grad[1].abs().sum() == 0


def test_short_recordings_are_pooled_as_a_whole() -> None:
    assert loss(CLEAN[:, 20000:22000] + 0.3 * noise(4)[:, 20000:22000], CLEAN[:, 20000:22000]) > 0


def test_it_is_in_the_loss_that_training_minimises() -> None:
    noisy = CLEAN + 0.3 * noise(5)
    without, with_it = (enhancement_loss(noisy, CLEAN, noisy, perceptual_weight=weight) for weight in (0.0, 0.5))
    assert (with_it - without).item() == pytest.approx(0.5 * loss(noisy), rel=1e-3)
    alone = enhancement_loss(noisy, CLEAN, noisy, snr_weight=0, spectral_weight=0, perceptual_weight=0.5)
    assert alone.item() == pytest.approx(0.5 * loss(noisy), rel=1e-3)


def test_what_was_first_computed_without_gradients_can_be_trained_with() -> None:
    _hearing.cache_clear()
    with torch.inference_mode():
        loss(CLEAN)
    estimate = (CLEAN + 0.1 * noise(7)).requires_grad_()
    perceptual_loss(power_of(spectrum(estimate)), power_of(spectrum(CLEAN))).sum().backward()
    assert torch.isfinite(estimate.grad).all()


def test_it_gives_the_same_under_autocast() -> None:
    y, s = (power_of(spectrum(x)) for x in (CLEAN + 0.1 * noise(6), CLEAN))
    with torch.autocast("cpu", torch.bfloat16):
        within = perceptual_loss(y, s)
    torch.testing.assert_close(within, perceptual_loss(y, s), rtol=1e-5, atol=1e-5)
