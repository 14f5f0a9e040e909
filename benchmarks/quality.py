"""Quality per depth on held-out mixtures: SI-SDR gain, PESQ, STOI, DNSMOS.

    PSE_DATA=... python benchmarks/quality.py [MODEL.onnx MODEL.tflite ...] [--items 100] [--output docs/quality.json]

The mixtures are fixed by a seed: dry, 5 s, SNR drawn from 0..15 dB, speakers and noises that were not trained on. Needs
the [train] and [eval] extras.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.training.data import data_folder
from pse_sdk.training.metrics import si_sdr
from pse_sdk.training.metrics.perceptual import dns_mos, pesq_wb, short_time_intelligibility
from pse_sdk.training.train import VALID, VALID_SEED, mixtures

Scores = dict[str, float]


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Names or files; the default model if none.")] = None,
    items: Annotated[int, typer.Option(help="Mixtures.")] = 100,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the scores as JSON.")] = None,
    with_dnsmos: Annotated[bool, typer.Option("--dnsmos/--no-dnsmos")] = True,
) -> None:
    """Print the table."""
    recipe = dataclasses.replace(VALID, snr_db=(0.0, 15.0))
    pairs = mixtures(data_folder(data), "valid", recipe, items, VALID_SEED)
    results: dict[str, list[Scores]] = {}
    for model in models or [None]:
        # A file is scored with the runtime for its kind, also where another kind of the same model lies beside it.
        tflite = model is not None and model.endswith(".tflite")
        enhancer = sdk.Enhancer(model=model, runtime="tflite" if tflite else "onnx")
        name = (Path(model).name if tflite else Path(model).stem) if model else enhancer.description.name
        results[name] = _score(enhancer, [pairs[i][:2] for i in range(items)], with_dnsmos, name)
    _print(results)
    if output:
        output.write_text(json.dumps({"items": items, "seed": VALID_SEED, "results": results}, indent=1) + "\n")


def _print(results: dict[str, list[Scores]]) -> None:
    table = Table("model", "depth", "SI-SDR dB", "gain", "PESQ-WB", "gain", "STOI", "DNSMOS sig", "bak", "ovrl")
    for name, rows in results.items():
        noisy = rows[0]
        for depth, row in enumerate(rows):
            mos = [f"{row[key]:.2f}" if key in row else "" for key in ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")]
            gains = {key: row[key] - noisy[key] for key in ("si_sdr", "pesq")}
            table.add_row(
                name,
                str(depth) if depth else "noisy",
                f"{row['si_sdr']:.2f}",
                f"{gains['si_sdr']:+.2f}",
                f"{row['pesq']:.3f}",
                f"{gains['pesq']:+.3f}",
                f"{row['stoi']:.4f}",
                *mos,
            )
    Console(width=110).print(table)


def _score(
    enhancer: sdk.Enhancer, pairs: list[tuple[np.ndarray, np.ndarray]], with_dnsmos: bool, name: str
) -> list[Scores]:
    """Mean scores of the noisy input (first) and of depth 1..L."""
    sums: list[list[Scores]] = [[] for _ in range(enhancer.max_depth + 1)]
    for noisy, target in track(pairs, name):
        for depth in range(enhancer.max_depth + 1):
            enhancer.set_depth(depth)
            output = noisy if depth == 0 else enhancer.enhance(noisy)
            sums[depth].append(_scores_of(output, target, with_dnsmos))
    return [{key: float(np.mean([s[key] for s in scores])) for key in scores[0]} for scores in sums]


def _scores_of(output: np.ndarray, target: np.ndarray, with_dnsmos: bool) -> Scores:
    scores = {
        "si_sdr": si_sdr(torch.from_numpy(output)[None], torch.from_numpy(target)[None]).item(),
        "pesq": pesq_wb(output, target),
        "stoi": short_time_intelligibility(output, target),
    }
    if with_dnsmos:
        scores |= {f"dnsmos_{kind}": value for kind, value in dns_mos(output).items()}
    return scores


if __name__ == "__main__":
    typer.run(main)
