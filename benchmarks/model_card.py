"""Put a model into the package: the exported file, and a card with data, recipe, seed, scores and sha256.

    python benchmarks/model_card.py small.onnx docs/quality.json --commit COMMIT
    python benchmarks/model_card.py small.tflite docs/quality.json --commit COMMIT

The scores are those of the file's name in the JSON that `pse evaluate small other.tflite --output` wrote.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import command
import typer
from pse_sdk.runtimes.bundled import card_path, checksum
from pse_sdk.runtimes.select import open_file

from pse_sdk.errors import UsageError
from pse_sdk.evaluation.report import load_report, summary, to_json

ASSETS = Path(__file__).parent.parent / "pse_sdk" / "assets"

# Sources of speech, noise and rooms, with the licences that they ask to be named by.
DATA = [
    "speechocean762 (free public dataset, CC BY 4.0)",
    "LibriSpeech train-clean-100, subset (CC BY 4.0)",
    "Picovoice wake-word and speech-to-intent benchmarks (Apache-2.0)",
    "Precise community data (public domain)",
    "Speech Commands, subset (CC BY 4.0)",
    "ESC-50, clips under CC0 or CC BY (CC BY 3.0)",
    "babble mixed from the training speakers (CC BY 4.0)",
    "ambient engine, street, rain, appliance, music and nature recordings (CC0, CC BY, Apache-2.0, public domain)",
    "music and effects from Debian's games and sound packages (benchmarks/package_noise.txt lists them; GPL, CC BY-SA, "
    "CC BY, CC0 and other licences that are free by Debian's guidelines)",
    "room responses simulated with pyroomacoustics",
]


def main(
    model: Annotated[Path, typer.Argument(help="The exported file; its name becomes the model's.")],
    quality: Annotated[Path, typer.Argument(help="What `pse evaluate --output` wrote.")],
    commit: Annotated[str, typer.Option(help="Of the code that trained it.")],
) -> None:
    """Write the card and copy the model beside it."""
    description = open_file(model).description
    report = load_report(quality)
    label = model.name if model.suffix == ".tflite" else model.stem
    if label not in report.systems():
        raise UsageError(f"{quality}: has no scores of {label!r}; `pse evaluate {label}={model.name}` gives that name")
    variants = report.systems()[label]
    unprocessed, *depths = (
        {key: to_json(mean) for key, mean in summary(report, variant).items()}
        for variant in (report.variants[0], *variants)
    )
    training = dict(description.training)
    card = {
        "name": model.stem,
        "sha256": checksum(model),
        "licence": description.licence,
        "precision": description.precision,
        "weights": description.weights,
        "architecture": dict(description.architecture),
        "parameters": list(description.parameters),
        "macs_per_second": list(description.macs_per_second),
        "data": DATA,
        "recipe": training.get("recipe"),
        "steps": training.get("steps"),
        "seed": training.get("recipe", {}).get("seed"),
        "average_of": training.get("average_of"),
        "commit": commit,
        "scored_on": f"{report.title}; means with 95 % bootstrap intervals",
        "scores_unprocessed": unprocessed,
        "scores": depths,
        "intended_use": "removing noise from speech and, for an enrolled voice, other talkers, in calls and recordings",
        "limits": "16 kHz. Without enrolment a voice much weaker than the one before it, or beside another, "
        "loses a part (docs/robustness.md); with it other talkers are weakened, not gone (docs/personalization.md). "
        "Trained on English, part of it accented; music and singing are treated as noise.",
    }
    target = ASSETS / model.name
    shutil.copyfile(model, target)
    card_path(target).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target} and its card")


if __name__ == "__main__":
    command.run(main)
