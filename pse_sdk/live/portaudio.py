"""Sound cards, through sounddevice and PortAudio."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from pse_sdk.errors import AudioError, UsageError, first_line, how_to_install
from pse_sdk.live.device import Ends
from pse_sdk.pcm import MAX_RATE, MIN_RATE


@dataclass(frozen=True)
class DeviceInfo:
    """One line of ``pse live --list-devices``."""

    index: int
    name: str
    inputs: int
    outputs: int
    rate: int
    default_input: bool
    default_output: bool


def list_devices() -> list[DeviceInfo]:
    """Every device that PortAudio sees. Raises `UsageError` where sounddevice or PortAudio is missing."""
    sd = _sounddevice()
    default_in, default_out = sd.default.device
    apis = sd.query_hostapis()
    return [
        DeviceInfo(
            i, f"{d['name']}, {apis[d['hostapi']]['name']}", d["max_input_channels"], d["max_output_channels"],
            int(d["default_samplerate"]), i == default_in, i == default_out,
        )
        for i, d in enumerate(sd.query_devices())
    ]  # fmt: skip


class PortAudioDuplex:
    """A `Duplex` of two PortAudio devices, each given by name, a part of it, or number; the system's if None.

    While a device is away, PortAudio is started anew about once a second to see what was plugged in. That ends every
    other stream of PortAudio in this process: an app with streams of its own opens them again then.

    Parameters
    ----------
    rate : samples per second; the microphone's own if None
    latency_s : what each of the device's own buffers should hold; as little as it offers if None

    Raises
    ------
    AudioError
        If there is no such device.
    UsageError
        If sounddevice or PortAudio is missing.
    """

    def __init__(self, source: str | None = None, sink: str | None = None, rate: int | None = None,
                 latency_s: float | None = None) -> None:  # fmt: skip
        self._sd = _sounddevice()
        found_in, found_out = _find(self._sd, source, "input"), _find(self._sd, sink, "output")
        self._devices = tuple((int(d["index"]), _full_name(self._sd, d)) for d in (found_in, found_out))
        self._channels = (_channels(found_in, "input"), _channels(found_out, "output"))
        self.name = f"{found_in['name']} -> {found_out['name']}"
        self.rate = rate or min(max(int(found_in["default_samplerate"]), MIN_RATE), MAX_RATE)
        self._latency: str | float = "low" if latency_s is None else latency_s
        self._streams: list[Any] = []
        self._opened_before = False

    def open(self, ends: Ends, block: int) -> float:
        def capture(captured: Any, _frames: int, _time: Any, status: Any) -> None:
            ends.capture(captured.mean(axis=1), bool(status.input_overflow))

        def play(played: Any, frames: int, _time: Any, status: Any) -> None:
            mono = np.zeros(frames, np.float32)
            ends.play(mono, bool(status.output_underflow))
            played[:] = mono[:, None]

        # Two streams: one for both sides needs a device that has both, and stumbles over PulseAudio's.
        streams, callbacks = (self._sd.InputStream, self._sd.OutputStream), (capture, play)
        try:
            if self._opened_before:
                # PortAudio lists devices only when it starts: what was plugged in since is not there otherwise.
                with suppress(self._sd.PortAudioError):  # it may not have started the last time
                    self._sd._terminate()
                self._sd._initialize()
            self._opened_before = True
            for stream_of, kind, found, channels, callback in zip(
                streams, ("input", "output"), self._devices, self._channels, callbacks, strict=True
            ):
                stream = stream_of(samplerate=self.rate, blocksize=block, device=_again(self._sd, *found, kind),
                                   channels=channels, dtype="float32", latency=self._latency,
                                   callback=callback)  # fmt: skip
                self._streams.append(stream)
            for stream in self._streams:
                stream.start()
        except (self._sd.PortAudioError, ValueError) as error:
            self.close()
            raise AudioError(f"{self.name} at {self.rate} Hz cannot be opened ({first_line(error)}); "
                             "`pse live --list-devices` shows what there is") from error  # fmt: skip
        return float(sum(stream.latency for stream in self._streams))

    def close(self) -> None:
        while self._streams:
            self._streams.pop().close(ignore_errors=True)

    @property
    def running(self) -> bool:
        return bool(self._streams) and all(stream.active for stream in self._streams)


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ImportError:
        raise UsageError(f"live audio needs sounddevice: {how_to_install('live')}") from None
    except OSError:  # sounddevice is there and the library that it binds is not
        raise UsageError(
            "live audio needs the PortAudio library: install it with the system's package manager "
            "(Debian, Ubuntu: apt install libportaudio2; Fedora: dnf install portaudio)"
        ) from None
    except Exception as error:  # PortAudio starts when sounddevice is imported, and its errors have a class of theirs
        raise UsageError(f"PortAudio does not start ({first_line(error)}): no sound server, or no right to use it?"
                         ) from error  # fmt: skip
    module: ModuleType = sounddevice
    return module


def _find(sd: ModuleType, wanted: str | None, kind: str) -> dict[str, Any]:
    name: str | int | None = int(wanted) if wanted and wanted.isdigit() else wanted
    try:
        found: dict[str, Any] = sd.query_devices(_one_of(sd, name, kind) if isinstance(name, str) else name, kind)
        if not found[f"max_{kind}_channels"]:
            raise ValueError(f"{found['name']} has no {kind}")
    except (sd.PortAudioError, ValueError) as error:
        if wanted is None:
            raise AudioError(f"no {'microphone' if kind == 'input' else 'loudspeaker'} found: connect one, or see "
                             "docs/live.md for virtual ones") from error  # fmt: skip
        raise AudioError(f"no {kind} device {wanted!r} ({first_line(error)}); "
                         "`pse live --list-devices` shows what there is") from error  # fmt: skip
    return found


def _one_of(sd: ModuleType, name: str, kind: str) -> str | int:
    """A name as PortAudio takes it; the device itself where several match, as on Windows, which lists each four times.

    The one that the system's own sound interface lists comes first. Raises ValueError that names all, if they are more.
    """
    wanted, devices = name.lower(), list(sd.query_devices())
    matches = {
        i: full for i, d in enumerate(devices)
        if d[f"max_{kind}_channels"] and wanted in (full := _full_name(sd, d)).lower()
    }  # fmt: skip
    exact = [i for i, full in matches.items() if wanted in (full.lower(), devices[i]["name"].lower())]
    usual = [i for i in matches if devices[i]["hostapi"] == sd.default.hostapi]
    for found in (exact, list(matches), usual):
        if len(found) == 1:
            return found[0]
    if len(matches) > 1:
        raise ValueError(f"several match, give one's number: {'; '.join(f'{i} {full}' for i, full in matches.items())}")
    return name


def _again(sd: ModuleType, index: int, name: str, kind: str) -> int | str:
    """The number of the device that was found: numbers change when something is plugged in, and names can be twins.

    Its name if it is gone: PortAudio then says so.
    """
    there = {i: _full_name(sd, d) for i, d in enumerate(sd.query_devices()) if d[f"max_{kind}_channels"]}
    return index if there.get(index) == name else next((i for i, n in there.items() if n == name), name)


def _full_name(sd: ModuleType, device: dict[str, Any]) -> str:
    return f"{device['name']}, {sd.query_hostapis(device['hostapi'])['name']}"


def _channels(device: dict[str, Any], kind: str) -> int:
    """Two at most: some devices have no mono, and none needs more."""
    return min(2, int(device[f"max_{kind}_channels"]))
