"""The ``pse`` command: one file per subcommand; errors as one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer
import typer.main
from rich.console import Console
from typer.exceptions import TyperException

from pse_sdk.cli import enhance, export, info, live, spectrogram, train
from pse_sdk.errors import PseError

app = typer.Typer(
    name="pse",
    help="Clean speech from noisy recordings, on this device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("enhance")(enhance.enhance)
app.command("info")(info.info)
app.command("live")(live.live)
app.command("spectrogram")(spectrogram.spectrogram)
app.command("train")(train.train)
app.command("export")(export.export)


def run() -> None:
    """Entry point: a user's mistake ends in one line on standard error and an exit code, never in a traceback."""
    try:
        # What a subcommand returns in this mode is the code of its typer.Exit.
        sys.exit(typer.main.get_command(app).main(prog_name="pse", standalone_mode=False) or 0)
    except PseError as error:
        _complain(str(error), 1)
    except BrokenPipeError:
        # The reader (`| head`) is gone; Python would complain once more while closing standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, UnicodeError) as error:  # a name too long, a folder that may not be read: the system says it best
        _complain(str(error), 1)
    except TyperException as error:
        message = error.format_message().rstrip(".")
        if not message:  # `pse` alone: the help was printed
            sys.exit(error.exit_code)
        _complain(f"{message}; `pse --help` tells more", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted", 130)


def _complain(message: str, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"pse: {message}", markup=False, highlight=False)
    sys.exit(code)
