"""Enhance every item with every system at every depth, and score it; over several processes if asked."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata

import numpy as np

from pse_sdk.errors import PseWarning
from pse_sdk.evaluation.bootstrap import Values
from pse_sdk.evaluation.items import Recordings
from pse_sdk.evaluation.report import Report, Variant
from pse_sdk.evaluation.scores import METRICS, Score, Scorer
from pse_sdk.evaluation.systems import Cost, System, Unprocessed
from pse_sdk.machine import this_machine
from pse_sdk.workers import mapped

ENHANCE = "enhance"


@dataclass(frozen=True)
class Work:
    """What a process needs to know: recordings, systems (the first is the unprocessed recordings), metrics."""

    recordings: Recordings
    systems: tuple[System, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """One item: each variant's scores, and seconds spent, by metric."""

    rows: list[dict[str, Score]]
    seconds: dict[str, float]


class Worker:
    """Lives as long as its process: models and metrics are loaded once."""

    def __init__(self, work: Work) -> None:
        self._recordings = work.recordings
        self._outputs = [(system.open(), system.depths) for system in work.systems]
        said = [label.said for label in work.recordings.labels if label.said]
        self._scorer = Scorer(work.metrics, said)

    def score(self, number: int) -> Scored:
        """All variants on one item."""
        item = self._recordings.load(number)
        self._scorer.seconds.clear()
        rows, enhancing = [], 0.0
        for output_of, depths in self._outputs:
            for depth in depths:
                started = time.perf_counter()
                output = output_of(item, depth)
                enhancing += time.perf_counter() - started
                rows.append(self._scorer.score(output, item))
        return Scored(rows, {ENHANCE: enhancing, **self._scorer.seconds})


def evaluate(
    recordings: Recordings,
    systems: Sequence[System],
    metrics: Sequence[str],
    jobs: int = 1,
    track: Callable[[Iterable[Scored], int], Iterable[Scored]] | None = None,
) -> Report:
    """Score systems, and the unprocessed recordings, on every item.

    Parameters
    ----------
    metrics : as `choose_metrics` returns them
    jobs : processes
    track : passes items through as they are done, for a progress bar; its second argument is their number

    Raises
    ------
    AudioError, ModelError, UsageError
        Before the first item where possible.
    """
    work = Work(recordings, (Unprocessed(), *systems), tuple(metrics))
    for system in work.systems:
        system.check(recordings)
    # Timed before other processes compute: a frame's time is that of a quiet machine, or as quiet as it is.
    costs = [cost for system in work.systems for cost in system.costs()]
    with _scores(work, jobs) as scored:
        done = list(track(scored, len(recordings.labels)) if track else scored)
    return _report(work, costs, done)


def _report(work: Work, costs: list[Cost], done: list[Scored]) -> Report:
    names = [(system.name, depth) for system in work.systems for depth in system.depths]
    variants = []
    for row, ((name, depth), cost) in enumerate(zip(names, costs, strict=True)):
        keys = done[0].rows[row]
        pairs = {key: np.array([item.rows[row][key] for item in done], np.float64) for key in keys}
        columns = {key: Values(pair[:, 0], pair[:, 1]) for key, pair in pairs.items()}
        variants.append(Variant(name, depth, cost, columns))
    outputs = len(done) * len(names)
    enhanced = len(done) * (len(names) - 1)
    seconds = {
        key: sum(item.seconds[key] for item in done) / max(1, enhanced if key == ENHANCE else outputs)
        for key in done[0].seconds
    }
    made = {
        "pse_sdk": metadata.version("pse-sdk"),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": this_machine().cpu,
        **{f"system {system.name}": origin for system in work.systems if (origin := system.origin())},
        "with": ", ".join(f"{name} {metadata.version(name)}" for name in _packages(work.metrics)),
    }
    return Report(work.recordings.title, tuple(work.recordings.labels), tuple(variants), seconds, made)


def _packages(metrics: Sequence[str]) -> list[str]:
    """What computes the scores: figures of other versions may differ."""
    return ["numpy", *sorted({package for key in metrics for package in METRICS[key].packages})]


@contextmanager
def _scores(work: Work, jobs: int) -> Iterator[Iterable[Scored]]:
    """Every item scored, in order, here or in ``jobs`` processes."""
    numbers = range(len(work.recordings.labels))
    if jobs == 1:
        yield map(Worker(work).score, numbers)
        return
    with mapped(jobs, _scorer, work, numbers) as scored:
        yield scored


def _scorer(work: Work) -> Callable[[int], Scored]:
    """`Worker.score` of a process of its own."""
    # Python would show it with a line of our code, once a process; of a fixed depth a device table says nothing.
    warnings.simplefilter("ignore", PseWarning)
    return Worker(work).score
