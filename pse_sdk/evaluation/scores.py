"""Which metrics there are, and what they make of one output."""

from __future__ import annotations

import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pse_sdk.errors import UsageError, how_to_install
from pse_sdk.evaluation.items import Item, Samples
from pse_sdk.evaluation.metrics import si_sdr

# A value and its weight in the mean over items. NaN where there is none.
Score = tuple[float, float]


@dataclass(frozen=True)
class Column:
    """One number per output: what it is called, and how it is read."""

    key: str
    title: str
    digits: int
    unit: str = ""
    gain: bool = False  # also told as the difference from the unprocessed recording

    @property
    def heading(self) -> str:
        return f"{self.title} {self.unit}".strip()

    @property
    def name_of_gain(self) -> str:
        return f"{self.title} gain {self.unit}".strip()


COLUMNS = {
    column.key: column
    for column in (
        Column("si_sdr", "SI-SDR", 2, "dB", gain=True),
        Column("pesq", "PESQ-WB", 3, gain=True),
        Column("stoi", "STOI", 4),
        Column("tsos", "TSOS", 2, "%"),
        Column("dnsmos_sig", "DNSMOS sig", 2),
        Column("dnsmos_bak", "DNSMOS bak", 2),
        Column("dnsmos_ovrl", "DNSMOS ovrl", 2),
        Column("wer", "WER", 1, "%"),
    )
}

Function = Callable[[Samples, Item], dict[str, Score]]


@dataclass(frozen=True)
class Metric:
    """What computes one or several columns, and what it needs for that."""

    make: Callable[[Sequence[str]], Function]  # from all sentences of the list
    packages: tuple[str, ...] = ()
    needs_target: bool = True
    needs_words: bool = False


def _si_sdr(_: Sequence[str]) -> Function:
    return lambda output, item: {"si_sdr": (si_sdr(output, _target(item)), 1.0)}


def _pesq(_: Sequence[str]) -> Function:
    from pse_sdk.evaluation.metrics.perceptual import pesq_wb

    return lambda output, item: {"pesq": (pesq_wb(output, _target(item)), 1.0)}


def _stoi(_: Sequence[str]) -> Function:
    from pse_sdk.evaluation.metrics.perceptual import short_time_intelligibility

    return lambda output, item: {"stoi": (short_time_intelligibility(output, _target(item)), 1.0)}


def _tsos(_: Sequence[str]) -> Function:
    from pse_sdk.evaluation.metrics.suppression import over_suppression

    def score(output: Samples, item: Item) -> dict[str, Score]:
        cut = over_suppression(output, _target(item))
        return {"tsos": (cut.percent if cut.active else float("nan"), float(cut.active))}

    return score


def _dnsmos(_: Sequence[str]) -> Function:
    from pse_sdk.evaluation.metrics.perceptual import dns_mos

    return lambda output, _item: {f"dnsmos_{kind}": (value, 1.0) for kind, value in dns_mos(output).items()}


def _wer(sentences: Sequence[str]) -> Function:
    from pse_sdk.evaluation.metrics.recognition import SentenceRecogniser, normalise, word_errors

    recogniser = SentenceRecogniser(sentences)

    def score(output: Samples, item: Item) -> dict[str, Score]:
        sentence = normalise(item.label.said)
        if sentence not in recogniser.sentences:  # unknown, or with a word that it cannot pronounce
            return {"wer": (float("nan"), 0.0)}
        said = sentence.split()
        errors = word_errors(recogniser.recognise(output).split(), said)
        return {"wer": (100 * errors / len(said), float(len(said)))}

    return score


METRICS = {
    "si_sdr": Metric(_si_sdr),
    "pesq": Metric(_pesq, ("pesq",)),
    "stoi": Metric(_stoi, ("pystoi",)),
    "tsos": Metric(_tsos, ("scipy",)),
    "dnsmos": Metric(_dnsmos, ("speechmos", "librosa"), needs_target=False),
    "wer": Metric(_wer, ("pocketsphinx",), needs_target=False, needs_words=True),
}


def choose_metrics(asked: Iterable[str], has_targets: bool, has_words: bool) -> tuple[str, ...]:
    """The metrics asked for, checked; by default all quick ones that the recordings allow, and WER if there are words.

    Raises `UsageError` for one that is unknown, not installed, or impossible with these recordings.
    """
    default = ("si_sdr", "pesq", "stoi", "tsos") if has_targets else ("dnsmos",)
    chosen = tuple(dict.fromkeys(asked)) or default + (("wer",) if has_words else ())
    for key in chosen:
        if key not in METRICS:
            raise UsageError(f"unknown metric {key!r}: choose one of {', '.join(METRICS)}")
        metric = METRICS[key]
        if metric.needs_target and not has_targets:
            raise UsageError(f"{key} needs clean recordings to compare with: give --clean, or leave it out")
        if metric.needs_words and not has_words:
            raise UsageError(f"{key} needs the words that are said: give --transcripts")
        missing = [package for package in metric.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise UsageError(f"{key} needs {', '.join(missing)}: {how_to_install('eval')}, or choose others with "
                             "--metrics (si_sdr needs nothing)")  # fmt: skip
    return chosen


def columns_of(metrics: Sequence[str]) -> list[str]:
    """What metrics write into a report: a column of their name, or several that begin with it."""
    return [key for key in COLUMNS if any(key == metric or key.startswith(f"{metric}_") for metric in metrics)]


class Scorer:
    """Scores outputs by the chosen metrics, and keeps what each took."""

    def __init__(self, metrics: Sequence[str], sentences: Sequence[str] = ()) -> None:
        self._functions = {key: METRICS[key].make(sentences) for key in metrics}
        self.seconds: dict[str, float] = defaultdict(float)

    def score(self, output: Samples, item: Item) -> dict[str, Score]:
        """Every column of every metric. The output is aligned; ends that the target lacks are not looked at."""
        length = min(len(output), len(item.noisy))
        output = output[:length]
        cut = Item(item.label, item.noisy[:length], None if item.target is None else item.target[:length])
        scores: dict[str, Score] = {}
        for key, function in self._functions.items():
            started = time.perf_counter()
            scores |= function(output, cut)
            self.seconds[key] += time.perf_counter() - started
        return scores


def _target(item: Item) -> Samples:
    if item.target is None:
        raise UsageError(f"{item.label.name}: there is no clean recording to compare with")
    return item.target
