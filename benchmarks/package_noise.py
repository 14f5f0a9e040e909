"""Make training noise of the sounds in Debian's games and sound packages: music, effects, engines, keyboards, chimes.

    python benchmarks/package_noise.py DATA/noise/packages
    pse index DATA/noise/packages --kind noise --group-level 1 --valid 0 --data DATA

Downloads about 8 GB with `apt-get download` (a Debian or Ubuntu system; no root) and keeps 10 hours of sound, in one
folder per package. Recordings in which silero-vad hears speech are left out: nobody can take a voice out of the noise
again. Needs the [train] extra, onnxruntime, and `pip install --no-deps silero-vad`. Every package is free by Debian's
guidelines, mostly GPL, CC BY-SA, CC BY or CC0: `/usr/share/doc/PACKAGE/copyright` in it says whose the sounds are.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import numpy.typing as npt
import onnxruntime
import soundfile
import soxr
import typer
from rich.progress import track

Samples = npt.NDArray[np.float32]

PACKAGES = Path(__file__).with_suffix(".txt")
SAMPLE_RATE = 16000
AUDIO = re.compile(r"\.(ogg|wav|flac|mp3|opus|oga|aiff?|au)$", re.IGNORECASE)
ARCHIVE = re.compile(r"\.(zip|pk3|wz)$", re.IGNORECASE)
# Names of files that speak: cheaper than listening to thousands of them.
SPOKEN = re.compile(
    r"voice|speech|speak|_desc|vocal|talk|taunt|announcer|spoken|(?<![a-z])sing|letter|alphabet|words?/|/lang|/locale|"
    r"human|player|crowd|cheer|laugh|scream|cry(?!st)|/(?!fx/|ui/|bg/)[a-z]{2}(_[A-Z]{2})?/",
    re.IGNORECASE,
)
# What is taken of one recording and of one package, so that no composer and no game becomes the noise.
MOST_OF_A_RECORDING_S, MOST_OF_A_PACKAGE_S, MOST_RECORDINGS = 100, 900, 400
LEAST_OF_A_PACKAGE_S = 5
LOWEST_RATE = 11000
# Shorter sounds follow one another in one file, with pauses: keys become typing, hits a drummer.
EVENT_S, SEQUENCE_S, PAUSE_S, LONGEST_PAUSE_S = 4, 15, 0.15, 0.5
SPEECH_SHARE, SPEECH_SHARE_SHORT, SHORT_S = 0.25, 0.15, 3
PEAK = 0.5


def main(
    output: Annotated[Path, typer.Argument(help="Folder to make; one folder per package in it.")],
    packages: Annotated[Path, typer.Option(help="Names of packages, separated by spaces or lines.")] = PACKAGES,
) -> None:
    """Download, unpack, listen, cut and write; packages that lie in OUTPUT already are left as they are."""
    listener = SpeechListener()
    seconds = 0.0
    for package in track(packages.read_text().split(), "packages"):
        if not (output / package).exists():
            seconds += _write(output / package, _chosen(_recordings(package), listener))
    typer.echo(f"{seconds / 3600:.1f} hours of noise added to {output}")


class SpeechListener:
    """The share of a recording in which silero-vad hears speech."""

    def __init__(self) -> None:
        package = find_spec("silero_vad")
        if package is None or package.origin is None:
            raise typer.BadParameter("silero-vad is missing: pip install --no-deps silero-vad")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(Path(package.origin).parent / "data" / "silero_vad.onnx", options)

    def share(self, samples: Samples) -> float:
        state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
        heard = []
        for start in range(0, len(samples) - 511, 512):
            chunk = samples[None, start : start + 512]
            inputs = {"input": np.concatenate([context, chunk], 1), "state": state, "sr": np.array(SAMPLE_RATE)}
            probability, state = self.session.run(None, inputs)
            context = chunk[:, -64:]
            heard.append(float(probability[0, 0]) > 0.5)
        return float(np.mean(heard)) if heard else 0.0


def _recordings(package: str) -> list[bytes]:
    """The audio files of a package, those in archives too, in an order that its name decides."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["apt-get", "download", "-q", package], cwd=folder, capture_output=True, check=False)
        debs = list(Path(folder).glob("*.deb"))
        if done.returncode or not debs:
            typer.echo(f"{package}: not downloaded: {done.stderr.decode(errors='replace').strip()}", err=True)
            return []
        found = sorted(_unpack(debs[0], package), key=lambda named: named[0])
    order = np.random.default_rng(list(package.encode())).permutation(len(found))
    return [found[i][1] for i in order[:MOST_RECORDINGS]]


def _unpack(deb: Path, package: str) -> Iterator[tuple[str, bytes]]:
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as files,
    ):
        for member in files:
            file = files.extractfile(member) if member.isfile() else None
            name = member.name.rpartition("share/")[2].replace(package, "")
            if file and _is_wanted(name):
                yield name, file.read()
            elif file and ARCHIVE.search(name):
                yield from _unzip(file.read())


def _unzip(archive: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            yield from ((name, files.read(name)) for name in files.namelist() if _is_wanted(name))
    except zipfile.BadZipFile:
        return


def _is_wanted(name: str) -> bool:
    return bool(AUDIO.search(name)) and not SPOKEN.search(name)


def _chosen(recordings: list[bytes], listener: SpeechListener) -> list[Samples]:
    """Those without speech, at 16 kHz and one peak level, until the package has given enough."""
    chosen: list[Samples] = []
    for recording in recordings:
        samples = _read(recording)
        if samples is None:
            continue
        most = SPEECH_SHARE_SHORT if len(samples) < SHORT_S * SAMPLE_RATE else SPEECH_SHARE
        if listener.share(samples) <= most:
            chosen.append(samples)
        if sum(map(len, chosen)) > MOST_OF_A_PACKAGE_S * SAMPLE_RATE:
            break
    return chosen


def _read(recording: bytes) -> Samples | None:
    """The middle of it in mono, silence cut off its ends; None if it is of no use."""
    try:
        with soundfile.SoundFile(io.BytesIO(recording)) as file:
            rate, wanted = file.samplerate, MOST_OF_A_RECORDING_S * file.samplerate
            file.seek(max(0, (len(file) - wanted) // 2))
            samples = file.read(wanted, dtype="float32", always_2d=True).mean(1)
    except (soundfile.LibsndfileError, RuntimeError):
        return None
    loud = np.flatnonzero(np.abs(samples) > 1e-3 * np.abs(samples).max(initial=0))
    if rate < LOWEST_RATE or len(loud) == 0 or np.abs(samples).max() < 1e-3:
        return None
    samples = soxr.resample(samples[loud[0] : loud[-1] + 1], rate, SAMPLE_RATE)
    if len(samples) < SAMPLE_RATE // 20:
        return None
    out: Samples = samples * (PEAK / np.abs(samples).max())
    return out


def _write(folder: Path, chosen: list[Samples]) -> float:
    """Long recordings one by one, short ones in sequences. Returns the seconds written."""
    if sum(map(len, chosen)) < LEAST_OF_A_PACKAGE_S * SAMPLE_RATE:
        return 0.0
    rng = np.random.default_rng(0)
    written = [samples for samples in chosen if len(samples) >= EVENT_S * SAMPLE_RATE]
    sequence: list[Samples] = []
    for samples in (samples for samples in chosen if len(samples) < EVENT_S * SAMPLE_RATE):
        pause = min(LONGEST_PAUSE_S, rng.exponential(PAUSE_S))
        sequence += [samples, np.zeros(int(pause * SAMPLE_RATE), np.float32)]
        if sum(map(len, sequence)) > SEQUENCE_S * SAMPLE_RATE:
            written.append(np.concatenate(sequence))
            sequence = []
    if sequence:
        written.append(np.concatenate(sequence))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:  # a package that is there is whole
        made = Path(unfinished) / folder.name
        made.mkdir()
        for i, samples in enumerate(written):
            soundfile.write(made / f"{i:04d}.flac", samples, SAMPLE_RATE)
        made.rename(folder)
    return sum(map(len, written)) / SAMPLE_RATE


if __name__ == "__main__":
    command.run(main)
