"""What native libraries print to standard error by themselves, out of reach of Python's ``warnings`` and logging."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

STANDARD_ERROR = 2
# Two that hold back at once would each put back what the other had put there.
_ONE_AT_A_TIME = threading.Lock()
# A process that another thread forks meanwhile would wait for ever, and print to a file that nobody reads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_ONE_AT_A_TIME.acquire,
        after_in_parent=_ONE_AT_A_TIME.release,
        after_in_child=_ONE_AT_A_TIME.release,
    )


@contextmanager
def hold_back(unwanted: str) -> Iterator[None]:
    """Keep standard error to itself while the block runs, then print it without lines that match ``unwanted``.

    The whole process's: what other threads print meanwhile comes when the block ends, and a program that another
    thread starts meanwhile keeps the file that nobody reads as its standard error. Nothing is held back in a process
    without standard error, or where no temporary file can be made.
    """
    with _ONE_AT_A_TIME, ExitStack() as stack:
        try:
            held = stack.enter_context(tempfile.TemporaryFile())
            kept = os.dup(STANDARD_ERROR)
        except OSError:
            yield
            return
        os.dup2(held.fileno(), STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(kept, STANDARD_ERROR)
            os.close(kept)
            held.seek(0)
            wanted = b"".join(line for line in held if not re.search(unwanted, line.decode(errors="replace")))
            if wanted:
                with suppress(OSError):  # nobody reads it any more
                    os.write(STANDARD_ERROR, wanted)
