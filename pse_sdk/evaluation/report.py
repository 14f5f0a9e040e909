"""What an evaluation found, item by item, so that it can be analysed again; and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import UsageError
from pse_sdk.evaluation.bootstrap import Estimate, Values, estimate
from pse_sdk.evaluation.items import Label
from pse_sdk.evaluation.scores import COLUMNS
from pse_sdk.evaluation.systems import UNPROCESSED, Cost
from pse_sdk.files import write_atomically

FORMAT = 1
BAND_DB = 5.0
# As many different SNRs are told one by one: test sets have four to six.
MOST_SNRS = 8
DIGITS = 5
# A noise class of fewer items says little: such classes are pooled.
FEWEST_ITEMS = 5
OTHERS = "others"


@dataclass(frozen=True)
class Variant:
    """A system at one depth: its cost, and what it scored on each item."""

    system: str
    depth: int | None
    cost: Cost
    columns: Mapping[str, Values]

    @property
    def name(self) -> str:
        return self.system if self.depth is None else f"{self.system} {self.depth}"


@dataclass(frozen=True)
class Report:
    """One list of items, several variants; the first one is the unprocessed recordings.

    Parameters
    ----------
    title : what the items are
    labels : of the items, in the order of all columns' values
    variants : in the order of the table
    seconds : mean time that enhancing and each metric took per output
    made : what computed it: version, time, processor, each system's file, the metrics' packages
    """

    title: str
    labels: tuple[Label, ...]
    variants: tuple[Variant, ...]
    seconds: Mapping[str, float]
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return list(self.variants[0].columns)

    def gain(self, variant: Variant, column: str) -> Values:
        """Difference from the unprocessed recordings, item by item."""
        return variant.columns[column].minus(self.variants[0].columns[column])

    def systems(self) -> dict[str, list[Variant]]:
        """Variants by system, the unprocessed recordings left out."""
        found: dict[str, list[Variant]] = {}
        for variant in self.variants[1:]:
            found.setdefault(variant.system, []).append(variant)
        return found

    def failed(self) -> dict[str, int]:
        """For each column, outputs that it could not score."""
        return {c: sum(int(np.isnan(v.columns[c].values).sum()) for v in self.variants) for c in self.columns}

    def snr_bands(self) -> dict[str, npt.NDArray[np.intp]]:
        """Items by SNR, as it is if few differ, else to the nearest multiple of 5 dB; empty if nothing is known."""
        bands = [x.snr_db for x in self.labels]
        if len({*bands} - {None}) > MOST_SNRS:
            bands = [None if snr is None else BAND_DB * math.floor(snr / BAND_DB + 0.5) for snr in bands]
        known = sorted({band for band in bands if band is not None})
        return {f"{band:g} dB": np.flatnonzero([b == band for b in bands]) for band in known}

    def noise_classes(self) -> dict[str, npt.NDArray[np.intp]]:
        """Items by noise class, the most frequent first; those of fewer than five are pooled, if any is left."""
        names = np.array([label.noise for label in self.labels])
        known, counts = np.unique(names[names != ""], return_counts=True)
        order = sorted(zip(-counts, known, strict=True))
        groups = {str(name): np.flatnonzero(names == name) for count, name in order if -count >= FEWEST_ITEMS}
        groups.pop(OTHERS, None)  # a class of that name is among them
        rest = np.flatnonzero(~np.isin(names, [*groups, ""]))
        return groups | ({OTHERS: rest} if groups and len(rest) else {})


def summary(report: Report, variant: Variant) -> dict[str, Estimate]:
    """Every column's mean and interval, and ``COLUMN_gain`` for those that are also told as a gain."""
    found = {}
    for column in report.columns:
        found[column] = estimate(variant.columns[column])
        if COLUMNS[column].gain and variant.system != UNPROCESSED:
            found[f"{column}_gain"] = estimate(report.gain(variant, column))
    return found


def to_json(mean: Estimate) -> dict[str, float | int | None]:
    """An estimate as reports and model cards state it."""
    return dict(zip(mean._fields, _numbers(mean), strict=True))


def save_report(report: Report, path: Path, differences: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write JSON: every value of every item, the means, and ``differences`` of systems. One line per variant."""
    head = {"format": FORMAT, "title": report.title, "made": dict(report.made), "seconds": dict(report.seconds)}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    items = ",\n ".join(json.dumps(dataclasses.asdict(label)) for label in report.labels)
    variants = ",\n ".join(json.dumps(_to_dict(report, variant), allow_nan=False) for variant in report.variants)
    lines += [f'"items": [\n {items}]', f'"variants": [\n {variants}]']
    if differences:
        pairs = ",\n ".join(json.dumps(pair, allow_nan=False) for pair in differences)
        lines.append(f'"differences": [\n {pairs}]')
    with write_atomically(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def load_report(path: Path) -> Report:
    """Read what `save_report` wrote; raises `UsageError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise UsageError(f"{path}: report format {content['format']}, but this version reads {FORMAT}")
        labels = tuple(Label(**label) for label in content["items"])
        variants = tuple(_variant(v, len(labels)) for v in content["variants"])
        return Report(content["title"], labels, variants, content["seconds"], content["made"])
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a report of `pse evaluate --output` ({error})") from error


def _to_dict(report: Report, variant: Variant) -> dict[str, Any]:
    means = {key: to_json(e) for key, e in summary(report, variant).items()}
    return {
        "system": variant.system,
        "depth": variant.depth,
        "cost": dataclasses.asdict(variant.cost),
        "means": means,
        "values": {key: list(_numbers(v.values)) for key, v in variant.columns.items()},
        "weights": {key: list(_numbers(v.weights)) for key, v in variant.columns.items() if np.any(v.weights != 1)},
    }


def _variant(content: Mapping[str, Any], items: int) -> Variant:
    columns = {}
    for key, values in content["values"].items():
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        weights = np.array(content["weights"].get(key, np.ones(items)), np.float64)
        if not len(numbers) == len(weights) == items or key not in COLUMNS:
            raise ValueError(f"{len(numbers)} values of {key!r} for {items} items")
        if np.isinf(numbers).any() or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(f"a value of {key!r} that no score has")
        columns[key] = Values(numbers, weights)
    if not isinstance(content["system"], str):
        raise TypeError("a system without a name")
    return Variant(content["system"], content["depth"], Cost(**content["cost"]), columns)


def _numbers(values: Any) -> Iterator[float | int | None]:
    """Rounded, and None for NaN, which JSON does not have."""
    for value in values:
        yield None if np.isnan(value) else round(float(value), DIGITS) if value % 1 else int(value)
