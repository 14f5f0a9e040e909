"""Whether a picture can be drawn and written: asked before the work that it is to show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pse_sdk.errors import UsageError, how_to_install
from pse_sdk.files import check_writable

FORMATS = (".png", ".pdf", ".svg")


def plain(text: str) -> str:
    """A name as matplotlib draws it: not as a formula, nor with what is no character."""
    return text.replace("$", r"\$").encode(errors="replace").decode()


def check_picture(path: Path) -> None:
    """Raise `UsageError` for a picture that could not be drawn or written later."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: pictures are written as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"pictures need matplotlib: {how_to_install('plot')}")
    check_writable(path)
