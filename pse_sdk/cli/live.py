"""``pse live``: from a microphone to a loudspeaker, while somebody speaks."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import DeviceTableWarning
from pse_sdk.live.keys import pressed_keys
from pse_sdk.live.panel import lag_line, panel, trouble_line
from pse_sdk.live.portaudio import PortAudioDuplex, list_devices
from pse_sdk.live.session import LiveSession, LiveStatus
from pse_sdk.load import Clocks
from pse_sdk.power import AUTO
from pse_sdk.profiles import load_profile

WATCH_S = 0.1
# Without a terminal to draw in, a line this often.
LINE_S = 5.0
PROFILE_KEYS = {"1": "battery", "2": "balanced", "3": "quality"}


def live(
    source: Annotated[
        str | None, typer.Option("--input", help="Microphone: name, part of it, or number; the system's if not given.")
    ] = None,
    sink: Annotated[str | None, typer.Option("--output", help="Loudspeaker, likewise.")] = None,
    profile: Annotated[
        str, typer.Option(help="battery, balanced, quality, auto, fixed-N, or a .toml file.")
    ] = "balanced",
    voice: Annotated[
        Path | None, typer.Option(help="Voice profile from `pse enroll`: other talkers are weakened too.")
    ] = None,
    strength_db: Annotated[
        float | None, typer.Option(help="Attenuate nothing by more than this many dB (0: no limit).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A bundled model's name, or an .onnx or .tflite file.")] = None,
    rate: Annotated[int | None, typer.Option(help="Samples per second; the microphone's if not given.")] = None,
    buffer_ms: Annotated[
        float, typer.Option(min=20, max=500, help="Delay of our buffer and of the device's two.")
    ] = 20,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    list_only: Annotated[bool, typer.Option("--list-devices", help="Show the devices and stop.")] = False,
) -> None:
    """Clean a microphone's signal while it is spoken into. Wear headphones, or send the output to a virtual cable."""
    console = Console(soft_wrap=True, highlight=False)
    if list_only:
        console.print(_devices())
        return
    chosen = profile if profile == AUTO else load_profile(profile)  # a mistake is told before a device is looked for
    warnings.simplefilter("once", DeviceTableWarning)  # here depths are chosen by what they cost
    device = PortAudioDuplex(source, sink, rate, buffer_ms / 1000)
    # What the session waits for a core comes out of its buffer, not of a frame's deadline: these clocks tell of none.
    with Enhancer(
        chosen, model=model, sample_rate=device.rate, strength_db=strength_db, voice=voice, clocks=Clocks()
    ) as enhancer:
        session = LiveSession(enhancer, device, buffer_s=buffer_ms / 1000, say=lambda line: _say(console, line))
        session.start()
        try:
            console.print(f"{device.name}, {device.rate} Hz, lag {lag_line(session.watch())}", markup=False)
            last = _run(session, console, device.name, enhancer.max_depth, seconds)
        finally:
            session.stop()
        lasted = last.stats.frames * enhancer.description.hop_seconds
        console.print(f"{lasted:.1f} s, mean depth {last.stats.mean_depth:.1f}, "
                      f"trouble: {trouble_line(last)}", markup=False)  # fmt: skip


def _run(session: LiveSession, console: Console, name: str, blocks: int, seconds: float | None) -> LiveStatus:
    """Until q, Ctrl-C, or so many seconds have passed; returns the last status."""
    status = session.watch()
    begin = time.monotonic()
    next_line = begin + LINE_S
    with (
        pressed_keys() as pressed,
        Live(panel(status, name, blocks), console=console, transient=True, auto_refresh=False) as view,
        suppress(KeyboardInterrupt),
    ):
        while seconds is None or time.monotonic() - begin < seconds:
            time.sleep(WATCH_S)
            if not _obey(session, pressed()):
                break
            status = session.watch()
            if console.is_terminal and not console.is_dumb_terminal:
                view.update(panel(status, name, blocks), refresh=True)
            elif time.monotonic() >= next_line:
                next_line += LINE_S
                console.print(_line(status), markup=False)
    return status


def _obey(session: LiveSession, keys: str) -> bool:
    """Do what the keys ask for; False for quit."""
    for key in keys.lower():
        if key == "q":
            return False
        if key == "b":
            session.toggle_bypass()
        elif key in PROFILE_KEYS:
            session.set_profile(PROFILE_KEYS[key])
    return True


def _line(status: LiveStatus) -> str:
    stats = status.stats
    return (
        f"depth {stats.depth} ({stats.reason}), in {status.input_db:.0f} dB, out {status.output_db:.0f} dB, "
        f"frame {stats.frame_ms_p50:.2f} ms, trouble: {trouble_line(status)}"
    )


def _say(console: Console, line: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')} {line}", markup=False)


def _devices() -> Table | str:
    if not (found := list_devices()):
        return "no microphone or loudspeaker found (docs/live.md has virtual ones)"
    table = Table("", "device", "in", "out", "rate", "default")
    for d in found:
        default = ", ".join(w for w, on in (("input", d.default_input), ("output", d.default_output)) if on)
        table.add_row(str(d.index), Text(d.name), str(d.inputs), str(d.outputs), f"{d.rate} Hz", default)
    return table
