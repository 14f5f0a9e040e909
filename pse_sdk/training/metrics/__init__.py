"""How good an enhanced recording is. `waveform` needs torch alone, the others the ``[eval]`` extra."""

from pse_sdk.training.metrics.waveform import si_sdr

__all__ = ["si_sdr"]
