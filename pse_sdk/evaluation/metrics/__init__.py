"""One recording, one number: waveform, perceptual, suppression and recognition metrics. None needs torch."""

from pse_sdk.evaluation.metrics.waveform import si_sdr

__all__ = ["si_sdr"]
