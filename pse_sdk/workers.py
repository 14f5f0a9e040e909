"""Processes that work side by side, and end with the work or with who asked for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from pse_sdk.errors import UsageError

Work = TypeVar("Work")
Item = TypeVar("Item")
Result = TypeVar("Result")

# Windows waits for no more processes at a time.
MOST_ON_WINDOWS = 61


@contextmanager
def worker_pool(
    processes: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool whose workers begin with ``start(*arguments)``.

    If the block fails or is interrupted they are killed at once, whatever they are at: a pool as such would finish all
    that it was given first, and a worker whose parent was killed would wait for more for ever.

    Raises `UsageError` if a worker dies.
    """
    # Started afresh: a copy of a process that has an inference session open can wait for its threads for ever.
    context = multiprocessing.get_context("spawn")
    if sys.platform == "win32":
        processes = min(processes, MOST_ON_WINDOWS)
    with ProcessPoolExecutor(processes, context, _begin, (start, arguments)) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise UsageError("a worker process ended by itself (was the memory full?): try it with fewer") from error
        except BaseException:
            workers = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
                worker.join()
            raise


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # Ctrl-C reaches every process of a terminal; the parent ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def mapped(
    processes: int,
    make: Callable[[Work], Callable[[Item], Result]],
    work: Work,
    items: Iterable[Item],
    chunk: int = 1,
) -> Iterator[Iterable[Result]]:
    """What ``make(work)`` makes of each item, in order, ``chunk`` items at a time.

    Every process calls ``make`` once, at its first item and not as it starts: what fails there would only be told as a
    process that died.
    """
    with worker_pool(processes, _keep, (make, work)) as pool:
        yield pool.map(_apply, items, chunksize=chunk)


_kept: tuple[Callable[[Any], Callable[[Any], Any]], Any] | None = None


def _keep(make: Callable[[Any], Callable[[Any], Any]], work: object) -> None:
    global _kept
    _kept = make, work


@cache
def _made() -> Callable[[Any], Any]:
    assert _kept is not None, "only called in a process that was started with the work"
    make, work = _kept
    return make(work)


def _apply(item: object) -> Any:
    return _made()(item)
