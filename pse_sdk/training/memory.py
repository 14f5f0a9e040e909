"""Memory that a training step frees is kept for the next one, which wants the same again."""

from __future__ import annotations

import ctypes
import sys

# glibc's names for what `mallopt` sets (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Larger than any tensor of a step on a CPU, and than all of them together.
LARGEST_TENSOR, LARGEST_STEP = 2**30, 2**31 - 1


def keep_freed_memory() -> None:
    """Have this process keep what it frees, instead of giving large tensors back to the system one by one.

    Whatever is given back comes again as pages that the system has to clear: on a CPU a tenth of a training step. Only
    glibc has the setting (Linux); elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_TENSOR)
        mallopt(M_TRIM_THRESHOLD, LARGEST_STEP)
