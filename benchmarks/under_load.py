"""Paced streams while other processes come and go on the same core: the controller beside fixed depths.

    python benchmarks/under_load.py [--seconds 60] [--rounds 2] [--nice 0 --nice 10] [--output docs/under-load]

The controller, the least depth and the deepest are three streams that take turns of a second, so that all meet the same
load. Each is `seconds` long, and meets 0, 1, 2, 4 and again 0 busy loops, pinned to the core that it runs on, for a
fifth of its time each. A frame is due when its last sample has come, by a clock that is fixed at the beginning of the
turn: what it waits for a core counts. Writes OUTPUT.json, OUTPUT.md and OUTPUT.png (the controller's last stream).
Linux only. It takes seconds x rounds x 3 x the number of nice levels, and a quiet machine, if the figures are to be of
the load alone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from matplotlib.figure import Figure
from pse_sdk.profiles import load_profile
from rich.console import Console

import pse_sdk as sdk
from pse_sdk.simulate.scores import count_changes

HOGS = (0, 1, 2, 4, 0)
HOP = 160
HOP_S = 0.01
# Frames of a stream before it is another one's turn.
TURN = 100
# Frames before any is counted, without load: the controller gets to know the machine.
WARM_UP = 300
# A frame that is ready this long after its last sample came can be played with that much buffered.
BUFFERS_MS = (10, 30)
# A frame that begins this long after its last sample waited for a core: to wake up takes a tenth of it.
WAITED_MS = 1
SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.nice(int(sys.argv[2]))\nwhile True: pass"


class Stream:
    """One candidate's stream and what it did: lists by frame, `heard` by number of busy loops."""

    def __init__(self, profile: str) -> None:
        # Without rest: the stream is noise, in which nobody speaks.
        self.enhancer = sdk.Enhancer(dataclasses.replace(load_profile(profile), rest_after_s=0.0))
        self.noise = (0.1 * np.random.default_rng(0).standard_normal(TURN * HOP)).astype(np.float32)
        self.hogs: list[int] = []
        self.depth: list[int] = []
        self.wait_s: list[float] = []  # from a frame's last sample until it began
        self.ready_s: list[float] = []  # ... until it was done
        self.heard: dict[int, list[float]] = {}

    def turn(self, hogs: int) -> None:
        """One second, paced as a microphone would. Who is late goes on at once."""
        before = self.enhancer.stats()
        start = time.perf_counter() + HOP_S
        for n in range(TURN):
            due = start + n * HOP_S
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            depth, began = self.enhancer.depth, time.perf_counter()
            self.enhancer.process(self.noise[n * HOP : (n + 1) * HOP])
            self.hogs.append(hogs)
            self.depth.append(depth)
            self.wait_s.append(began - due)
            self.ready_s.append(time.perf_counter() - due)
        after = self.enhancer.stats()
        total = after.mean_depth * after.frames - before.mean_depth * before.frames
        self.heard.setdefault(hogs, []).append(total / (after.frames - before.frames))

    def forget(self) -> None:
        """Only what comes from now on counts."""
        for each in (self.hogs, self.depth, self.wait_s, self.ready_s, self.heard):
            each.clear()


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
            for number in range(rounds):
                console.print(f"nice {level}, round {number + 1} of {rounds}")
                for name, stream in run(candidates, seconds, hogs).items():
                    streams.setdefault((name, level), []).append(stream)
    deadline_ms = 1e3 * sdk.Enhancer(profile).profile.deadline_share * HOP_S
    figures = {
        "profile": profile, "deadline_ms": deadline_ms, "seconds": seconds, "rounds": rounds,
        "hogs": HOGS, "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "rows": [row for (name, level), runs in streams.items() for row in rows(name, level, runs, deadline_ms)],
    }  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    page = markdown(figures, output.with_suffix(".png").name)
    output.with_suffix(".md").write_text(page, encoding="utf-8")
    plot(streams["controller", levels[0]][-1], deadline_ms, output.with_suffix(".png"))
    print(page)


@contextmanager
def busy_loops(count: int, core: int, nice: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Busy loops on ``core``, stopped until they are told to go on."""
    hogs = [subprocess.Popen([sys.executable, "-c", SPIN, str(core), str(nice)]) for _ in range(count)]
    try:
        time.sleep(1.0)  # until they are where they belong
        if any(hog.poll() is not None for hog in hogs):
            raise SystemExit("busy loops ended by themselves: a nice level below 0 needs root")
        let_run(hogs, 0)
        yield hogs
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def let_run(hogs: list[subprocess.Popen[bytes]], count: int) -> None:
    for i, hog in enumerate(hogs):
        hog.send_signal(signal.SIGCONT if i < count else signal.SIGSTOP)


def run(candidates: dict[str, str], seconds: float, hogs: list[subprocess.Popen[bytes]]) -> dict[str, Stream]:
    """A stream of each candidate, in turns, each round of which begins with another of them."""
    streams = {name: Stream(profile) for name, profile in candidates.items()}
    order = list(streams.values())
    for stream in order:
        for _ in range(WARM_UP // TURN):
            stream.turn(0)
        stream.forget()
    for running in HOGS:
        let_run(hogs, running)
        for _ in range(max(1, round(seconds / len(HOGS) / (TURN * HOP_S)))):
            for stream in order:
                stream.turn(running)
            order = [*order[1:], order[0]]
    let_run(hogs, 0)
    for stream in order:
        stream.enhancer.close()
    return streams


def rows(name: str, nice: int, streams: list[Stream], deadline_ms: float) -> list[dict[str, float | str | None]]:
    """Figures by number of busy loops, over all rounds."""
    out: list[dict[str, float | str | None]] = []
    for hogs in sorted(set(HOGS)):
        parts = [np.array(s.hogs) == hogs for s in streams]
        wait, ready = (
            1e3 * np.concatenate([np.array(getattr(s, what))[part] for s, part in zip(streams, parts, strict=True)])
            for what in ("wait_s", "ready_s")
        )
        changes = sum(count_changes(np.array(s.depth)[part])[0] for s, part in zip(streams, parts, strict=True))
        out.append({
            "run": name,
            "nice": nice,
            "hogs": hogs,
            "frames": len(ready),
            "misses": float((ready > deadline_ms).mean()),
            "begun_too_late": float((wait > deadline_ms).mean()),
            "waited": float((wait > WAITED_MS).mean()),
            **{f"underruns_{ms}ms": float((ready > ms).mean()) for ms in BUFFERS_MS},
            "mean_depth": float(np.mean([depth for s in streams for depth in s.heard[hogs]])),
            "p50_ms": float(np.quantile(ready, 0.5)),
            "p95_ms": float(np.quantile(ready, 0.95)),
            "p99_ms": float(np.quantile(ready, 0.99)),
            "max_ms": float(ready.max()),
            "changes_per_minute": changes / (len(ready) * HOP_S / 60),
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


def markdown(figures: dict, picture: str) -> str:
    """The figures as a page."""
    lines = [
        "# Under load",
        "",
        f"Written by `benchmarks/under_load.py`: {figures['rounds']} paced streams of {figures['seconds']:.0f} s of "
        f"each candidate and nice level, profile {figures['profile']}, {figures['machine']}. The candidates take turns "
        "of a second, and busy loops are pinned to their core. A miss is a frame that was not ready "
        f"{figures['deadline_ms']:g} ms after its last sample had come, whatever it waited for; *begun too late*: it "
        f"had not even begun by then; *waited*: it began over {WAITED_MS} ms after that sample. Times are from that "
        "sample to the output.",
        "",
        "| nice | busy loops | run | misses % | begun too late % | waited % | over 10 ms % | over 30 ms % | mean depth "
        "| p50 ms | p95 | p99 | max | changes/min |",
        "|" + "---|" * 14,
    ]
    for row in sorted(figures["rows"], key=lambda r: (r["nice"], r["hogs"])):
        lines.append(
            f"| {row['nice']} | {row['hogs']} | {row['run']} | {100 * row['misses']:.2f} | "
            f"{100 * row['begun_too_late']:.2f} | {100 * row['waited']:.1f} | "
            f"{100 * row['underruns_10ms']:.2f} | {100 * row['underruns_30ms']:.2f} | {row['mean_depth']:.2f} | "
            f"{row['p50_ms']:.2f} | {row['p95_ms']:.2f} | {row['p99_ms']:.2f} | {row['max_ms']:.1f} | "
            f"{row['changes_per_minute']:.1f} |"
        )
    waits = [row["recovery_s"] for row in figures["rows"] if row["run"] == "controller" and row["hogs"] == 0]
    said = (
        "not in every stream"
        if None in waits
        else f"within {max(waits):.1f} s of its own stream (it had one second in three)"
    )
    lines += ["", f"After the last load the depth was back {said}.", "", f"![One stream]({picture})", ""]
    return "\n".join(lines)


def plot(stream: Stream, deadline_ms: float, path: Path) -> None:
    """Load, depth, frame time and misses over time."""
    seconds = np.arange(len(stream.depth)) * HOP_S
    wait, ready = 1e3 * np.array(stream.wait_s), 1e3 * np.array(stream.ready_s)
    figure = Figure(figsize=(12, 8), layout="constrained")
    load, depth, times, misses = figure.subplots(4, 1, sharex=True, height_ratios=[1, 1.5, 2, 1.5])
    load.fill_between(seconds, stream.hogs, step="post", color="0.7")
    load.set(ylabel="busy loops", yticks=sorted(set(HOGS)))
    depth.step(seconds, stream.depth, where="post", lw=1)
    depth.set(ylabel="depth", yticks=range(1, max(stream.depth) + 1))
    times.plot(seconds, ready, ".", ms=2, label="ready")
    times.plot(seconds, np.maximum(wait, 0.01), ".", ms=1, color="0.6", label="begun")
    times.axhline(deadline_ms, color="tab:red", lw=0.8, label="deadline")
    times.set(ylabel="ms after the last sample", yscale="log")
    times.legend(loc="upper right")
    misses.step(seconds, np.cumsum(ready > deadline_ms), where="post", color="tab:red", label="misses")
    for ms, style in zip(BUFFERS_MS, ("-", ":"), strict=True):
        misses.step(seconds, np.cumsum(ready > ms), style, where="post", color="0.4", label=f"not ready in {ms} ms")
    misses.set(ylabel="frames so far", xlabel="s", yscale="symlog", ylim=0)
    misses.legend(loc="upper left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    command.run(main)
