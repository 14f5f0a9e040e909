"""``pse enhance``: files or folders in, clean files out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pse_sdk.audio import is_audio_name, open_audio, read_blocks, write_audio
from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import PseError, UsageError

SUFFIX = "-clean"


@dataclass(frozen=True)
class Job:
    source: Path
    target: Path


def enhance(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Recordings, or folders of them.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help=f"File or folder to write; NAME{SUFFIX}.EXT beside each input if not given."
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="battery, balanced, quality, fixed-N, or a .toml file.")] = "balanced",
    depth: Annotated[int | None, typer.Option(help="Run exactly this many blocks (0: bypass).")] = None,
    strength_db: Annotated[
        float | None, typer.Option(help="Attenuate nothing by more than this many dB (0: no limit).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx file.")] = None,
) -> None:
    """Remove noise from recordings. Rate, channels and format are kept; a file appears only when it is complete."""
    jobs = plan(inputs, output)
    enhancer = Enhancer(profile, model=model, strength_db=strength_db)
    enhancer.set_depth(depth)
    shown = depth if depth is not None else enhancer.profile.max_depth or enhancer.max_depth
    console = Console(stderr=True, soft_wrap=True)
    failed: list[Path] = []
    with _progress(console) as progress:
        for job in jobs:
            task = progress.add_task(job.source.name, total=None)
            try:
                started = time.perf_counter()
                seconds = _enhance_file(enhancer, job, progress, task)
                took = time.perf_counter() - started
                progress.console.print(
                    f"{job.source} -> {job.target}  {seconds:.1f} s in {took:.1f} s "
                    f"({seconds / took:.0f}x real time), depth {shown} of {enhancer.max_depth}",
                    markup=False, highlight=False,
                )  # fmt: skip
            except PseError as error:
                failed.append(job.source)
                progress.console.print(f"pse: {error}", markup=False, highlight=False, style="red")
            progress.remove_task(task)
    if failed:
        if len(jobs) > 1:
            names = ", ".join(map(str, failed))
            console.print(f"pse: {len(failed)} of {len(jobs)} failed: {names}", markup=False, highlight=False)
        raise typer.Exit(1)


def plan(inputs: Iterable[Path], output: Path | None) -> list[Job]:
    """Which file goes where. Raises `UsageError` where that is unclear or would overwrite an input."""
    jobs: list[Job] = []
    inputs = list(inputs)
    one_file = len(inputs) == 1 and not inputs[0].is_dir()
    into_folder = output is not None and (output.is_dir() or not one_file)
    if output is not None and into_folder and output.is_file():
        raise UsageError(f"{output} is a file: several recordings need a folder to go to")
    for given in inputs:
        for source in _recordings(given):
            if output is None:
                target = source.with_name(f"{source.stem}{SUFFIX}{source.suffix}")
            else:
                target = (
                    output / (source.relative_to(given) if given.is_dir() else source.name) if into_folder else output
                )
            jobs.append(Job(source, target))
    targets = [job.target.resolve() for job in jobs]
    for job, target in zip(jobs, targets, strict=True):
        if target in {other.source.resolve() for other in jobs}:
            raise UsageError(f"{job.target} is an input too: choose another output, so that no recording is lost")
        if targets.count(target) > 1:
            raise UsageError(f"two recordings would be written to {job.target}: enhance them one by one")
    for job in jobs:
        if into_folder:
            job.target.parent.mkdir(parents=True, exist_ok=True)
    return jobs


def _recordings(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    found = sorted(p for p in given.rglob("*") if p.is_file() and is_audio_name(p) and not p.stem.endswith(SUFFIX))
    if not found:
        raise UsageError(f"{given}: no recordings in this folder (WAV, FLAC, Ogg, Opus, MP3, AIFF)")
    return found


def _enhance_file(enhancer: Enhancer, job: Job, progress: Progress, task: TaskID) -> float:
    """Enhance one file block by block; returns its length in seconds."""
    with open_audio(job.source) as source, write_audio(job.target, source) as target:
        progress.update(task, total=source.frames)
        done = 0
        for block in enhancer.enhance_blocks(read_blocks(source, job.source), source.samplerate):
            target.write(block)
            done += len(block)
            progress.update(task, completed=done)
        return done / float(source.samplerate)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
