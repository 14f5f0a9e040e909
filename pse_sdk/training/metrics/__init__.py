"""SI-SDR of tensors, for training to watch. What reports are made of is in `pse_sdk.evaluation.metrics`."""

from pse_sdk.training.metrics.waveform import si_sdr

__all__ = ["si_sdr"]
