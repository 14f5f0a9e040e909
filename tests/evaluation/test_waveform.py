"""SI-SDR against the definition, and against training's own on tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.evaluation.metrics.waveform import LIMIT_DB
from pse_sdk.training.metrics import si_sdr as si_sdr_of_tensors

RNG = np.random.default_rng(0)
TARGET = RNG.standard_normal(16000)
# As strong as the target, and at right angles to it.
NOISE = RNG.standard_normal(16000)
NOISE -= (NOISE @ TARGET) / (TARGET @ TARGET) * TARGET
NOISE *= np.linalg.norm(TARGET) / np.linalg.norm(NOISE)


@given(st.floats(-40, 40), st.floats(0.001, 100))
def test_orthogonal_noise_at_some_snr_scores_that_snr_at_any_scale(snr_db: float, scale: float) -> None:
    output = scale * (TARGET + 10 ** (-snr_db / 20) * NOISE)
    assert si_sdr(output, TARGET) == pytest.approx(snr_db, abs=1e-6)


def test_a_perfect_output_a_scaled_and_an_inverted_one_score_the_limit() -> None:
    for scale in (1, 0.25, -1):
        assert si_sdr(scale * TARGET, TARGET) == LIMIT_DB


def test_silence_is_the_worst_output_and_a_silent_target_has_no_score() -> None:
    assert si_sdr(0 * TARGET, TARGET) == -LIMIT_DB
    assert np.isnan(si_sdr(TARGET, 0 * TARGET))


def test_training_watches_the_same_number() -> None:
    output = (0.3 * (TARGET + 0.4 * NOISE)).astype(np.float32)
    pair = (torch.from_numpy(x.astype(np.float32))[None] for x in (output, TARGET))
    assert si_sdr_of_tensors(*pair).item() == pytest.approx(si_sdr(output, TARGET), abs=1e-3)
