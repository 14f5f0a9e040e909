"""The live panel: a picture of one `LiveStatus`."""

from __future__ import annotations

from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pse_sdk.live.session import LiveStatus

KEYS = "b bypass   1 battery   2 balanced   3 quality   q quit"
# What the level bars show: from here to full scale.
METER_LEAST_DB = -70.0


def panel(status: LiveStatus, name: str, blocks: int) -> Panel:
    """``name`` of the device, ``blocks`` of the model."""
    stats = status.stats
    table = Table.grid(padding=(0, 2))
    table.add_row("state", Text(_state(status), style="green" if status.connected else "yellow"))
    table.add_row("lag", lag_line(status))
    # Names of devices and of profile files may look like rich's markup.
    why = f"{status.profile}, once b is pressed again" if status.bypassed else f"{status.profile}: {stats.reason}"
    table.add_row("depth", Text(f"{stats.depth} of {blocks}  ({why})"))
    system = "" if stats.load.cpu is None else f", system {stats.load.cpu:.0%}"
    table.add_row("load", f"{stats.cpu_share:.1%} of a core, frame {stats.frame_ms_p50:.2f} ms, 99 % within "
                          f"{stats.frame_ms_p99:.2f} ms{system}")  # fmt: skip
    table.add_row("in", _meter(status.input_db))
    table.add_row("out", _meter(status.output_db))
    table.add_row("gain", f"{status.output_db - status.input_db:+.1f} dB")
    table.add_row("trouble", trouble_line(status))
    return Panel(table, title=Text(f"pse live: {name}"), subtitle=KEYS, title_align="left", subtitle_align="left")


def lag_line(status: LiveStatus) -> str:
    """The lag and what it is made of."""
    return (
        f"{status.lag_ms:.0f} ms = {status.model_ms:.0f} model + {status.buffer_ms:.0f} buffer "
        f"+ {status.device_ms:.0f} device"
    )


def trouble_line(status: LiveStatus) -> str:
    """Everything that went wrong, or "none"."""
    counts = {
        "late frames": status.stats.misses,
        "underruns": status.underruns,
        "ms left out": round(status.skipped_ms),
        "times realigned": status.realigned,
        "device glitches": status.glitches,
        "reconnects": status.reconnects,
        "sleeps": status.sleeps,
        "model faults": status.stats.faults,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "none"


def _state(status: LiveStatus) -> str:
    if not status.connected:
        return "waiting for the device"
    return "bypass: unprocessed" if status.bypassed else "running"


def _meter(level_db: float) -> Table:
    bar = ProgressBar(total=-METER_LEAST_DB, completed=max(0.0, level_db - METER_LEAST_DB), width=40)
    row = Table.grid(padding=(0, 1))
    row.add_row(bar, f"{level_db:.0f} dB" if level_db > -100 else "silence")
    return row
