"""Does this runtime, on this machine, compute what the model's file says it must?

Some do not: an old ``tflite-runtime`` returns zeros for int8 weights, and says nothing. The exporter therefore stores
torch's answer to a short fixed signal in the file, and whoever picks a runtime by itself compares.
"""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt
from pse_sdk.runtimes.base import Float32, Runtime
from pse_sdk.runtimes.description import ModelDescription

# Frames per depth: enough for the states to matter, few enough for the test to take milliseconds.
FRAMES = 8
# SNR in dB that an answer must have against torch's. The reference is stored as fp16, good for about 74 dB. In int8 the
# bundled model was measured to reach 44 dB or more, tflite-runtime's wrong answers 8 dB, and a model whose LSTMs give
# nothing 22 to 28.
TOLERANCE_DB = {"fp32": 55.0, "fp16": 45.0, "int8": 30.0}


def failure(runtime: Runtime) -> str | None:
    """What is wrong with the runtime's answers, in a few words; None if nothing is.

    Answers must be finite, agree at every depth with the file's reference if it has one, and not depend on deeper
    blocks that run unheard.
    """
    d = runtime.description
    given = answers(runtime)
    unheard = _answer(runtime, signal_windows(d), d.blocks, 1)
    if not (np.isfinite(given).all() and np.isfinite(unheard).all()):
        return "its output is not finite"
    least = TOLERANCE_DB[d.precision]
    expected = decode(d)
    comparisons = [] if expected is None else list(zip(expected, given, strict=True))
    for depth, (reference, answer) in enumerate([*comparisons, (given[0], unheard)], 1):
        snr = snr_db(reference, answer)
        if not snr >= least:
            where = f"at depth {depth}" if depth <= len(comparisons) else "while deeper blocks run unheard"
            return f"its output {where} is {snr:.1f} dB from what it must be, at least {least:.0f} dB is needed"
    return None


def answers(runtime: Runtime) -> Float32:
    """[blocks, window]: at each depth, the last of `FRAMES` output windows of the test signal."""
    d = runtime.description
    windows = signal_windows(d)
    return np.stack([_answer(runtime, windows, depth, depth) for depth in range(1, d.blocks + 1)])


def encode(reference: Float32) -> str:
    """Fp16 in base64, for the description."""
    return base64.b64encode(reference.astype("<f2").tobytes()).decode("ascii")


def decode(d: ModelDescription) -> Float32 | None:
    """The reference answers that the description carries; None where it was exported without."""
    if not d.self_test:
        return None
    return np.frombuffer(base64.b64decode(d.self_test), "<f2").reshape(d.blocks, d.window).astype(np.float32)


def signal_windows(d: ModelDescription, frames: int = FRAMES) -> Float32:
    """[frames, window]: a voice-like tone, 20 harmonics of a pitch that rises from 120 Hz."""
    t: npt.NDArray[np.float64] = np.arange(d.window + (frames - 1) * d.hop) / d.sample_rate
    phase = 2 * np.pi * (120 * t + 200 * t**2)
    harmonics = np.arange(1, 21)[:, None]
    signal = (0.05 * np.sum(np.sin(harmonics * phase) / harmonics, axis=0)).astype(np.float32)
    windows: Float32 = np.lib.stride_tricks.sliding_window_view(signal, d.window)[:: d.hop]
    return windows


def _answer(runtime: Runtime, windows: Float32, depth: int, head: int) -> Float32:
    stream = runtime.open_stream()
    for i in range(len(windows)):
        enhanced = stream.step(windows[i : i + 1], depth, head)
    answer: Float32 = enhanced[0].copy()
    return answer


def snr_db(reference: Float32, other: Float32) -> float:
    """How far ``other`` is from ``reference``; 0 dB where both are silent."""
    error = np.sum((reference - other) ** 2, dtype=np.float64)
    return float(10 * np.log10((np.sum(reference**2, dtype=np.float64) + 1e-30) / (error + 1e-30)))
