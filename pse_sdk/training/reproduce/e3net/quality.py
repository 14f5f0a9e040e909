"""How much a trained model gains over the noisy input: SI-SDR and PESQ on fixed held-out mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from pse_sdk.evaluation.metrics.perceptual import pesq_wb
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.reproduce.e3net.candidates import Model, enhance

Samples = npt.NDArray[np.float32]


class Pair(NamedTuple):
    """A mixture and what is wanted of it, [samples] each; the mixture's own scores."""

    noisy: Samples
    target: Samples
    si_sdr: float
    pesq: float


def score_noisy(mixtures: Sequence[tuple[Samples, Samples]]) -> list[Pair]:
    return [Pair(noisy, target, _si_sdr(noisy, target), pesq_wb(noisy, target)) for noisy, target in mixtures]


def score(model: Model, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean gains in SI-SDR (dB) and PESQ, their standard errors, and the mean scores themselves."""
    gains: dict[str, list[float]] = {"si_sdr": [], "pesq": []}
    for pair in pairs:
        with torch.inference_mode():
            output = enhance(model, torch.from_numpy(pair.noisy)[None])[0].numpy()
        gains["si_sdr"].append(_si_sdr(output, pair.target) - pair.si_sdr)
        gains["pesq"].append(pesq_wb(output, pair.target) - pair.pesq)
    scores: dict[str, float] = {}
    for name, values in gains.items():
        scores[f"{name}_gain"] = float(np.nanmean(values))
        scores[f"{name}_gain_error"] = float(np.nanstd(values, ddof=1) / np.sqrt(np.count_nonzero(~np.isnan(values))))
    scores["si_sdr"] = scores["si_sdr_gain"] + float(np.nanmean([pair.si_sdr for pair in pairs]))
    scores["pesq"] = scores["pesq_gain"] + float(np.nanmean([pair.pesq for pair in pairs]))
    return scores


def _si_sdr(output: Samples, target: Samples) -> float:
    return si_sdr(torch.from_numpy(output)[None], torch.from_numpy(target)[None]).item()
