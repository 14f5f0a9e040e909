"""A runtime by name: imported only when asked for, so that an app pays for the one it uses."""

from __future__ import annotations

from pathlib import Path

from pse_sdk.runtimes.base import Runtime
from pse_sdk.runtimes.bundled import checksum

from pse_sdk.device_table import fastest_first
from pse_sdk.errors import UsageError
from pse_sdk.table_reader import usable_table

RUNTIMES = ("auto", "onnx", "torch")
# What "auto" chooses from, the one that is expected to be fastest first.
PREFERENCE = ("onnx",)


def open_runtime(name: str, model: Path) -> Runtime:
    """Load ``model`` with the runtime called ``name``.

    ``"auto"`` is the one that the device table shows to be fastest, ONNX Runtime where there is none. ``"torch"`` runs
    a training checkpoint (``.safetensors``), for researchers.
    """
    if name == "auto":
        name = _fastest(model)
    if name == "onnx":
        from pse_sdk.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(model)
    if name == "torch":
        try:
            from pse_sdk.runtimes.torch import TorchRuntime
        except ImportError as error:
            raise UsageError(f"runtime 'torch' needs {error.name}: pip install 'pse-sdk[torch]'") from None

        return TorchRuntime.load(model)
    raise UsageError(f"unknown runtime {name!r}: choose one of {', '.join(RUNTIMES)}")


def _fastest(model: Path) -> str:
    table = usable_table()
    if table is None or not model.is_file():
        return PREFERENCE[0]
    return fastest_first(table, dict.fromkeys(PREFERENCE, checksum(model)))[0]
