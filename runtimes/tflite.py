"""LiteRT, once called TensorFlow Lite: a signature per depth, run by one interpreter in one thread.

Runs with ``ai-edge-litert`` and, if that is not there, with its predecessor ``tflite-runtime``.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from pse_sdk.runtimes.base import Float32, check_depths, check_speaker
from pse_sdk.runtimes.description import ModelDescription, read_description
from pse_sdk.runtimes.flatbuffer import read_metadata
from pse_sdk.runtimes.model_file import existing, not_as_described, not_loaded
from pse_sdk.runtimes.native_log import hold_back

from pse_sdk.errors import ModelError, how_to_install

try:
    from ai_edge_litert.interpreter import Interpreter

    PACKAGE = "ai-edge-litert"
except ModuleNotFoundError as missing:
    if missing.name not in ("ai_edge_litert", "ai_edge_litert.interpreter"):
        raise  # it is there, and lacks something itself
    from tflite_runtime.interpreter import Interpreter

    PACKAGE = "tflite-runtime"

NOTICE = "Created TensorFlow Lite XNNPACK delegate for CPU"


class TfliteRuntime:
    """A ``.tflite`` file loaded by LiteRT. Raises `ModelError` for a file that is missing or not a pse-sdk model."""

    name = "tflite"

    def __init__(self, path: Path | str) -> None:
        self.path: Path | None = (path := existing(path))
        try:
            metadata = read_metadata(path)
        except (OSError, ValueError) as error:
            raise not_loaded(path, "LiteRT", error) from None
        self.description: ModelDescription = read_description(metadata, str(path))
        if PACKAGE == "tflite-runtime" and self.description.precision == "int8":
            raise ModelError(f"{path}: tflite-runtime computes int8 models wrongly; "
                             f"{how_to_install('tflite')} or export with --precision fp16")  # fmt: skip
        # The interpreter keeps its inputs and outputs to itself: one call at a time, whichever stream it is for.
        self._lock = threading.Lock()
        with hold_back(NOTICE):
            self._load(path)

    def open_stream(self) -> TfliteStream:
        return TfliteStream(self)

    def run(self, signature: str, **inputs: Float32) -> dict[str, Float32]:
        """One call of a signature; the arrays that it returns belong to the caller."""
        with self._lock:
            outputs: dict[str, Float32] = self._runners[signature](**inputs)
        return outputs

    def _load(self, path: Path) -> None:
        try:
            self._prepare(path)
        except ModelError:
            raise
        except Exception as error:  # LiteRT's own, of whatever kind: a file can be damaged anywhere
            raise not_loaded(path, "LiteRT", error) from error

    def _prepare(self, path: Path) -> None:
        # More threads make one frame no faster and, on a busy machine, wait for each other.
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        signatures = interpreter.get_signature_list()
        d = self.description
        if set(signatures) != {f"{kind}_{n}" for kind in ("depth", "head") for n in range(1, d.blocks + 1)}:
            raise not_as_described(path, "signatures")
        self._runners: dict[str, Any] = {name: interpreter.get_signature_runner(name) for name in signatures}
        for name, runner in self._runners.items():
            shapes = {key: tuple(map(int, found["shape"])) for key, found in runner.get_input_details().items()}
            if not _fits(shapes, d, name):
                raise not_as_described(path, "inputs")
            # The first call of a signature arranges its memory: not within somebody's first frame.
            self.run(name, **{key: np.zeros(shape, np.float32) for key, shape in shapes.items()})


def _fits(shapes: dict[str, tuple[int, ...]], d: ModelDescription, signature: str) -> bool:
    if signature.startswith("head"):
        return set(shapes) == {"features", "head_input"} and shapes["head_input"] == (1, d.channels)
    return shapes == {
        "windows": (1, d.window),
        "speaker": (d.channels,),
        "hidden": (d.blocks, d.hidden_size),
        "cell": (d.blocks, d.cell_size),
    }


class TfliteStream:
    """States of one signal."""

    def __init__(self, runtime: TfliteRuntime) -> None:
        d = runtime.description
        self._runtime = runtime
        self._anyone = np.asarray(d.anyone or [0.0] * d.channels, np.float32)
        self._speaker = self._anyone
        self._hidden = np.zeros((d.blocks, d.hidden_size), np.float32)
        self._cell = np.zeros((d.blocks, d.cell_size), np.float32)

    def step(self, windows: Float32, depth: int, head: int) -> Float32:
        check_depths(self._runtime.description.blocks, depth, head)
        # The file takes one frame per call; with int8 each frame then has scales of its own.
        frames = [self._frame(windows[i : i + 1], depth, head) for i in range(len(windows))]
        return frames[0] if len(frames) == 1 else np.concatenate(frames)

    def set_speaker(self, projection: Float32 | None) -> None:
        check_speaker(len(self._anyone), projection)
        self._speaker = self._anyone if projection is None else np.array(projection, np.float32)

    def states(self) -> tuple[Float32, Float32]:
        return self._hidden.copy(), self._cell.copy()

    def set_states(self, hidden: Float32, cell: Float32) -> None:
        self._hidden[...] = hidden
        self._cell[...] = cell

    def forget(self, depth: int) -> None:
        self._hidden[depth:] = 0
        self._cell[depth:] = 0

    def reset(self) -> None:
        self.forget(0)

    def _frame(self, window: Float32, depth: int, head: int) -> Float32:
        outputs = self._runtime.run(
            f"depth_{depth}", windows=window, speaker=self._speaker, hidden=self._hidden, cell=self._cell
        )
        self._hidden, self._cell = outputs["hidden_out"], outputs["cell_out"]
        if head < depth:  # blocks that woke up run unheard
            heard = outputs["head_inputs"][head - 1 : head]
            outputs = self._runtime.run(f"head_{head}", features=outputs["features"], head_input=heard)
        return outputs["enhanced"]
