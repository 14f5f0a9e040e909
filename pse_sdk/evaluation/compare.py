"""Is one better than another? Differences item by item, with the interval that tells luck from quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pse_sdk.errors import UsageError
from pse_sdk.evaluation.bootstrap import Estimate, Values, estimate
from pse_sdk.evaluation.items import Label
from pse_sdk.evaluation.report import DIGITS, Report, Variant, to_json

# By how much the unprocessed recordings may score differently in two reports of one list: rounding of other machines.
# STOI leaves silent frames out: of a frame at its limit one machine makes speech, another none (0.004 was seen).
SAME_WITHIN = {
    "si_sdr": 0.05, "pesq": 0.02, "stoi": 0.01, "tsos": 0.2,
    "dnsmos_sig": 0.02, "dnsmos_bak": 0.02, "dnsmos_ovrl": 0.02, "wer": 2.0,
}  # fmt: skip


class Difference(NamedTuple):
    """``better`` minus ``than`` on the same items, by column."""

    better: str
    than: str
    columns: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """As a report in JSON states it."""
        columns = {column: to_json(estimate) for column, estimate in self.columns.items()}
        return {"better": self.better, "than": self.than, "columns": columns}


def differences_within(report: Report) -> list[Difference]:
    """The first system against every other one, at each depth that both have; one without depths against all."""
    systems = list(report.systems().values())
    return [
        _difference(a, b, a.name, b.name)
        for other in systems[1:]
        for a, b in _partners(systems[0], other)
    ]  # fmt: skip


def differences_between(report: Report, earlier: Report) -> list[Difference]:
    """Every system against itself in an earlier report; where each has only one system, against that.

    Raises `UsageError` if the items are not the same, or no system is in both.
    """
    now, before = report.systems(), earlier.systems()
    depths = {name: [variant.depth for variant in variants] for name, variants in now.items()}
    names = check_comparable(report.title, report.labels, depths, report.columns, earlier)
    _check_same_recordings(report, earlier)
    return [
        _difference(a, b, a.name, f"{b.name}, earlier")
        for mine, theirs in names
        for a, b in _partners(now[mine], before[theirs])
    ]


def check_comparable(
    title: str,
    labels: Sequence[Label],
    systems: Mapping[str, Sequence[int | None]],
    columns: Sequence[str],
    earlier: Report,
) -> list[tuple[str, str]]:
    """Which of ``systems`` is compared with which of an earlier report, told before anything is scored.

    Parameters
    ----------
    title, labels, columns : of the report to come
    systems : the depths of each

    Raises
    ------
    UsageError
        The items have not the same names in order, or no system, none of a system's depths or no column is in both.
    """
    names, before = [label.name for label in labels], [label.name for label in earlier.labels]
    if names != before:
        raise UsageError(f"the reports are of other items ({len(names)} and {len(before)}; {title}; "
                         f"{earlier.title}): evaluate the same list, see --items and --seed")  # fmt: skip
    known = list(earlier.systems())
    shared = [(name, name) for name in systems if name in known]
    if not shared and len(systems) == len(known) == 1:
        shared = [(next(iter(systems)), known[0])]
    if not shared:
        raise UsageError(f"no system is in both reports ({', '.join(systems)}; {', '.join(known)}): evaluate one of "
                         "each, or name it as it was, as in `small=path`")  # fmt: skip
    if not set(columns) & set(earlier.columns):
        raise UsageError(f"no metric is in both reports ({', '.join(columns)}; {', '.join(earlier.columns)}): choose "
                         "one of the earlier report's with --metrics")  # fmt: skip
    before_depths = {name: [variant.depth for variant in variants] for name, variants in earlier.systems().items()}
    for mine, theirs in shared:
        if not any(_match(a, b) for a in systems[mine] for b in before_depths[theirs]):
            have = ", ".join(map(str, before_depths[theirs]))
            raise UsageError(f"{mine}: no depth is in both reports (the earlier one has {have}): evaluate one of those "
                             "with --depth")  # fmt: skip
    return shared


def _check_same_recordings(report: Report, earlier: Report) -> None:
    """Raise `UsageError` unless the unprocessed recordings score alike."""
    for column, limit in SAME_WITHIN.items():
        if column in report.columns and column in earlier.columns:
            both = [r.variants[0].columns[column].values for r in (report, earlier)]
            off = np.nanmax(np.abs(both[0] - both[1]), initial=0)
            if off > limit:
                raise UsageError(f"the recordings have the same names but differ: {column} of the unprocessed ones "
                                 f"is off by up to {off:.3g}; evaluate the same files")  # fmt: skip


def _partners(first: list[Variant], other: list[Variant]) -> Iterator[tuple[Variant, Variant]]:
    for a in first:
        for b in other:
            if _match(a.depth, b.depth):
                yield a, b


def _match(a: int | None, b: int | None) -> bool:
    """Whether two depths are compared: what has none is compared with every one."""
    return a == b or a is None or b is None


def _difference(a: Variant, b: Variant, better: str, than: str) -> Difference:
    shared = [column for column in a.columns if column in b.columns]
    # One of the two may come from a file, which rounds: a difference of nothing is none.
    pairs = {c: (_as_saved(a.columns[c]), _as_saved(b.columns[c])) for c in shared}
    return Difference(better, than, {c: estimate(one.minus(other)) for c, (one, other) in pairs.items()})


def _as_saved(column: Values) -> Values:
    return column._replace(values=np.round(column.values, DIGITS))
