"""What native libraries print to standard error by themselves, out of reach of Python's ``warnings`` and logging."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STANDARD_ERROR = 2


@contextmanager
def hold_back(unwanted: str) -> Iterator[None]:
    """Keep standard error to itself while the block runs, then print it without lines that match ``unwanted``.

    The whole process's: what other threads print meanwhile comes when the block ends.
    """
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # a process without standard error has nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
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
