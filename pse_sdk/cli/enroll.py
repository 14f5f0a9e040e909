"""``pse enroll``: a recording of a voice in, a voice profile out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.audio import is_audio_name
from pse_sdk.cli.jobs import file_identity
from pse_sdk.enhancer import Enhancer
from pse_sdk.enrolment import read_enrolment
from pse_sdk.errors import AudioError, UsageError
from pse_sdk.runtimes.select import SUFFIXES


def enroll(
    recording: Annotated[
        Path, typer.Argument(metavar="IN", readable=False, help="A recording of one voice, 5 to 10 s of speech.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Voice profile to write; IN with .voice if not given.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx or .tflite file.")] = None,
) -> None:
    """Learn a voice, for `pse enhance --voice`. The profile holds no sound and stays on this device."""
    if recording.is_dir():
        raise AudioError(f"{recording}: is a folder, not a recording")
    target = output or recording.with_suffix(".voice")
    if file_identity(target) == file_identity(recording):
        raise UsageError(f"{target}: would overwrite the recording; choose another output")
    if is_audio_name(target) or target.suffix in SUFFIXES.values():
        raise UsageError(f"{target}: is the name of a recording or model; choose one for a voice profile, "
                         f"such as {target.with_suffix('.voice')}")  # fmt: skip
    samples, rate, name = read_enrolment(recording, 16000)
    voice, report = Enhancer(model=model).measure_voice(samples, rate, name)
    voice.save(target)
    Console(stderr=True, soft_wrap=True).print(
        f"{recording} -> {target}  {report.speech_s:.1f} s of speech in {report.seconds:.1f} s, "
        f"{report.snr_db:+.0f} dB against the noise",
        markup=False, highlight=False,
    )  # fmt: skip
