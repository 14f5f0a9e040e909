"""ONNX Runtime: one session, one thread, no spinning; buffers bound once, states swapped between two sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from pse_sdk.runtimes.base import Float32, check_depths, check_speaker
from pse_sdk.runtimes.description import ModelDescription, read_description
from pse_sdk.runtimes.model_file import existing, not_as_described, not_loaded

from pse_sdk.errors import ModelError, first_line

try:
    import onnxruntime as ort
except ImportError as error:
    raise ModelError(f"ONNX Runtime does not load ({first_line(error)}): install it again, pip install "
                     "--force-reinstall onnxruntime; on Windows it needs Microsoft's Visual C++ Redistributable"
                     ) from error  # fmt: skip

# Windows, where pse_sdk's environment variable does not reach everything.
ort.disable_telemetry_events()

INPUTS = {"windows", "depth", "head", "speaker", "hidden", "cell"}
OUTPUTS = {"enhanced", "hidden_out", "cell_out"}


class OnnxRuntime:
    """A model file loaded by ONNX Runtime. Raises `ModelError` for a file that is missing or not a pse-sdk model."""

    name = "onnx"

    def __init__(self, path: Path | str) -> None:
        self.path: Path | None = (path := existing(path))
        try:
            self.session = open_session(path)
            # Bytes that are no text end here as well.
            metadata = self.session.get_modelmeta().custom_metadata_map
            inputs = {i.name: i.shape for i in self.session.get_inputs()}
            outputs = {o.name for o in self.session.get_outputs()}
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise not_loaded(path, "ONNX Runtime", error) from error
        self.description: ModelDescription = read_description(metadata, str(path))
        if not _fits(self.description, inputs, outputs):
            raise not_as_described(path, "inputs or outputs")

    def open_stream(self) -> OnnxStream:
        return OnnxStream(self.session, self.description)


def _fits(d: ModelDescription, inputs: Mapping[str, Sequence[object]], outputs: Set[str]) -> bool:
    shapes = {"speaker": [d.channels], "hidden": [d.blocks, d.hidden_size], "cell": [d.blocks, d.cell_size]}
    named = set(inputs) == INPUTS and outputs == OUTPUTS and inputs["windows"][1:] == [d.window]
    return named and all(inputs[name] == shape for name, shape in shapes.items())


def open_session(path: Path) -> ort.InferenceSession:
    """Raises what ONNX Runtime raises, and lets it print nothing: callers say in one line what is wrong."""
    options, providers = _session_options(), ["CPUExecutionProvider"]
    return ort.InferenceSession(path, options, providers=providers, enable_fallback=0)


def _session_options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    # More threads make one frame no faster and, on a busy machine, wait for each other.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Not session.set_denormal_as_zero: it acts on the first session of a process only, and changes the arithmetic
    # of the app's whole thread. The pipeline keeps denormals out of the input instead.
    options.log_severity_level = 4  # what it has to say comes as an exception too
    return options


class _States:
    """hidden and cell, with the OrtValues that share their memory."""

    def __init__(self, d: ModelDescription) -> None:
        # An OrtValue does not keep the array alive that it was made from; these attributes do.
        self.hidden = np.zeros((d.blocks, d.hidden_size), np.float32)
        self.cell = np.zeros((d.blocks, d.cell_size), np.float32)
        self.values = [ort.OrtValue.ortvalue_from_numpy(a) for a in (self.hidden, self.cell)]


class OnnxStream:
    """States and bound buffers of one signal. Single frames take the bound path, several at once the plain one."""

    def __init__(self, session: ort.InferenceSession, description: ModelDescription) -> None:
        self._session = session
        self._blocks = description.blocks
        self._windows = np.zeros((1, description.window), np.float32)
        self._enhanced = np.zeros((1, description.window), np.float32)
        self._depth = np.zeros((), np.int64)
        self._head = np.zeros((), np.int64)
        self._anyone = np.asarray(description.anyone or [0.0] * description.channels, np.float32)
        self._speaker = self._anyone.copy()
        self._now, self._next = _States(description), _States(description)
        self._binding, self._next_binding = self._bind(self._now, self._next), self._bind(self._next, self._now)
        self._run_options = ort.RunOptions()

    def step(self, windows: Float32, depth: int, head: int) -> Float32:
        check_depths(self._blocks, depth, head)
        self._depth[...] = depth
        self._head[...] = head
        if len(windows) != 1:
            return self._step_many(windows)
        self._windows[...] = windows
        self._session.run_with_iobinding(self._binding, self._run_options)
        self._now, self._next = self._next, self._now
        self._binding, self._next_binding = self._next_binding, self._binding
        return self._enhanced

    def set_speaker(self, projection: Float32 | None) -> None:
        check_speaker(len(self._anyone), projection)
        self._speaker[...] = self._anyone if projection is None else projection

    def states(self) -> tuple[Float32, Float32]:
        return self._now.hidden.copy(), self._now.cell.copy()

    def set_states(self, hidden: Float32, cell: Float32) -> None:
        self._now.hidden[...] = hidden
        self._now.cell[...] = cell

    def forget(self, depth: int) -> None:
        self._now.hidden[depth:] = 0
        self._now.cell[depth:] = 0

    def reset(self) -> None:
        self.forget(0)

    def _step_many(self, windows: Float32) -> Float32:
        inputs = {
            "windows": np.ascontiguousarray(windows, np.float32),
            "depth": self._depth,
            "head": self._head,
            "speaker": self._speaker,
            "hidden": self._now.hidden,
            "cell": self._now.cell,
        }
        enhanced, hidden, cell = self._session.run(["enhanced", "hidden_out", "cell_out"], inputs)
        self.set_states(hidden, cell)
        out: Float32 = enhanced
        return out

    def _bind(self, now: _States, following: _States) -> ort.IOBinding:
        value = ort.OrtValue.ortvalue_from_numpy
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("windows", value(self._windows))
        binding.bind_ortvalue_input("depth", value(self._depth))
        binding.bind_ortvalue_input("head", value(self._head))
        binding.bind_ortvalue_input("speaker", value(self._speaker))
        binding.bind_ortvalue_input("hidden", now.values[0])
        binding.bind_ortvalue_input("cell", now.values[1])
        binding.bind_ortvalue_output("enhanced", value(self._enhanced))
        binding.bind_ortvalue_output("hidden_out", following.values[0])
        binding.bind_ortvalue_output("cell_out", following.values[1])
        return binding
