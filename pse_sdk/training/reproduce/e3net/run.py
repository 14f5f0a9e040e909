"""The whole comparison: speed, then one training after the other, each scored as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pse_sdk.machine import this_machine
from pse_sdk.training.recipe import Recipe
from pse_sdk.training.reproduce.e3net import report
from pse_sdk.training.reproduce.e3net.budget import Budget
from pse_sdk.training.reproduce.e3net.candidates import CANDIDATES
from pse_sdk.training.reproduce.e3net.quality import Pair, score, score_noisy
from pse_sdk.training.reproduce.e3net.report import Results
from pse_sdk.training.reproduce.e3net.speed import TURN, measure_speed
from pse_sdk.training.reproduce.e3net.train import train
from pse_sdk.training.train import VALID, VALID_ITEMS, VALID_SEED, mixtures

Tell = Callable[[str], None]


def measure_all_speeds(results: Results, turns: int, tell: Tell) -> None:
    """Replace what is known of the speed."""
    results.speed = measure_speed(CANDIDATES, turns, tell)
    results.conditions["speed"] = (
        f"One thread of ONNX Runtime, fp32, on {this_machine()}; processor time, all models in turns. Paced: the "
        f"median of {turns * TURN} frames, one per call, as a microphone delivers them; hot: the same back to back; "
        "file: a second per call. A factor is the median of the turns' medians. The paper's figures are in brackets, "
        "speed-ups are over pDCCRN in fp32."
    )


def measure_all_qualities(
    results: Results, recipe: Recipe, budget: Budget, data: Path, output: Path, done: Callable[[], None], tell: Tell
) -> None:
    """Train and score every candidate; ``done`` is called after each."""
    pairs = _pairs(data)
    results.noisy = {name: float(np.nanmean([getattr(pair, name) for pair in pairs])) for name in ("si_sdr", "pesq")}
    # What was trained with these settings comes back from its file; no older figure stands under the new caption.
    results.training, results.quality = {}, {}
    results.conditions["training"] = f"Each model trained for {budget}"
    results.conditions["quality"] = (
        f"Each model trained for {budget}, {recipe.batch} mixtures of {recipe.mixing.seconds:g} s a step, then scored "
        f"on {VALID_ITEMS} held-out mixtures at 0 to 15 dB, nobody enrolled (unprocessed: "
        f"{results.noisy['si_sdr']:.2f} dB SI-SDR, PESQ {results.noisy['pesq']:.3f}); ± is the standard error."
    )
    for candidate in CANDIDATES:
        tell(f"training {candidate.label}")
        model, record = train(candidate, recipe, budget, data, output)
        tell(f"scoring {candidate.label}: {record['steps']} steps, {record['wall_minutes']:.1f} min by the clock")
        results.training[candidate.name] = {k: v for k, v in record.items() if k != "asked"}
        results.quality[candidate.name] = score(model, pairs)
        done()


def write(results: Results, page: Path) -> None:
    """The page, and beside it the figures as .json and, where there are any to draw, the plot as .png."""
    results.write(page.with_suffix(".json"))
    report.write_page(results, page)
    if report.drawable(results):
        report.draw(results, page.with_suffix(".png"))


def _pairs(data: Path) -> list[Pair]:
    valid = mixtures(data, "valid", VALID, VALID_ITEMS, VALID_SEED)
    return score_noisy([valid[i][:2] for i in range(VALID_ITEMS)])
