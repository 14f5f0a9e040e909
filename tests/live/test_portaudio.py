"""Sound cards through sounddevice, with a stand-in for it: what is opened and how, and what is said if not."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import pse_sdk as sdk
from pse_sdk.live.portaudio import PortAudioDuplex, list_devices

NO_TROUBLE = SimpleNamespace(input_overflow=False, output_underflow=False)


class PortAudioError(Exception):
    pass


def device(name: str, inputs: int, outputs: int) -> dict:
    return {"name": name, "hostapi": 0, "max_input_channels": inputs, "max_output_channels": outputs,
            "default_samplerate": 48000.0}  # fmt: skip


class Stream:
    def __init__(self, **options: object) -> None:
        self.options, self.active, self.latency, self.closed = options, False, 0.01, False
        if options["device"] == 2:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def start(self) -> None:
        self.active = True

    def close(self, ignore_errors: bool) -> None:
        self.active, self.closed = False, True


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A sounddevice with a mono microphone, stereo speakers and a broken device."""
    module = ModuleType("sounddevice")
    devices = [device("mic", 1, 0), device("speakers", 0, 8), device("broken", 2, 2)]
    for index, found in enumerate(devices):
        found["index"] = index

    def query(wanted: object = None, kind: str | None = None) -> object:
        if kind is None:
            return devices
        if wanted is None:
            wanted = {"input": "mic", "output": "speakers"}[kind]
        found = [d for i, d in enumerate(devices) if wanted == i or str(wanted) in d["name"]]
        if not found:
            raise ValueError(f"No {kind} device matching {wanted!r}")
        return found[0]

    module.query_devices = query  # type: ignore[attr-defined]
    module.query_hostapis = lambda i=None: {"name": "Fake"} if i is not None else [{"name": "Fake"}]  # type: ignore
    module.default = SimpleNamespace(device=(0, 1), hostapi=0)  # type: ignore[attr-defined]
    module.InputStream = module.OutputStream = Stream  # type: ignore[attr-defined]
    module.PortAudioError = PortAudioError  # type: ignore[attr-defined]
    module.starts = 0  # type: ignore[attr-defined]
    module._terminate = lambda: None  # type: ignore[attr-defined]
    module._initialize = lambda: setattr(module, "starts", module.starts + 1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


class Ends:
    def __init__(self) -> None:
        self.captured: list[tuple[np.ndarray, bool]] = []

    def capture(self, samples: np.ndarray, glitch: bool) -> None:
        self.captured.append((samples, glitch))

    def play(self, samples: np.ndarray, glitch: bool) -> None:
        samples[:] = np.arange(len(samples))


def test_the_systems_devices_are_opened_at_the_microphones_rate(sounddevice: ModuleType) -> None:
    duplex, ends = PortAudioDuplex(), Ends()
    assert (duplex.name, duplex.rate, duplex.running) == ("mic -> speakers", 48000, False)
    assert duplex.open(ends, 480) == pytest.approx(0.02)
    assert duplex.running
    microphone, speakers = (stream.options for stream in duplex._streams)
    assert (microphone["device"], microphone["channels"]) == (0, 1)
    assert (speakers["device"], speakers["channels"]) == (1, 2)
    assert {options["blocksize"] for options in (microphone, speakers)} == {480}


def test_channels_are_averaged_in_and_copied_out(sounddevice: ModuleType) -> None:
    duplex, ends = PortAudioDuplex(), Ends()
    duplex.open(ends, 4)
    capture, play = (stream.options["callback"] for stream in duplex._streams)
    trouble = SimpleNamespace(input_overflow=True, output_underflow=False)
    capture(np.array([[1.0, 3.0], [0.0, 2.0]], np.float32), 2, None, trouble)
    np.testing.assert_array_equal(ends.captured[0][0], [2.0, 1.0])
    assert ends.captured[0][1]
    played = np.full((3, 2), np.nan, np.float32)
    play(played, 3, None, NO_TROUBLE)
    np.testing.assert_array_equal(played, [[0, 0], [1, 1], [2, 2]])


def test_a_side_that_stops_by_itself_stops_the_device(sounddevice: ModuleType) -> None:
    duplex = PortAudioDuplex()
    duplex.open(Ends(), 480)
    streams = list(duplex._streams)
    streams[0].active = False
    assert not duplex.running
    duplex.close()
    duplex.close()
    assert all(stream.closed for stream in streams)


def test_opening_again_looks_for_devices_anew(sounddevice: ModuleType) -> None:
    duplex = PortAudioDuplex()
    duplex.open(Ends(), 480)
    assert sounddevice.starts == 0
    duplex.close()
    duplex.open(Ends(), 480)
    assert sounddevice.starts == 1
    assert duplex.running


def test_a_device_is_found_again_under_another_number_and_a_twin_is_not_taken_for_it(sounddevice: ModuleType) -> None:
    devices = sounddevice.query_devices()
    devices.append({**device("mic", 1, 0), "index": 3})
    duplex = PortAudioDuplex("3")
    duplex.open(Ends(), 480)
    assert duplex._streams[0].options["device"] == 3
    duplex.close()
    devices[:] = [device("plugged in", 1, 0), device("mic", 1, 0), device("spare", 2, 2), device("speakers", 0, 8)]
    duplex.open(Ends(), 480)
    assert [stream.options["device"] for stream in duplex._streams] == [1, 3]
    duplex.close()
    devices[1] = device("another", 1, 0)
    duplex.open(Ends(), 480)
    assert duplex._streams[0].options["device"] == "mic, Fake"


def test_a_system_that_does_not_start_again_is_tried_until_it_does(
    sounddevice: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise sounddevice.PortAudioError("no")

    duplex = PortAudioDuplex()
    duplex.open(Ends(), 480)
    duplex.close()
    with monkeypatch.context() as broken:
        broken.setattr(sounddevice, "_initialize", refuse)
        for _ in range(2):
            with pytest.raises(sdk.AudioError, match="cannot be opened"):
                duplex.open(Ends(), 480)
            broken.setattr(sounddevice, "_terminate", refuse)  # what has not started cannot end
    duplex.open(Ends(), 480)
    assert duplex.running


@pytest.mark.parametrize(
    ("source", "sink", "message"),
    [
        ("ghost", None, "no input device 'ghost' .*--list-devices"),
        (None, "mic", "no output device 'mic' .*mic has no output"),
        ("7", None, "no input device '7'"),
    ],
)
def test_a_device_that_is_not_there_is_named(
    sounddevice: ModuleType, source: str | None, sink: str | None, message: str
) -> None:
    with pytest.raises(sdk.AudioError, match=message):
        PortAudioDuplex(source, sink)


def test_a_machine_without_microphone_is_told_so(sounddevice: ModuleType) -> None:
    sounddevice.query_devices = lambda *_: (_ for _ in ()).throw(PortAudioError("no default"))  # type: ignore
    with pytest.raises(sdk.AudioError, match="no microphone found: connect one"):
        PortAudioDuplex()


def test_a_device_that_refuses_is_closed_and_named(sounddevice: ModuleType) -> None:
    duplex = PortAudioDuplex(None, "broken")
    with pytest.raises(sdk.AudioError, match="at 48000 Hz cannot be opened"):
        duplex.open(Ends(), 480)
    assert not duplex.running
    assert not duplex._streams


def test_devices_are_listed_with_the_systems_choice(sounddevice: ModuleType) -> None:
    mic, speakers, broken = list_devices()
    assert (mic.index, mic.name, mic.inputs, mic.default_input) == (0, "mic, Fake", 1, True)
    assert (speakers.default_output, broken.default_input) == (True, False)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(sdk.UsageError, match=r"pip install \"\.\[live\]\""):
        PortAudioDuplex()


def test_a_missing_portaudio_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(sdk.UsageError, match="apt install libportaudio2"):
        list_devices()


def test_of_devices_that_match_alike_the_systems_own_is_taken_and_others_are_named(sounddevice: ModuleType) -> None:
    found = sounddevice.query_devices()
    twin = device("mic", 1, 0) | {"index": 3, "hostapi": 1}
    found.append(twin)
    assert PortAudioDuplex("mi")._devices[0][0] == 0  # of interface 0, the system's
    twin["hostapi"] = 0
    with pytest.raises(sdk.AudioError, match=r"no input device 'mi' .several match, .*: 0 mic, Fake; 3 mic, Fake"):
        PortAudioDuplex("mi")
    assert PortAudioDuplex("3")._devices[0][0] == 3


def test_a_portaudio_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text(
        "class PortAudioError(Exception): pass\nraise PortAudioError('no host API')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(sdk.UsageError, match=r"PortAudio does not start \(no host API\)"):
        PortAudioDuplex()
