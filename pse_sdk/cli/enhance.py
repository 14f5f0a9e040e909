"""``pse enhance``: files or folders in, clean files out."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pse_sdk.audio import ENHANCED, open_audio, read_blocks, write_audio
from pse_sdk.cli.jobs import Job, file_identity, named_path, plan, skipped
from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import PseError, UsageError
from pse_sdk.pcm import LOUDEST, as_stored

# What recordings of speech lose is less by far: of 131 noisy ones none lost more than 15 dB.
NOTHING_LEFT_DB = 30.0


def enhance(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", parser=named_path, help="Recordings, or folders of them.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", help=f"File or folder to write; NAME{ENHANCED}.EXT beside each input if not given."
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="battery, balanced, quality, auto, fixed-N, or a .toml file.")
    ] = "balanced",
    depth: Annotated[int | None, typer.Option(help="Run exactly this many blocks (0: bypass).")] = None,
    strength_db: Annotated[
        float | None, typer.Option(help="Attenuate nothing by more than this many dB (0: no limit).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx or .tflite file.")] = None,
    runtime: Annotated[str, typer.Option(help="auto (the fastest that works here), onnx, tflite or torch.")] = "auto",
    voice: Annotated[
        Path | None, typer.Option(help="Voice profile from `pse enroll`: other talkers are weakened too.")
    ] = None,
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start/--cold-start",
            help="Hear the first 5 s once before they are enhanced: the beginning comes out cleaner. Cold: what a live "
            "stream would give.",
        ),
    ] = True,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave recordings out whose output is there already.")
    ] = False,
) -> None:
    """Remove noise from recordings. Rate, channels, tags and format are kept; a file appears only when it is complete.

    A file that is there already is replaced.
    """
    enhancer = Enhancer(profile, model=model, runtime=runtime, strength_db=strength_db, voice=voice)
    enhancer.set_depth(depth)
    jobs = plan(inputs, output)  # last: it makes the folders to write to
    deepest = min(enhancer.profile.max_depth or enhancer.max_depth, enhancer.max_depth)
    shown = deepest if depth is None else depth
    console = Console(stderr=True, soft_wrap=True)
    failed: list[Path] = []
    written: set[object] = set()
    for line in skipped(inputs):
        console.print(line, markup=False, highlight=False)
    if skip_existing:
        planned, jobs = len(jobs), [job for job in jobs if not job.target.exists()]
        console.print(f"left out {planned - len(jobs)} of {planned}: their outputs are there already",
                      markup=False, highlight=False)  # fmt: skip
    with _progress(console) as progress, _telling_how_to_go_on(console, jobs, written):
        for job in jobs:
            task = progress.add_task(job.source.name, total=None)
            try:
                # Only now can a name that differs by case be known to be the same file.
                if file_identity(job.target) in written:
                    raise UsageError(f"{job.target}: was just written, by another name; enhance {job.source} alone")
                started = time.perf_counter()
                replaced = enhancer.stats().replaced_samples
                seconds, lost_db = _enhance_file(enhancer, job, warm_start, progress, task)
                replaced = enhancer.stats().replaced_samples - replaced
                took = time.perf_counter() - started
                written.add(file_identity(job.target))
                progress.console.print(
                    f"{job.source} -> {job.target}  {_speed(seconds, took)}, depth {shown} of {enhancer.max_depth}, "
                    f"{enhancer.runtime}",
                    markup=False, highlight=False,
                )  # fmt: skip
                if replaced:
                    progress.console.print(f"pse: {job.source}: {replaced} samples were NaN, infinite or absurd and "
                                           "are silence now", markup=False, highlight=False)  # fmt: skip
                if lost_db > NOTHING_LEFT_DB:
                    progress.console.print(
                        f"pse: {job.source}: next to nothing is left, {lost_db:.0f} dB less than there was: no speech "
                        "was heard in it" + (", or not the enrolled voice" if voice else "") + ". Should there be "
                        "some, is it at its true speed, and its sample rate the right one?",
                        markup=False, highlight=False,
                    )  # fmt: skip
            except (PseError, OSError, UnicodeError) as error:
                failed.append(job.source)
                where = "" if job.source.name in str(error) else f"{job.source}: "
                progress.console.print(f"pse: {where}{error}", markup=False, highlight=False, style="red")
            progress.remove_task(task)
    if failed:
        if len(jobs) > 1:
            names = ", ".join(map(str, failed))
            console.print(f"pse: {len(failed)} of {len(jobs)} failed: {names}", markup=False, highlight=False)
        raise typer.Exit(1)


@contextmanager
def _telling_how_to_go_on(console: Console, jobs: Sequence[Job], written: Collection[object]) -> Iterator[None]:
    """What was done before an interruption need not be done again."""
    try:
        yield
    except KeyboardInterrupt:
        if written:
            console.print(f"pse: {len(written)} of {len(jobs)} are done; the same command with --skip-existing does "
                          "the others", markup=False, highlight=False)  # fmt: skip
        raise


def _enhance_file(
    enhancer: Enhancer, job: Job, warm_start: bool, progress: Progress, task: TaskID
) -> tuple[float, float]:
    """Enhance one file block by block; returns its length in seconds, and by how many dB it became quieter."""
    before, after = Energy(), Energy()
    with open_audio(job.source) as source, write_audio(job.target, source) as target:
        progress.update(task, total=source.frames)
        done = 0
        noisy = before.of(read_blocks(source, job.source))
        for block in after.of(enhancer.enhance_blocks(noisy, source.samplerate, warm_start=warm_start)):
            target.write(as_stored(block, target.subtype))
            done += len(block)
            progress.update(task, completed=done)
        return done / float(source.samplerate), before.above_db(after)


class Energy:
    """Adds up that of blocks that pass, but for samples that are no audio."""

    def __init__(self) -> None:
        self.sum = 0.0

    def of(self, blocks: Iterable[npt.NDArray[np.float32]]) -> Iterator[npt.NDArray[np.float32]]:
        for block in blocks:
            usual = block[np.abs(block) <= LOUDEST]
            self.sum += float(np.dot(usual, usual))
            yield block

    def above_db(self, other: Energy) -> float:
        return 10 * math.log10((self.sum + 1e-9) / (other.sum + 1e-9))


def _speed(seconds: float, took: float) -> str:
    if seconds < 1:  # what starting takes would be taken for the speed
        return f"{1000 * seconds:.3g} ms"
    factor = seconds / took
    rounded = f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"
    return f"{seconds:.1f} s in {took:.1f} s ({rounded}x real time)"


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
