"""Whether files stand where they should: a delay of a few samples ruins a waveform metric and cannot be heard."""

from __future__ import annotations

import numpy as np

from pse_sdk.evaluation.items import Samples

# Beyond this nobody would call it a delay, and speech resembles itself a period of its pitch later.
FARTHEST = 4800


def delay(output: Samples, reference: Samples) -> int:
    """Samples by which ``output`` is late, negative if it is early: the largest cross-correlation, 0.3 s at most.

    The same of a signal upside down. 0 for silence, which has no place.
    """
    if not (output.any() and reference.any()):
        return 0
    size = len(output) + len(reference)
    spectrum = np.fft.rfft(output, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    lags = np.arange(-FARTHEST, FARTHEST + 1)
    lags = lags[(lags > -len(reference)) & (lags < len(output))]
    return int(lags[np.argmax(np.abs(correlation[lags]))])
