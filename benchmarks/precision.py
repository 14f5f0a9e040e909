"""What rounding costs, per depth: SI-SDR between the output of each file and an exact one, PESQ and DNSMOS lost.

    for p in fp32 int8; do for k in onnx tflite; do pse export model.safetensors m-$p.$k --precision $p; done; done
    PSE_DATA=... python benchmarks/precision.py m-fp32.onnx m-int8.onnx m-fp32.tflite m-int8.tflite [--items 40]

The first file is what the others are compared with. The mixtures are of held-out speakers and
noises, 0 to 15 dB SNR, fixed by a seed. Needs the [train] and [eval] extras.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from pse_sdk.runtimes.select import SUFFIXES
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.evaluation.metrics.perceptual import dns_mos, pesq_wb
from pse_sdk.training.data import data_folder
from pse_sdk.training.train import VALID, VALID_SEED, mixtures

LIMIT_PESQ = 0.05  # what int8 may cost

Scores = dict[str, float]


def main(
    models: Annotated[list[Path], typer.Argument(help="Files of one model; the first is the exact one.")],
    items: Annotated[int, typer.Option(help="Mixtures.")] = 40,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
    with_dnsmos: Annotated[bool, typer.Option("--dnsmos/--no-dnsmos")] = True,
) -> None:
    """Print the table."""
    pairs = mixtures(data_folder(data), "valid", VALID, items, VALID_SEED)
    names = {suffix: name for name, suffix in SUFFIXES.items()}
    enhancers = [sdk.Enhancer(model=model, runtime=names[model.suffix]) for model in models]
    scores: dict[tuple[int, int], list[Scores]] = {}
    for noisy, target in track([pairs[i][:2] for i in range(items)], "mixtures"):
        for depth in range(1, enhancers[0].max_depth + 1):
            exact = None
            for number, enhancer in enumerate(enhancers):
                enhancer.set_depth(depth)
                enhanced = enhancer.enhance(noisy)
                exact = enhanced if exact is None else exact
                scores.setdefault((number, depth), []).append(_scores(enhanced, exact, target, with_dnsmos))
    rows = _rows(models, enhancers, scores)
    _print(rows)
    if output:
        output.write_text(json.dumps({"items": items, "seed": VALID_SEED, "rows": rows}, indent=1) + "\n")


def _scores(enhanced: np.ndarray, exact: np.ndarray, target: np.ndarray, with_dnsmos: bool) -> Scores:
    scores = {
        "agreement_db": si_sdr(enhanced, exact),
        "pesq": pesq_wb(enhanced, target),
    }
    if with_dnsmos:
        scores["dnsmos"] = dns_mos(enhanced)["ovrl"]
    return scores


def _rows(
    models: list[Path], enhancers: list[sdk.Enhancer], scores: dict[tuple[int, int], list[Scores]]
) -> list[dict[str, str | int | float]]:
    """Means per file and depth, and what is lost against the first file."""
    rows: list[dict[str, str | int | float]] = []
    for (number, depth), found in sorted(scores.items()):
        means = {key: float(np.mean([s[key] for s in found])) for key in found[0]}
        lost = {f"{key}_lost": float(np.mean([a[key] - b[key] for a, b in zip(scores[0, depth], found, strict=True)]))
                for key in means if key != "agreement_db"}  # fmt: skip
        what = {"number": number, "file": str(models[number]), "precision": enhancers[number].description.precision}
        rows.append({**what, "depth": depth, **means, **lost})
    return rows


def _print(rows: list[dict[str, str | int | float]]) -> None:
    table = Table("file", "precision", "depth", "SI-SDR to the first, dB", "PESQ", "lost", "DNSMOS", "lost")
    for row in rows:
        first = not row["number"]
        table.add_row(
            str(row["file"]), str(row["precision"]), str(row["depth"]), "" if first else f"{row['agreement_db']:.1f}",
            f"{row['pesq']:.3f}", "" if first else f"{row['pesq_lost']:+.3f}",
            f"{row['dnsmos']:.3f}" if "dnsmos" in row else "",
            "" if first or "dnsmos" not in row else f"{row['dnsmos_lost']:+.3f}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    worst = max(float(row["pesq_lost"]) for row in rows)
    console.print(f"most PESQ lost at any depth: {worst:.3f} (target: at most {LIMIT_PESQ})")


if __name__ == "__main__":
    command.run(main)
