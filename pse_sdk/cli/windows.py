"""What a terminal program finds otherwise on Windows."""

from __future__ import annotations

import errno
import glob
import sys


def arguments() -> list[str]:
    """What was asked for; on Windows, whose shells leave that to programs, names in the place of patterns.

    Only `*` and `?` make one: typer would take brackets and `$` for more, and browsers call downloads `take[1].wav`.
    """
    asked = sys.argv[1:]
    return [name for argument in asked for name in _matching(argument)] if sys.platform == "win32" else asked


def has_no_reader(error: Exception) -> bool:
    """Whether who read what is printed has left (`| head`), for which Windows has a name of its own."""
    if isinstance(error, OSError) and sys.platform == "win32":
        return error.errno in (errno.EPIPE, errno.EINVAL)
    return isinstance(error, BrokenPipeError)


def _matching(argument: str) -> list[str]:
    pattern = glob.escape(argument).replace("[*]", "*").replace("[?]", "?")
    return sorted(glob.glob(pattern)) or [argument]  # noqa: PTH207 - names as they were given, not as Path writes them
