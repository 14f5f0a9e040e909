"""Write docs/results.md from the figures that the other benchmarks left in docs/*.json.

(cd pse_sdk/assets; pse evaluate small=small.onnx small.tflite --output ../../docs/quality.json)
pse evaluate small --warm-start --output docs/warm-start.json
python benchmarks/speed.py --output docs/speed.json
python benchmarks/runtimes.py m-fp32.onnx m-int8.onnx m-fp32.tflite m-int8.tflite --output docs/runtimes.json
python benchmarks/precision.py m-fp32.onnx m-int8.onnx m-fp32.tflite m-int8.tflite --items 15 \\
    --output docs/precision.json
python benchmarks/personal.py --items 10 --long 6 --output docs/personal.json
python benchmarks/others.py --output docs/others.json --plot docs/others.png
python benchmarks/results.py

The page has no table for figures that are not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pse_sdk.evaluation.compare import differences_between, differences_within
from pse_sdk.evaluation.report import Report, load_report
from pse_sdk.evaluation.tables import breakdowns, differences, overview
from pse_sdk.models import complexity, preset

DOCS = Path(__file__).parent.parent / "docs"
E3NET = {"e3net-2": 4.50, "e3net": 6.61, "e3net-8": 10.85}
BLOOM_PARAMETERS = (0.28, 0.49, 0.71, 0.92, 1.13, 1.34)
BLOOM_MACS = (0.53, 0.80, 1.07, 1.33, 1.60, 1.87)


def main() -> None:
    """Render the page."""
    quality = load_report(DOCS / "quality.json")
    speed = json.loads((DOCS / "speed.json").read_text())
    page = [
        "# Results",
        "",
        "Written by `benchmarks/results.py` from what `pse evaluate` and the other benchmarks measured.",
        "Not everything is measured anew after every stage: "
        "[model-search.md](model-search.md#short-sounds-and-more-of-the-snr) says what is older than the model.",
        "",
        "## Quality",
        "",
        f"{quality.title}; means with 95 % bootstrap intervals over items. [evaluation.md](evaluation.md) says what "
        "each column means; times are of this run, those of quieter ones stand under [Speed](#speed) and "
        "[Runtimes](#runtimes-and-the-memory-floor).",
        "",
        *(part for sheet in (overview(quality), *breakdowns(quality)) for part in (sheet.to_markdown(), "")),
        "![A noisy recording and the output of every depth](spectrogram.png)",
        "",
        *_warm_start(quality),
        *_others(),
        "## Speed",
        "",
        f"One frame of 10 ms, one thread, ONNX Runtime, on {speed['machine']}; candidates take turns within one run. "
        "The machine was a shared one, whose times differ by half between runs; the ratios do by a few points.",
        "*Over fixed* compares with a file of that depth alone, *switching* a random new depth at every frame with a "
        "steady one.",
        "",
        *_speed(speed),
        "",
        *_section("One voice of several", "personal.json", _personal),
        *_section("Runtimes and the memory floor", "runtimes.json", _runtimes),
        *_section("What rounding to int8 costs", "precision.json", _precision),
        "## Size against the papers",
        "",
        *_sizes(),
        "",
    ]
    (DOCS / "results.md").write_text("\n".join(page), encoding="utf-8")
    print(f"wrote {DOCS / 'results.md'}")


def _warm_start(quality: Report) -> list[str]:
    path = DOCS / "warm-start.json"
    if not path.is_file():
        return []
    report = load_report(path)
    return [
        "## Recordings",
        "",
        "What stands above is what a live stream hears. A recording can be known before it is enhanced: `pse enhance`, "
        "and `Enhancer.enhance(..., warm_start=True)`, first hear its first 5 s "
        "([robustness.md](robustness.md#the-first-seconds)). The same mixtures so, all of which are 5 s long: of "
        "longer recordings only the beginning gains.",
        "",
        overview(report).to_markdown(),
        "",
        "*Earlier* is the live stream of [Quality](#quality), the same model without a warm start; here it runs in "
        "LiteRT, there in ONNX Runtime, which differ by 0.02 dB and 0.004 in PESQ at most.",
        "",
        differences(differences_between(report, quality)).to_markdown(),
        "",
    ]


def _others() -> list[str]:
    path = DOCS / "others.json"
    if not path.is_file():
        return []
    report = load_report(path)
    return [
        "## Beside others",
        "",
        "The same mixtures through suppressors that PyPI has, each on one thread, measured in one run with ours in "
        "LiteRT (`benchmarks/others.py`, which says how each is run). NSNet2's time is that of whole recordings, "
        "RNNoise's holds the way to 48 kHz and back; that of ours is of frames back to back.",
        "",
        overview(report).to_markdown(),
        "",
        differences(differences_within(report)).to_markdown(),
        "",
        "![Ours and others: quality over time and multiplications per second](others.png)",
        "",
    ]


def _speed(speed: dict[str, Any]) -> list[str]:
    rows = [
        "| precision | depth | p50 ms | p99 ms | real-time factor | of the deepest | over fixed | switching |",
        "|---|---|---|---|---|---|---|---|",
    ]
    deepest = {row["precision"]: row["p50_ms"] for row in speed["rows"]}  # the last of each precision
    for row in speed["rows"]:
        rows.append(
            f"| {row['precision']} | {row['depth']} | {row['p50_ms']:.3f} | {row['p99_ms']:.3f} | "
            f"{row['p50_ms'] / speed['hop_ms']:.4f} | {row['p50_ms'] / deepest[row['precision']]:.2f} | "
            f"{100 * (row['over_fixed'] - 1):+.1f} % | {100 * (row['switching_over_steady'] - 1):+.1f} % |"
        )
    return rows


def _section(title: str, file: str, render: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    if not (DOCS / file).is_file():
        return []
    return [f"## {title}", "", *render(json.loads((DOCS / file).read_text())), ""]


def _runtimes(measured: dict[str, Any]) -> list[str]:
    rows = [
        f"One frame, one thread, {'empty' if measured['cold'] else 'warm'} caches. The floor is the time in which the "
        "same thread reads as many bytes as the depth has weights, taken in turns with the frames.",
        "",
        "| runtime | precision | depth | weights MB | p50 ms | p99 ms | floor ms | read GB/s | over floor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in measured["rows"]:
        rows.append(
            f"| {row['runtime']} | {row['precision']} | {row['depth']} | {row['megabytes']:.1f} | "
            f"{row['p50_ms']:.3f} | {row['p99_ms']:.3f} | "
            f"{row['floor_ms']:.3f} | {row['read_gb_per_s']:.0f} | {row['over_floor']:.2f} |"
        )
    return rows


def _precision(measured: dict[str, Any]) -> list[str]:
    rows = [
        f"Means over {measured['items']} mixtures, against the output of {measured['rows'][0]['file']}.",
        "",
        "| file | depth | SI-SDR to the exact output, dB | PESQ lost | DNSMOS lost |",
        "|---|---|---|---|---|",
    ]
    for row in measured["rows"]:
        if row["number"]:
            mos = f"{row['dnsmos_lost']:+.3f}" if "dnsmos_lost" in row else ""
            rows.append(
                f"| {row['file']} | {row['depth']} | {row['agreement_db']:.1f} | {row['pesq_lost']:+.3f} | {mos} |"
            )
    return rows


SCENARIO_COLUMNS = {
    "si_sdr": "SI-SDR dB", "pesq": "PESQ-WB", "dnsmos": "DNSMOS ovrl", "wer": "WER %",
    "tsos_percent": "TSOS % of frames", "tsos_seconds": "TSOS s per half hour",
}  # fmt: skip


def _personal(measured: dict[str, Any]) -> list[str]:
    results = measured["results"]
    changing = results["two talkers, depth changing"][0]
    rows = [
        f"{measured['items']} recordings of each kind, means with 95 % intervals over them, from held-out speakers, "
        "noises and rooms; each voice was enrolled with 5 s of its other utterances (half of the voices: of their "
        "only recording's other part) through `Enhancer.enroll` (`benchmarks/personal.py`).",
        "",
        "Two talkers at 0 dB, no noise: SI-SDR gain in dB of voice A and of voice B, with either enrolled.",
        "",
        "| depth | A, A enrolled | B, A enrolled | A, B enrolled | B, B enrolled |",
        "|---|---|---|---|---|",
    ]
    for depth, row in enumerate(results["two talkers"][1:], 1):
        rows.append(f"| {depth} | " + " | ".join(_interval(row[key], "+") for key in ("AA", "AB", "BA", "BB")) + " |")
    rows += [
        "",
        f"With a random depth ten times a second the enrolled voice gains {_interval(changing['gain'], '+')} dB; the "
        f"mean of the fixed depths is {_interval(changing['mean of the fixed depths'], '+')} dB.",
        "",
        "TS1: the enrolled voice near, another far (-5 to 10 dB), noise (0 to 15 dB), half in rooms. TS2: without the "
        "other. TS3: the voice alone, its SI-SDR in rooms only: without one it is clean as it is. Words are recognised "
        "by PocketSphinx with a grammar of the recordings' own sentences, "
        f"which gets {results['clean'][0]['wer'][0]:.1f} % of the words of the clean sentences wrong.",
    ]
    for scenario in ("TS1", "TS2", "TS3"):
        rows += [
            "",
            f"| {scenario}, depth | " + " | ".join(SCENARIO_COLUMNS.values()) + " |",
            "|---" * (len(SCENARIO_COLUMNS) + 1) + "|",
        ]
        for depth, row in enumerate(results[scenario]):
            values = " | ".join(_interval(row[key]) for key in SCENARIO_COLUMNS)
            rows.append(f"| {depth or 'unprocessed'} | {values} |")
    rows += [
        "",
        "The enrolled voice absent: attenuation of the other talker and the noise. "
        f"{measured['long_items']} recordings of a minute whose scenario changes every 5 s: attenuation of both where "
        "the other speaks and the enrolled voice does not, and TSOS.",
        "",
        "| depth | absent, dB | in its pauses, dB | TSOS % of frames | TSOS s per half hour |",
        "|---|---|---|---|---|",
    ]
    for depth, (absent, long) in enumerate(zip(results["absent"], results["long"], strict=True)):
        if depth:
            values = (absent["attenuation"], long["suppression"], long["tsos_percent"], long["tsos_seconds"])
            rows.append(f"| {depth} | " + " | ".join(map(_interval, values)) + " |")
    return rows


def _interval(measured: list[float | None], sign: str = "") -> str:
    """A mean and where it lies; of few recordings only the mean."""
    mean, *ends = (f"{value:{sign}.2f}" for value in measured if value is not None)
    return f"{mean} ({' to '.join(ends)})" if ends else mean


def _sizes() -> list[str]:
    rows = ["| model | depth | parameters, M | paper | MMAC/s | paper |", "|---|---|---|---|---|---|"]
    for name, published in E3NET.items():
        cost = complexity(preset(name))[-1]
        macs = f"{cost.macs_per_second / 1e6:.0f}"
        rows.append(f"| {name} | {cost.depth} | {cost.parameters / 1e6:.2f} | {published:.2f} | {macs} | |")
    for cost, millions, giga in zip(complexity(preset("bloom-convtasnet")), BLOOM_PARAMETERS, BLOOM_MACS, strict=True):
        rows.append(
            f"| bloom-convtasnet | {cost.depth} | {cost.parameters_with_heads / 1e6:.3f} | {millions:.2f} | "
            f"{cost.macs_per_second / 1e6:.0f} | {1e3 * giga:.0f} |"
        )
    for cost in complexity(preset("small")):
        rows.append(f"| small | {cost.depth} | {cost.parameters / 1e6:.2f} | | {cost.macs_per_second / 1e6:.0f} | |")
    return rows


if __name__ == "__main__":
    main()
