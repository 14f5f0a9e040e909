"""A two-talker mixture enrolled on one, on the other, and on nobody, as spectrograms.

    PSE_DATA=... python benchmarks/personal_picture.py [--number 0] [--output docs/personal.png]

The mixture is one of those that `benchmarks/personal.py` scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import command
import typer
from personal import Recordings

import pse_sdk as sdk
from pse_sdk.cli.spectrogram import draw
from pse_sdk.training.data import SAMPLE_RATE, data_folder


def main(
    number: Annotated[int, typer.Option(help="Which mixture.")] = 0,
    model: Annotated[str, typer.Option(help="Name or .onnx file.")] = "small",
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
    output: Annotated[Path, typer.Option()] = Path("docs/personal.png"),
) -> None:
    """Draw the mixture, what is left of it in each case, and the two voices alone."""
    item = Recordings(data_folder(data)).two_talkers(number)
    enhancer = sdk.Enhancer("quality", model=model)
    shown = {"before": item.noisy, "nobody enrolled": enhancer.enhance(item.noisy, SAMPLE_RATE)}
    for name, enrolment, alone in (("A", item.enrolment, item.target), ("B", item.other_enrolment, item.others)):
        enhancer.enroll(enrolment, SAMPLE_RATE)
        shown[f"{name} enrolled"] = enhancer.enhance(item.noisy, SAMPLE_RATE)
        shown[f"{name} alone, for comparison"] = alone
    draw(shown, SAMPLE_RATE, output, title="Two talkers at 0 dB")


if __name__ == "__main__":
    command.run(main)
