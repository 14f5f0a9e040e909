"""Single keys from a terminal, without waiting and without Enter. Arrows and other special keys count for nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressed_keys() -> Iterator[Callable[[], str]]:
    """A function that returns what was typed since its last call.

    Always empty where standard input is no terminal, or that of another process: one in the background (``&``) that
    changes its terminal is stopped.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield lambda: ""
    elif sys.platform == "win32":
        yield _windows_keys
    elif _in_background():
        yield lambda: ""
    else:
        with _unbuffered():
            yield _posix_keys


if sys.platform == "win32":
    import msvcrt

    def _windows_keys() -> str:
        keys = ""
        while msvcrt.kbhit():
            key = msvcrt.getwch()
            if key in "\x00\xe0":  # a special key, named by what follows
                msvcrt.getwch()
            else:
                keys += key
        return keys

else:
    import os
    import re
    import select
    import termios
    import tty

    # What a terminal sends for arrows, function keys and the like (ECMA-48's control sequences, and SS3).
    SPECIAL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)

    def _in_background() -> bool:
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
        except OSError:  # a terminal that controls no jobs
            return False

    @contextmanager
    def _unbuffered() -> Iterator[None]:
        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        try:
            yield
        finally:
            if not _in_background():  # sent there meanwhile (Ctrl-Z, bg): the shell has put its terminal right
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def _posix_keys() -> str:
        if _in_background():
            return ""
        ready, _, _ = select.select([sys.stdin], [], [], 0)
        return SPECIAL.sub("", os.read(sys.stdin.fileno(), 64).decode(errors="ignore")) if ready else ""
