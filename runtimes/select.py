"""A runtime by name: imported only when asked for, so that an app pays for the one it uses."""

from __future__ import annotations

from pathlib import Path

from pse_sdk.runtimes.base import Runtime

from pse_sdk.errors import UsageError

RUNTIMES = ("auto", "onnx", "torch")


def open_runtime(name: str, model: Path) -> Runtime:
    """Load ``model`` with the runtime called ``name``.

    ``"auto"`` is ONNX Runtime. ``"torch"`` runs a training checkpoint (``.safetensors``), for researchers.
    """
    if name in ("auto", "onnx"):
        from pse_sdk.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(model)
    if name == "torch":
        try:
            from pse_sdk.runtimes.torch import TorchRuntime
        except ImportError as error:
            raise UsageError(f"runtime 'torch' needs {error.name}: pip install 'pse-sdk[torch]'") from None

        return TorchRuntime.load(model)
    raise UsageError(f"unknown runtime {name!r}: choose one of {', '.join(RUNTIMES)}")
