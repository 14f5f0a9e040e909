"""What happens to a sound on its way: rooms, filters, band limits, levels; and synthetic noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from pse_sdk.training.data import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

# How much of a room response belongs to the target: early reflections help, later ones blur.
EARLY_SAMPLES = int(0.05 * SAMPLE_RATE)
TAPER_SAMPLES = int(0.01 * SAMPLE_RATE)


def in_room(dry: Samples, response: Samples) -> tuple[Samples, Samples]:
    """``dry`` through a room response: all of it, and its early part (50 ms after the direct sound, then faded)."""
    peak = int(np.argmax(np.abs(response)))
    fade = np.ones(len(response), np.float32)
    end = peak + EARLY_SAMPLES
    ramp = fade[end : end + TAPER_SAMPLES]
    ramp[:] = np.linspace(1, 0, len(ramp), dtype=np.float32)
    fade[end + TAPER_SAMPLES :] = 0
    size = scipy.fft.next_fast_len(len(dry) + len(response), real=True)
    spectrum = scipy.fft.rfft(dry, size)
    responses = np.stack([response, response * fade]) / (np.sqrt(np.sum(response**2)) + 1e-8)
    # The direct sound is moved to the start, so that dry and reverberant items are aligned alike.
    both = scipy.fft.irfft(spectrum * scipy.fft.rfft(responses, size), size)[:, peak : peak + len(dry)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def gain_for_snr(signal: Samples, noise: Samples, snr_db: float) -> float:
    power = float(np.mean(noise**2))
    return float(np.sqrt(np.mean(signal**2) / (power + 1e-12)) * 10 ** (-snr_db / 20)) if power > 1e-10 else 0.0


def gain_to_level(signal: Samples, level_dbfs: float) -> float:
    rms = float(np.sqrt(np.mean(signal**2)))
    return 10 ** (level_dbfs / 20) / rms if rms > 1e-6 else 1.0


def random_equaliser(rng: np.random.Generator, x: Samples) -> Samples:
    """A random second-order filter (arXiv 1709.08243, section 4.2), level kept."""
    b, a = rng.uniform(-0.375, 0.375, (2, 2))
    y: Samples = scipy.signal.lfilter(np.array([1, *b], np.float32), np.array([1, *a], np.float32), x)
    gain = np.sqrt(np.mean(x**2) / (np.mean(y**2) + 1e-12))
    out: Samples = (y * gain).astype(np.float32)
    return out


def coloured_noise(rng: np.random.Generator, length: int) -> Samples:
    """Gaussian noise whose power falls with 1 / f^slope, slope 0 (white) to 2 (brown)."""
    spectrum = scipy.fft.rfft(rng.standard_normal(length, np.float32))
    shape = np.maximum(np.arange(len(spectrum)), 20) ** (-rng.uniform(0, 2) / 2)
    noise = scipy.fft.irfft(spectrum * shape.astype(np.float32), length)
    out: Samples = (0.1 * noise / np.std(noise)).astype(np.float32)
    return out


def low_pass(x: Samples, cutoff_hz: float) -> Samples:
    sos = scipy.signal.butter(8, cutoff_hz, fs=SAMPLE_RATE, output="sos")
    out: Samples = scipy.signal.sosfilt(sos, x, axis=-1).astype(np.float32)
    return out


def high_pass(x: Samples, cutoff_hz: float, order: int = 8) -> Samples:
    sos = scipy.signal.butter(order, cutoff_hz, "highpass", fs=SAMPLE_RATE, output="sos")
    out: Samples = scipy.signal.sosfilt(sos, x, axis=-1).astype(np.float32)
    return out
