"""Which recording goes where: planned before any is touched, so that a mistake costs nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pse_sdk.audio import ENHANCED, KINDS, is_audio_name, is_enhanced
from pse_sdk.errors import UsageError
from pse_sdk.files import visible_files

# Recordings that libsndfile cannot read.
UNREADABLE = {".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".mov", ".mkv", ".webm"}


@dataclass(frozen=True)
class Job:
    """One recording to read and the file to write."""

    source: Path
    target: Path


def named_path(text: str) -> Path:
    """An input as it was typed. Of an empty name, an unset variable's, a path would make this folder."""
    if not text:
        raise UsageError("one of the inputs has an empty name")
    return Path(text)


def plan(inputs: Sequence[Path], output: str | None) -> list[Job]:
    """A job per recording. ``output`` is a file for a single one, a folder for several or if it ends in a slash.

    Raises `UsageError` where something would be overwritten that is an input, or written twice.
    """
    if "-" in (output, *map(str, inputs)):
        raise UsageError("- : standard input and output are not supported; give the names of files")
    if output == "":
        raise UsageError("-o: the name is empty; give that of a file or folder")
    folder = _folder(inputs, output)
    if len(inputs) == 2 and folder is None and is_audio_name(inputs[-1]) and not os.path.lexists(inputs[-1]):
        raise UsageError(f"{inputs[-1]}: no such file; for one to write, `-o {inputs[-1]}`")
    jobs = [
        Job(source, _target(source, given, folder, output)) for given in inputs for source in _recordings(given, folder)
    ]
    sources = {file_identity(job.source) for job in jobs}
    targets = Counter(file_identity(job.target) for job in jobs)
    for job in jobs:
        if file_identity(job.target) in sources:
            raise UsageError(f"{job.target} is an input too: choose another output, so that no recording is lost")
        if targets[file_identity(job.target)] > 1:
            raise UsageError(f"two recordings would be written to {job.target}: give each folder an output of its own, "
                             "and name no recording twice")  # fmt: skip
    if folder is not None:
        for parent in {job.target.parent for job in jobs}:
            try:
                parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"{parent}: the folder cannot be made ({error.strerror}); choose another output"
                                 ) from error  # fmt: skip
    return jobs


def file_identity(path: Path) -> object:
    """What tells files apart where names do not: A.wav and a.wav are one file on some systems, and so are links."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _folder(inputs: Sequence[Path], output: str | None) -> Path | None:
    """The folder to write to, if ``output`` is one."""
    if output is None:
        return None
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return path
    if len(inputs) == 1 and not inputs[0].is_dir():
        if not path.suffix and not path.exists():
            raise UsageError(f"{output}: a file's name needs an ending, `-o {output}{inputs[0].suffix}`; a folder's a "
                             f"slash, `-o {output}/`")  # fmt: skip
        return None
    if path.exists():
        raise UsageError(f"{output} is a file: several recordings need a folder to go to")
    if is_audio_name(path):
        raise UsageError(
            f"{output} is the name of a file: several recordings need a folder to go to, `-o {path.stem}/`"
        )
    return path


def _target(source: Path, given: Path, folder: Path | None, output: str | None) -> Path:
    if folder is not None:
        return folder / (source.relative_to(given) if given.is_dir() else source.name)
    return source.with_name(f"{source.stem}{ENHANCED}{source.suffix}") if output is None else Path(output)


def skipped(inputs: Sequence[Path]) -> list[str]:
    """A line for each folder that holds recordings of kinds that cannot be read: nobody named them one by one."""
    lines = []
    for given in filter(Path.is_dir, inputs):
        kinds = Counter(path.suffix.lower() for path in visible_files(given) if path.suffix.lower() in UNREADABLE)
        if kinds:
            lines.append(
                f"{given}: left out {sum(kinds.values())} file(s) of a kind that cannot be read "
                f"({', '.join(sorted(kinds))}); convert them first: `ffmpeg -i IN{min(kinds)} OUT.wav`"
            )
    return lines


def _recordings(given: Path, output: Path | None) -> list[Path]:
    """A file itself, or the recordings in a folder; not hidden ones, nor what an earlier run wrote."""
    if not given.is_dir():
        return [given]
    # In a folder below the given one, all is an earlier run's; in the given one itself, recordings would be replaced.
    ours = output.resolve() if output is not None and output.resolve() != given.resolve() else None
    found = [
        path
        for path in visible_files(given)
        if is_audio_name(path) and not is_enhanced(path) and not (ours and path.resolve().is_relative_to(ours))
    ]
    if not found:
        raise UsageError(
            f"{given}: no recordings in this folder ({KINDS}; others, such as .m4a, have to be converted first: "
            "ffmpeg -i IN.m4a OUT.wav)"
        )
    return found
