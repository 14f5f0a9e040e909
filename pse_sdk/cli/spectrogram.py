"""``pse spectrogram``: a picture of a recording before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console

from pse_sdk.audio import open_audio, read_blocks
from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import AudioError
from pse_sdk.files import write_atomically
from pse_sdk.pcm import check_rate, must_be_scaled, sanitise
from pse_sdk.pictures import check_picture, plain

MAX_SECONDS = 60
FLOOR_DB = -90


def spectrogram(
    source: Annotated[
        Path, typer.Argument(metavar="IN", readable=False, help="A recording; its first minute is shown.")
    ],
    output: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="The picture; IN with .png if not given.")
    ] = None,
    profile: Annotated[str, typer.Option(help="As for `pse enhance`.")] = "balanced",
    every_depth: Annotated[bool, typer.Option(help="Show the output of every depth.")] = False,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx or .tflite file.")] = None,
) -> None:
    """Draw spectrograms of a recording before and after enhancement."""
    if source.is_dir():
        raise AudioError(f"{source}: is a folder, not a recording")
    target = output or source.with_name(f"{source.stem}.png")
    check_picture(target)
    samples, rate = _first_minute(source)
    enhancer = Enhancer(profile, model=model)
    shown = {"before": samples}
    depths = list(range(1, enhancer.max_depth + 1)) if every_depth else [None]
    for depth in depths:
        enhancer.set_depth(depth)
        name = "after" if depth is None else f"after, depth {depth} of {enhancer.max_depth}"
        shown[name] = enhancer.enhance(samples, rate, warm_start=True)
    with write_atomically(target) as temporary:
        draw(shown, rate, temporary, title=source.name)
    Console(stderr=True, soft_wrap=True).print(f"wrote {target}", highlight=False, markup=False)


def draw(signals: dict[str, npt.NDArray[Any]], rate: int, path: Path, title: str) -> None:
    """One spectrogram under the other, all on one scale of dB below the first signal's maximum."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.2 * len(signals) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    reference = 1e-9
    for axis, (name, samples) in zip(axes, signals.items(), strict=True):
        power = _spectrogram(samples, rate)
        reference = max(reference, float(power.max())) if name == "before" else reference
        decibels = 10 * np.log10(power / reference + 1e-12)
        extent = (0.0, len(samples) / rate, 0.0, rate / 2000)
        image = axis.imshow(
            decibels.T, origin="lower", aspect="auto", extent=extent, vmin=FLOOR_DB, vmax=0, cmap="magma"
        )
        axis.set_ylabel("kHz")
        axis.set_title(name, loc="left", fontsize=10)
    axes[-1].set_xlabel("s")
    figure.colorbar(image, ax=list(axes), label="dB")
    figure.suptitle(plain(title))
    figure.savefig(path, dpi=110, format=path.suffix.lstrip("."))


def _spectrogram(samples: npt.NDArray[Any], rate: int) -> npt.NDArray[np.float64]:
    """Power in Hann windows of 32 ms, every 8 ms: [frames, bins]."""
    window, hop = int(0.032 * rate), int(0.008 * rate)
    padded = np.pad(samples, (0, max(0, window - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power: npt.NDArray[np.float64] = np.abs(np.fft.rfft(frames * np.hanning(window))) ** 2
    return power


def _first_minute(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    with open_audio(path) as file:
        rate = check_rate(file.samplerate, str(path))
        blocks, missing = [], MAX_SECONDS * rate
        for block in read_blocks(file, path):
            must_be_scaled(block, str(path))
            channels = [sanitise(channel)[0] for channel in block[:missing].T]
            blocks.append(np.mean(channels, axis=0))
            missing -= len(block)
            if missing <= 0:
                break
    return np.concatenate(blocks), rate
