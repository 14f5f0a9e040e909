"""Does an exported file compute what torch computes? Every depth, changes, a voice, and its own self-test.

Only what does is written.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.base import Float32, Runtime
from pse_sdk.runtimes.bundled import card_path
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.runtimes.select import open_file
from pse_sdk.runtimes.torch import TorchRuntime

from pse_sdk.errors import ModelError
from pse_sdk.files import write_atomically
from pse_sdk.models.window_model import WindowModel

Precision = Literal["fp32", "fp16", "int8"]

# Largest error, as SNR in dB against torch, that an export may have. Rounding weights to fp16 costs about 70 dB
# (they carry 11 bits); int8 is a lossy choice whose price the evaluation measures, so only nonsense is refused.
PARITY_DB: dict[Precision, float] = {"fp32": 90.0, "fp16": 45.0, "int8": 12.0}

FRAMES = 60
SEED = 0


def write_checked(content: bytes, model: WindowModel, path: Path, precision: Precision) -> None:
    """Write an exported file to ``path`` if it computes what ``model`` does; else raise `ModelError`."""
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / f"model{path.suffix}"
        candidate.write_bytes(content)
        check_parity(model, candidate, minimum_db=PARITY_DB[precision])
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
        # A card of what was there before would make the new file one that was tampered with.
        card_path(path).unlink(missing_ok=True)


def check_parity(model: WindowModel, path: Path, minimum_db: float) -> float:
    """The worst SNR in dB of the file's output against torch; raises `ModelError` below ``minimum_db``."""
    exported = open_file(path)
    reference = TorchRuntime(model, exported.description)
    blocks = model.config.blocks
    rng = np.random.default_rng(SEED)
    # A voice as well: of noise alone a good model leaves next to nothing, and errors would be measured against that.
    windows = _windows(rng, model.config.window, model.config.hop) + self_test.signal_windows(
        exported.description, FRAMES
    )
    random_depths = rng.integers(1, blocks + 1, FRAMES)
    changing = [(int(d), int(rng.integers(1, d + 1))) for d in random_depths]
    runs: list[tuple[str, list[tuple[int, int]], Float32 | None]] = [
        *((f"depth {depth}", [(depth, depth)] * FRAMES, None) for depth in range(1, blocks + 1)),
        ("random depth changes", changing, None),
    ]
    if exported.description.speaker_dim:
        runs.append(("an enrolled voice", changing, _any_voice(rng, exported.description)))
    worst = np.inf
    for what, schedule, voice in runs:
        snr = self_test.snr_db(_run(reference, windows, schedule, voice), _run(exported, windows, schedule, voice))
        if not snr >= minimum_db:
            raise ModelError(f"the exported graph differs from torch at {what}: {snr:.1f} dB SNR, "
                             f"at least {minimum_db:.0f} dB is needed; nothing was written")  # fmt: skip
        worst = min(worst, snr)
    if problem := self_test.failure(exported):
        raise ModelError(f"the exported graph fails its self-test: {problem}; nothing was written")
    return float(worst)


def _windows(rng: np.random.Generator, window: int, hop: int) -> Float32:
    signal = rng.standard_normal(hop * (FRAMES - 1) + window).astype(np.float32)
    signal *= 0.1 * np.abs(np.sin(np.arange(len(signal)) / 3000)).astype(np.float32)
    windows: Float32 = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop]
    return windows


def _any_voice(rng: np.random.Generator, description: ModelDescription) -> Float32:
    embedding = rng.standard_normal(description.speaker_dim).astype(np.float32)
    return description.project(embedding / np.linalg.norm(embedding))


def _run(runtime: Runtime, windows: Float32, schedule: list[tuple[int, int]], voice: Float32 | None) -> Float32:
    stream = runtime.open_stream()
    stream.set_speaker(voice)
    return np.concatenate(
        [stream.step(windows[i : i + 1], depth, head).copy() for i, (depth, head) in enumerate(schedule)]
    )
