"""A paced stream while other processes come and go on the same core: the controller beside fixed depths.

    python benchmarks/under_load.py [--seconds 60] [--rounds 2] [--nice 0 --nice 10] [--output docs/under-load]

Each stream is `seconds` long and meets 0, 1, 2, 4 and again 0 busy loops, pinned to the core that it runs on, for a
fifth of its time each. The controller, the least depth and the deepest take turns; each round begins with another of
them. Writes OUTPUT.json, OUTPUT.md and OUTPUT.png (one stream of the controller). Linux only. It takes
seconds x rounds x 3 x the number of nice levels, and a quiet machine, if the figures are to be of the load alone.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from rich.console import Console

import pse_sdk as sdk
from pse_sdk.load import Clocks
from pse_sdk.simulate.scores import count_changes

HOGS = (0, 1, 2, 4, 0)
HOP = 160
HOP_S = 0.01
# Frames before any is counted, without load: the controller gets to know the machine.
WARM_UP = 500
# A frame that is ready this long after its last sample came can be played with that much buffered.
BUFFERS_MS = (10, 30)
SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.nice(int(sys.argv[2]))\nwhile True: pass"


@dataclass
class Stream:
    """What one stream did, frame by frame."""

    hogs: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    """From the last sample of the frame to its output."""


class RecordedClock:
    """A clock that remembers what it said."""

    def __init__(self) -> None:
        self.said: list[float] = []

    def read(self) -> float:
        self.said.append(time.perf_counter())
        return self.said[-1]


def main(
    seconds: Annotated[float, typer.Option(help="Length of each stream.")] = 60,
    rounds: Annotated[int, typer.Option(help="Streams of each candidate and nice level.")] = 2,
    nice: Annotated[list[int] | None, typer.Option(help="Of the busy loops; the stream is at 0.")] = None,
    core: Annotated[
        int | None, typer.Option(help="Where stream and busy loops run; the last one if not given.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Of the controller.")] = "balanced",
    output: Annotated[Path, typer.Option(help="Without suffix.")] = Path("docs/under-load"),
) -> None:
    """Run the streams and write the figures."""
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("under_load.py pins processes to a core, which only Linux lets it do")
    core = max(os.sched_getaffinity(0)) if core is None else core
    levels = nice or [0, 10]
    os.sched_setaffinity(0, {core})
    deepest = sdk.Enhancer().max_depth
    candidates = {"controller": profile, "fixed 1": "fixed-1", f"fixed {deepest}": f"fixed-{deepest}"}
    streams: dict[tuple[str, int], list[Stream]] = {}
    console = Console(stderr=True)
    for level in levels:
        with busy_loops(max(HOGS), core, level) as hogs:
            for turn in range(rounds):
                names = list(candidates)
                for name in names[turn % len(names) :] + names[: turn % len(names)]:
                    console.print(f"nice {level}, round {turn + 1} of {rounds}: {name}")
                    streams.setdefault((name, level), []).append(run(candidates[name], seconds, hogs))
    deadline_ms = 1e3 * sdk.Enhancer(profile).profile.deadline_share * HOP_S
    figures = {
        "profile": profile, "deadline_ms": deadline_ms, "seconds": seconds, "rounds": rounds,
        "hogs": HOGS, "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "rows": [row for (name, level), runs in streams.items() for row in rows(name, level, runs, deadline_ms)],
    }  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(markdown(figures), encoding="utf-8")
    plot(streams["controller", levels[0]][-1], deadline_ms, output.with_suffix(".png"))
    print(markdown(figures))


@contextmanager
def busy_loops(count: int, core: int, nice: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Busy loops on ``core``, stopped until they are told to go on."""
    hogs = [subprocess.Popen([sys.executable, "-c", SPIN, str(core), str(nice)]) for _ in range(count)]
    try:
        time.sleep(1.0)  # until they are where they belong
        let_run(hogs, 0)
        yield hogs
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def let_run(hogs: list[subprocess.Popen[bytes]], count: int) -> None:
    for i, hog in enumerate(hogs):
        hog.send_signal(signal.SIGCONT if i < count else signal.SIGSTOP)


def run(profile: str, seconds: float, hogs: list[subprocess.Popen[bytes]]) -> Stream:
    """One stream, paced as a microphone would."""
    clock = RecordedClock()
    noise = (0.1 * np.random.default_rng(0).standard_normal(100 * HOP)).astype(np.float32)
    stream = Stream()
    frames = round(seconds / HOP_S)
    with sdk.Enhancer(profile, clocks=Clocks(wall=clock.read, cpu=time.thread_time)) as enhancer:
        start = time.perf_counter()
        for n in range(-WARM_UP, frames):
            running = HOGS[n * len(HOGS) // frames] if n >= 0 else 0
            if n >= 0 and (not stream.hogs or stream.hogs[-1] != running):
                let_run(hogs, running)
            due = start + (n + WARM_UP) * HOP_S
            time.sleep(max(0.0, due - time.perf_counter()))
            depth = enhancer.depth
            at = n % 100 * HOP
            enhancer.process(noise[at : at + HOP])
            if n >= 0:
                stream.hogs.append(running)
                stream.depth.append(depth)
                stream.wall_s.append(clock.said[-1] - clock.said[-2])
                stream.ready_s.append(time.perf_counter() - due)
    let_run(hogs, 0)
    return stream


def rows(name: str, nice: int, streams: list[Stream], deadline_ms: float) -> list[dict[str, float | str | None]]:
    """Figures by number of busy loops, over all rounds."""
    out: list[dict[str, float | str | None]] = []
    for hogs in sorted(set(HOGS)):
        parts = [np.array(s.hogs) == hogs for s in streams]
        wall = 1e3 * np.concatenate([np.array(s.wall_s)[part] for s, part in zip(streams, parts, strict=True)])
        ready = 1e3 * np.concatenate([np.array(s.ready_s)[part] for s, part in zip(streams, parts, strict=True)])
        depths = [np.array(s.depth)[part] for s, part in zip(streams, parts, strict=True)]
        changes = sum(count_changes(d)[0] for d in depths)
        out.append({
            "run": name,
            "nice": nice,
            "hogs": hogs,
            "frames": len(wall),
            "misses": float((wall > deadline_ms).mean()),
            **{f"underruns_{ms}ms": float((ready > ms).mean()) for ms in BUFFERS_MS},
            "mean_depth": float(np.concatenate(depths).mean()),
            "p50_ms": float(np.quantile(wall, 0.5)),
            "p95_ms": float(np.quantile(wall, 0.95)),
            "p99_ms": float(np.quantile(wall, 0.99)),
            "max_ms": float(wall.max()),
            "changes_per_minute": changes / (len(wall) * HOP_S / 60),
            "recovery_s": recovery(streams) if hogs == 0 and name == "controller" else None,
        })  # fmt: skip
    return out


def recovery(streams: list[Stream]) -> float | None:
    """The longest that it took, after the last load, until the depth was what it mostly was before the first."""
    waits = []
    for stream in streams:
        fifth = len(stream.depth) // len(HOGS)
        usual = int(np.median(stream.depth[:fifth]))
        back = np.flatnonzero(np.array(stream.depth[-fifth:]) >= usual)
        waits.append(float(back[0]) * HOP_S if len(back) else None)
    return None if None in waits else max(wait for wait in waits if wait is not None)


def markdown(figures: dict) -> str:
    """The figures as a page."""
    lines = [
        "# Under load",
        "",
        f"Written by `benchmarks/under_load.py`: {figures['rounds']} paced streams of {figures['seconds']:.0f} s of "
        f"each candidate and nice level, profile {figures['profile']}, {figures['machine']}. Busy loops are pinned to "
        f"the core of the stream. A miss is a frame over {figures['deadline_ms']:.0f} ms; an underrun at 10 or 30 ms "
        "is one that was not ready that long after its last sample, scheduling delay before it included.",
        "",
        "| nice | busy loops | run | misses % | underruns at 10 ms % | at 30 ms % | mean depth | p50 ms | p95 | p99 | "
        "max | changes/min |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(figures["rows"], key=lambda r: (r["nice"], r["hogs"])):
        lines.append(
            f"| {row['nice']} | {row['hogs']} | {row['run']} | {100 * row['misses']:.2f} | "
            f"{100 * row['underruns_10ms']:.2f} | {100 * row['underruns_30ms']:.2f} | {row['mean_depth']:.2f} | "
            f"{row['p50_ms']:.2f} | {row['p95_ms']:.2f} | {row['p99_ms']:.2f} | {row['max_ms']:.1f} | "
            f"{row['changes_per_minute']:.1f} |"
        )
    waits = [row["recovery_s"] for row in figures["rows"] if row["run"] == "controller" and row["hogs"] == 0]
    said = "not in every stream" if None in waits else f"within {max(waits):.1f} s"
    lines += ["", f"After the last load the depth was back {said}.", "", "![One stream](under-load.png)", ""]
    return "\n".join(lines)


def plot(stream: Stream, deadline_ms: float, path: Path) -> None:
    """Load, depth, frame time and misses over time."""
    seconds = np.arange(len(stream.depth)) * HOP_S
    wall, ready = 1e3 * np.array(stream.wall_s), 1e3 * np.array(stream.ready_s)
    figure = Figure(figsize=(12, 8), layout="constrained")
    load, depth, times, misses = figure.subplots(4, 1, sharex=True, height_ratios=[1, 1.5, 2, 1.5])
    load.fill_between(seconds, stream.hogs, step="post", color="0.7")
    load.set(ylabel="busy loops", yticks=sorted(set(HOGS)))
    depth.step(seconds, stream.depth, where="post", lw=1)
    depth.set(ylabel="depth", yticks=range(1, max(stream.depth) + 1))
    times.plot(seconds, wall, ".", ms=2)
    times.axhline(deadline_ms, color="tab:red", lw=0.8, label="deadline")
    times.set(ylabel="frame time, ms", yscale="log")
    times.legend(loc="upper right")
    misses.step(seconds, np.cumsum(wall > deadline_ms), where="post", color="tab:red", label="misses")
    for ms, style in zip(BUFFERS_MS, ("-", ":"), strict=True):
        misses.step(seconds, np.cumsum(ready > ms), style, where="post", color="0.4", label=f"not ready in {ms} ms")
    misses.set(ylabel="frames so far", xlabel="s", yscale="symlog", ylim=0)
    misses.legend(loc="upper left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    typer.run(main)
