"""Which package a runtime is of, and which version of it is here."""

from __future__ import annotations

import importlib.util
from importlib import metadata

# The first one that is installed is used. LiteRT was called TensorFlow Lite.
PACKAGES = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime"), "torch": ("torch",)}


def installed(runtime: str) -> tuple[str, str] | None:
    """Package and version of a runtime; None if it is not installed. Nothing is imported."""
    for package in PACKAGES[runtime]:
        if importlib.util.find_spec(package.replace("-", "_")) is not None:
            try:
                return package, metadata.version(package)
            except metadata.PackageNotFoundError:  # the module of another distribution, such as onnxruntime-gpu
                return package, "unknown"
    return None
