"""What the speaker encoder learns from: embeddings of Resemblyzer, a public d-vector model (GE2E, arXiv 1710.10467).

Needs the ``[teacher]`` extra and Resemblyzer, for training only. Its 256 numbers are all positive, so that any two
voices look alike; their mean over the training voices is taken away, and the directions of largest variance are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pse_sdk.errors import UsageError, how_to_install
from pse_sdk.models.speaker_encoder import SpeakerEncoder
from pse_sdk.training.augment import Samples
from pse_sdk.training.precision import multiplies_bf16

# The teacher's own window, in its 10 ms frames, and how far apart windows start.
WINDOW, STEP = 160, 120
BATCH = 128
QUIETEST_RMS = 1e-4

Embeddings = npt.NDArray[np.float32]


def teacher_embeddings(recordings: Iterable[Samples], count: int) -> Embeddings:
    """[count, 256], each of length 1; zeros for a recording without sound."""
    teacher = _teacher()
    sums = np.zeros((count, 256), np.float32)
    batch: list[tuple[int, Embeddings]] = []

    def run() -> None:
        owners = [owner for owner, _ in batch]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bf16("cpu")):
            embedded = teacher(torch.from_numpy(np.stack([mel for _, mel in batch]))).float().numpy()
        np.add.at(sums, owners, embedded)
        batch.clear()

    for i, recording in enumerate(recordings):
        batch += [(i, mel) for mel in _windows(recording)]
        if len(batch) >= BATCH:
            run()
    if batch:
        run()
    out: Embeddings = sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9)
    return out


def _windows(x: Samples) -> Iterable[Embeddings]:
    """Mel spectrograms [WINDOW, mels] that cover a segment, pauses cut as the teacher was trained."""
    from resemblyzer.audio import normalize_volume, trim_long_silences, wav_to_mel_spectrogram

    if np.sqrt(np.mean(x**2)) < QUIETEST_RMS:
        return
    loud = normalize_volume(x, -30, increase_only=True)
    spoken = trim_long_silences(loud)
    mel = wav_to_mel_spectrogram(spoken if len(spoken) >= 8000 else loud)
    mel = np.pad(mel, ((0, max(0, WINDOW - len(mel))), (0, 0)))
    rest = len(mel) - WINDOW
    for start in np.linspace(0, rest, round(rest / STEP) + 1).round().astype(int):
        yield mel[start : start + WINDOW]


@dataclass(frozen=True)
class Reduction:
    """Centring and a rotation to the directions of largest variance: mean [256], basis [256, dim]."""

    mean: Embeddings
    basis: Embeddings

    @classmethod
    def fit(cls, embeddings: Embeddings, dim: int) -> Reduction:
        heard = embeddings[np.any(embeddings != 0, axis=1)]
        mean = heard.mean(0)
        _, vectors = np.linalg.eigh(np.cov((heard - mean).T))
        return cls(mean, vectors[:, ::-1][:, :dim].astype(np.float32))

    def apply(self, embeddings: Embeddings) -> Embeddings:
        """[segments, 256] -> [segments, dim], each of length 1; silence stays zero."""
        reduced = (embeddings - self.mean) @ self.basis
        reduced = reduced / (np.linalg.norm(reduced, axis=1, keepdims=True) + 1e-9)
        out: Embeddings = np.where(np.any(embeddings != 0, axis=1, keepdims=True), reduced, 0).astype(np.float32)
        return out


def start_from_teacher(encoder: SpeakerEncoder, reduction: Reduction) -> None:
    """Give ``encoder`` the teacher's LSTM and linear layer, and the reduction as its projection.

    It then hears clean voices nearly as the teacher does; training teaches it short, noisy and reverberant ones.
    """
    teacher = _teacher()
    encoder.lstm.load_state_dict(teacher.lstm.state_dict())
    encoder.linear.load_state_dict(teacher.linear.state_dict())
    basis = torch.from_numpy(reduction.basis.T.copy())
    with torch.no_grad():
        encoder.projection.weight.copy_(basis)
        encoder.projection.bias.copy_(-basis @ torch.from_numpy(reduction.mean))


def _teacher() -> Any:
    try:
        from resemblyzer import VoiceEncoder
    except ImportError as error:
        raise UsageError(f"the teacher needs {error.name}: {how_to_install('teacher')}, then "
                         "pip install --no-deps resemblyzer") from None  # fmt: skip
    return VoiceEncoder("cpu", verbose=False)
