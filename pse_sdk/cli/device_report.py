"""Device tables for people: one machine's, and two side by side. They fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pse_sdk.device_table import CONDITIONS, DeviceTable, Measured, Timing

MISSING = "-"
TITLES = {
    "paced": "Paced: a frame every {hop} ms, as in a stream",
    "hot": "Hot: frames back to back",
    "paced_under_load": "Paced, under load: {load}",
    "hot_under_load": "Hot, under load: {load}",
}
QUANTILES = ("p50", "p95", "p99", "max")


def report(table: DeviceTable) -> RenderableType:
    """For each model and runtime, a table per condition: wall and CPU time of a frame at every depth."""
    parts: list[RenderableType] = []
    for m in table.measured:
        parts.append(Text(f"\n{_name(m)}", style="bold"))
        parts.append(
            Text(
                f"opened in {m.load_ms:.0f} ms ({m.start_ms:.0f} ms with imports), {m.memory_mb:.0f} MB; times in ms"
                + (f"; measured {m.made}" if m.made else "")
            )
        )
        parts += [_condition(m, condition, table.load) for condition in CONDITIONS if _timings(m, condition)]
    return Group(*parts)


def comparison(a: tuple[str, DeviceTable], b: tuple[str, DeviceTable]) -> RenderableType:
    """What both tables know, with the ratio of B to A; a dash where one of them does not know it."""
    parts: list[RenderableType] = [
        Text(f"{name}: {path}\n   {table.machine}, {table.made}") for name, (path, table) in (("A", a), ("B", b))
    ]
    for of_a, of_b in _matched(a[1].measured, b[1].measured):
        parts.append(Text(f"\n{' or '.join(dict.fromkeys(_name(m) for m in (of_a, of_b) if m))}", style="bold"))
        if of_a and of_b and of_a.sha256 != of_b.sha256:
            parts.append(Text("two different files"))
        parts += [Text(f"in {n} measured {m.made}") for n, m in (("A", of_a), ("B", of_b)) if m and m.made]
        loads = {m.load or table.load for m, (_, table) in ((of_a, a), (of_b, b)) if m}
        if len(loads) > 1:
            parts.append(Text(f"two different loads: {'; '.join(sorted(loads))}"))
        parts += [_pairs(of_a, of_b, c) for c in CONDITIONS if _timings(of_a, c) or _timings(of_b, c)]
    return Group(*parts)


def _condition(m: Measured, condition: str, load: str) -> Table:
    timings = _timings(m, condition)
    energy = any(t.energy_mj is not None for t in timings)
    numbers = ["depth", *(f"wall\n{q}" for q in QUANTILES), *(f"CPU\n{q}" for q in QUANTILES), "over\na hop"]
    numbers.append("mJ" if energy else "CPU\ns/s")
    table = _numbers(TITLES[condition].format(hop=f"{m.hop_ms:g}", load=load), numbers)
    for t in timings:
        wall = (t.wall_p50_ms, t.wall_p95_ms, t.wall_p99_ms, t.wall_max_ms)
        cpu = (t.cpu_p50_ms, t.cpu_p95_ms, t.cpu_p99_ms, t.cpu_max_ms)
        cells = [str(t.depth), *map(_short, (*wall, *cpu)), f"{t.late:.1%}"]
        # Without a meter, the CPU time that a second of audio takes is the best there is to say of energy.
        table.add_row(*cells, _short(t.energy_mj) if energy else _short(t.cpu_p50_ms / m.hop_ms))
    return table


def _pairs(a: Measured | None, b: Measured | None, condition: str) -> Table:
    numbers = [f"{what}\n{whose}" for what in ("wall\np50", "wall\np99", "CPU\np50") for whose in ("A", "B", "B/A")]
    table = _numbers(condition.replace("_", " ").capitalize(), ["depth", *numbers])
    first, second = ({t.depth: t for t in _timings(m, condition)} for m in (a, b))
    for depth in sorted(first | second):
        cells = [str(depth)]
        for what in ("wall_p50_ms", "wall_p99_ms", "cpu_p50_ms"):
            of_a, of_b = (getattr(t, what, None) for t in (first.get(depth), second.get(depth)))
            ratio = f"{of_b / of_a:.2f}" if of_a and of_b is not None else MISSING
            cells += [_short(of_a), _short(of_b), ratio]
        table.add_row(*cells)
    return table


def _numbers(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=Text(title), title_justify="left", title_style="italic", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _short(number: float | None) -> str:
    """Three digits are what such a measurement can tell."""
    if number is None:
        return MISSING
    return f"{number:.3f}" if abs(number) < 10 else f"{number:.1f}" if abs(number) < 100 else f"{number:.0f}"


def _matched(a: Sequence[Measured], b: Sequence[Measured]) -> list[tuple[Measured | None, Measured | None]]:
    """What both know: the same files, then others of the same name; and what only one of them knows."""
    rest = list(b)
    pairs: list[tuple[Measured | None, Measured | None]] = []
    for m in sorted(a, key=lambda m: all(_file(m) != _file(other) for other in b)):
        alike = [o for o in rest if _file(o) == _file(m)] or [o for o in rest if _key(o) == _key(m)]
        if alike:
            rest.remove(alike[0])
        pairs.append((m, alike[0] if alike else None))
    return [*pairs, *((None, m) for m in rest)]


def _file(m: Measured) -> tuple[str, ...]:
    return *_key(m), m.sha256


def _key(m: Measured) -> tuple[str, str, str]:
    return m.model, m.precision, m.runtime


def _name(m: Measured) -> str:
    return f"{m.model} ({m.precision}) in {m.runtime} {m.runtime_version}"


def _timings(m: Measured | None, condition: str) -> list[Timing]:
    return [] if m is None else sorted((t for t in m.timings if t.condition == condition), key=lambda t: t.depth)
