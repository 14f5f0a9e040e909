"""A benchmark as a command: a mistake ends in one line, as it does in `pse`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from pse_sdk.errors import PseError


def run(main: Callable[..., None]) -> None:
    """What ``main`` does, with its parameters as options."""
    try:
        typer.run(main)
    except PseError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
