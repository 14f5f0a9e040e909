"""A runtime by name, or the fastest that works here; imported only when used, so that an app pays for one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.base import Runtime
from pse_sdk.runtimes.bundled import check_card, checksum, same_weights

from pse_sdk.device_table import fastest_first
from pse_sdk.errors import ModelError, PseWarning, UsageError, first_line, how_to_install, not_importable
from pse_sdk.table_reader import usable_table

SUFFIXES = {"onnx": ".onnx", "tflite": ".tflite", "torch": ".safetensors"}

# What "auto" tries first, as measured by benchmarks/runtimes.py: LiteRT's int8 takes less than half of ONNX Runtime's
# time at every depth.
PREFERENCE = ("tflite", "onnx")


def open_runtime(name: str, model: Path, preference: Sequence[str] = PREFERENCE) -> Runtime:
    """Load ``model`` with the runtime called ``name``.

    Parameters
    ----------
    name
        ``"onnx"``, ``"tflite"`` or (for researchers: a training checkpoint) ``"torch"``; ``"auto"`` takes the first of
        ``preference`` that has its package, a file of this model, and passes the self-test.
    preference
        Runtimes for ``"auto"``, the one expected to be fastest first; those that the device table has measured change
        places accordingly.
    model
        The model's file. A runtime that reads another kind takes the file of the same name beside it:
        ``small.tflite`` for ``small.onnx``. ``"auto"`` does so only if the cards of both state the same weights and
        precision.

    Raises
    ------
    UsageError
        For an unknown runtime, or one whose package is not installed.
    ModelError
        For a file that is missing, damaged or not a model, or that the runtime does not compute as the file's
        self-test says; with ``"auto"``, where none does.
    """
    if name == "auto":
        return _first_that_works(model, preference)
    if name not in SUFFIXES:
        raise UsageError(f"unknown runtime {name!r}: choose one of {', '.join(('auto', *SUFFIXES))}")
    path = model.with_suffix(SUFFIXES[name])
    if path != model and not path.is_file():
        raise ModelError(f"runtime {name!r} needs {path.name} beside {model}; `pse export` makes one")
    return _checked(path)


def open_file(path: Path) -> Runtime:
    """Load a file with the runtime for its kind, by the suffix of its name."""
    if path.suffix == ".tflite":
        try:
            from pse_sdk.runtimes.tflite import TfliteRuntime
        except ModuleNotFoundError as error:
            if error.name not in ("tflite_runtime", "tflite_runtime.interpreter"):
                raise _broken(error) from error
            raise UsageError(f"runtime 'tflite' needs ai-edge-litert: {how_to_install('tflite')}") from None
        except ImportError as error:
            raise _broken(error) from error

        return TfliteRuntime(path)
    if path.suffix == ".safetensors":
        try:
            from pse_sdk.runtimes.torch import TorchRuntime
        except ImportError as error:
            raise not_importable("runtime 'torch'", error, "torch") from None

        return TorchRuntime.load(path)
    from pse_sdk.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(path)


def _broken(error: ImportError) -> ModelError:
    return ModelError(f"LiteRT is installed but does not load ({first_line(error)}): install it again, "
                      f"{how_to_install('tflite')}")  # fmt: skip


def _first_that_works(model: Path, preference: Sequence[str]) -> Runtime:
    problems: dict[Path, UsageError | ModelError] = {}
    for path in _files(model, preference):
        try:
            if path != model and not same_weights(path, model):
                continue
            runtime = _checked(path)
        except (UsageError, ModelError) as error:
            problems[path] = error
            continue
        for problem in problems.values():
            # A runtime that is not installed is nothing to warn of.
            if isinstance(problem, ModelError):
                warnings.warn(f"{problem}; runtime {runtime.name!r} is used instead", PseWarning, stacklevel=4)
        return runtime
    raise problems[model]


def _files(model: Path, preference: Sequence[str]) -> list[Path]:
    """The files of a model that are there, the fastest runtime's first; the one that was named always among them."""
    present = {name: path for name in preference if (path := model.with_suffix(SUFFIXES[name])).is_file()}
    table = usable_table()
    order = fastest_first(table, {name: _sum(path) for name, path in present.items()}) if table else present
    files = [present[name] for name in order]
    return files if model in files else [*files, model]


def _sum(path: Path) -> str:
    """The sum by which the device table knows a file; that it cannot be read is told where it is opened."""
    try:
        return checksum(path)
    except ModelError:
        return ""


def _checked(path: Path) -> Runtime:
    check_card(path)
    runtime = open_file(path)
    try:
        problem = self_test.failure(runtime)
    except Exception as error:  # a runtime's exceptions are its own
        problem = first_line(error)
    if problem:
        raise ModelError(f"{path}: runtime {runtime.name!r} does not compute it correctly on this machine ({problem})")
    return runtime
