"""What is said of a model file that cannot be run, whichever runtime was to run it."""

from __future__ import annotations

from pathlib import Path

from pse_sdk.errors import ModelError, first_line


def existing(path: Path | str) -> Path:
    """``path`` as a `Path`; raises `ModelError` where there is no such file."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"no model file at {path}; `pse info` lists the models that came with pse-sdk")
    return path


def not_loaded(path: Path, library: str, error: Exception) -> ModelError:
    """``library`` refused the file: the first line of its ``error``, as the rest is of its own code."""
    return ModelError(f"{path}: {library} cannot load it ({first_line(error)}); if it is damaged or incomplete, copy, "
                      "download or export it again")  # fmt: skip


def not_as_described(path: Path, what: str) -> ModelError:
    """``what`` (inputs, signatures) the file has is not what its description promises."""
    return ModelError(f"{path}: its {what} are not what its description says; export the model again")
