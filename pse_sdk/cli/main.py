"""The ``pse`` command: one file per subcommand; errors as one line and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Annotated, NoReturn, TextIO

import typer
import typer.main
from rich.console import Console
from typer.exceptions import TyperException

from pse_sdk.cli import (
    average,
    embed_voices,
    enhance,
    enroll,
    evaluate,
    export,
    index,
    info,
    live,
    profile_device,
    record_load,
    reproduce_bloom,
    reproduce_e3net,
    simulate,
    spectrogram,
    train,
    train_encoder,
)
from pse_sdk.cli.windows import arguments, has_no_reader
from pse_sdk.errors import DeviceTableWarning, PseError, PseWarning

# What a shell says of a command that Ctrl-C ended.
INTERRUPTED = 130
# For temporary files to be taken away in.
GRACE_S = 3.0

app = typer.Typer(
    name="pse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("pse-sdk"))
        raise typer.Exit


@app.callback()
def _pse(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Clean speech from noisy recordings, on this device."""


app.command("enhance")(enhance.enhance)
app.command("enroll")(enroll.enroll)
app.command("info")(info.info)
app.command("live")(live.live)
app.command("profile-device")(profile_device.profile_device)
app.command("spectrogram")(spectrogram.spectrogram)
app.command("simulate")(simulate.simulate)
app.command("record-load")(record_load.record_load)
app.command("index")(index.index)
app.command("evaluate")(evaluate.evaluate_command)
app.command("train")(train.train)
app.command("average")(average.average)
app.command("export")(export.export)
app.command("train-encoder")(train_encoder.train_encoder)
app.command("embed-voices")(embed_voices.embed_voices)
app.add_typer(
    reproduce := typer.Typer(help="Repeat the papers' comparisons on our data.", no_args_is_help=True), name="reproduce"
)
reproduce.command("bloom")(reproduce_bloom.bloom)
reproduce.command("e3net")(reproduce_e3net.e3net)


def run() -> None:
    """Entry point: a user's mistake ends in one line on standard error and an exit code, never in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As standard error does: a name that the terminal's or a file's encoding lacks is no reason to print nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    _show_warnings()
    try:
        with _ending_cleanly():
            # What a subcommand returns in this mode is the code of its typer.Exit.
            program = typer.main.get_command(app)
            code = program.main(arguments(), prog_name="pse", standalone_mode=False, windows_expand_args=False) or 0
        if code == INTERRUPTED:  # typer's answer to Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except PseError as error:
        _complain(str(error), 1)
    except (OSError, UnicodeError) as error:
        if has_no_reader(error):  # `| head` is gone; Python would complain once more while closing standard output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        _complain(str(error), 1)  # a name too long, a folder that may not be read: the system says it best
    except TyperException as error:
        message = error.format_message().rstrip(".")
        if not message:  # `pse` alone: the help was printed
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else _command()
        _complain(f"{message}{'' if message.endswith('?') else ';'} `{command} --help` tells more", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted", INTERRUPTED)


def _command() -> str:
    """What was called, for errors that do not know it: of an option that lacks its value."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    return f"pse {called}" if called in {command.name for command in app.registered_commands} else "pse"


def _complain(message: str, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"pse: {message}", markup=False, highlight=False)
    sys.exit(code)


@contextmanager
def _ending_cleanly() -> Iterator[None]:
    """A closed terminal, `timeout` or a shutdown ends the command as Ctrl-C does: temporary files are taken away.

    In an app that calls `run` in a thread of its own, signals are the app's affair.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # nohup ignores one
    for number in ours:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: object) -> NoReturn:
    # A library that calls back into Python may swallow what is raised here: then the process ends all the same.
    last = threading.Timer(GRACE_S, os._exit, [128 + number])
    last.daemon = True
    last.start()
    sys.exit(128 + number)


def _show_warnings() -> None:
    """Our warnings as one line each, like errors; those of libraries stay as they are."""
    theirs = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, PseWarning):
            Console(stderr=True, soft_wrap=True).print(f"pse: {message}", markup=False, highlight=False)
        else:
            theirs(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    warnings.simplefilter("once", PseWarning)
    # A recording has no deadline: `pse live` and `pse info` let it be told.
    warnings.simplefilter("ignore", DeviceTableWarning)
