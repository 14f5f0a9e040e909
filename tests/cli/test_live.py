"""``pse live`` with a device that runs by itself: it starts, obeys keys, stops, and says in one line why it cannot."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pse_sdk.cli import live, main
from pse_sdk.errors import AudioError
from tests.live.fake_device import FakeDuplex


class Device(FakeDuplex):
    """Turns by itself, a hundred times a second."""

    def __init__(self, *_: object) -> None:
        super().__init__(np.full(160000, 0.1, np.float32))

    def open(self, ends, block: int) -> float:
        lag = super().open(ends, block)
        threading.Thread(target=self._turn, daemon=True).start()
        return lag

    def _turn(self) -> None:
        while self.ends is not None:
            time.sleep(0.01)
            if self.ends is not None:
                self.turn()


@pytest.fixture
def pse(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("pse_sdk.enhancer.find_model", lambda model: tiny_model)
    monkeypatch.setattr(live, "PortAudioDuplex", Device)
    monkeypatch.setattr(live, "WATCH_S", 0.01)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["pse", "live", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return run


def test_it_says_its_lag_runs_and_sums_up(pse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LINE_S", 0.05)
    code, text = pse("--seconds", "0.3", "--profile", "fixed-2")
    assert code == 0
    lines = text.strip().splitlines()
    assert lines[0] == "fake, 16000 Hz, lag 70 ms = 20 model + 20 buffer + 30 device"
    assert any(line.startswith("depth 2") for line in lines)
    assert "mean depth 2.0" in lines[-1]


def test_a_device_table_that_cannot_be_used_is_told_once(pse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path)
    (tmp_path / "device.toml").write_text("format = 0", encoding="utf-8")
    code, text = pse("--seconds", "0.1")
    assert (code, text.count("pse: device table ignored: ")) == (0, 1)


def test_keys_bypass_change_the_profile_and_quit(pse, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["", "b", "", "b3", "x", "q"])
    asked: list[str] = []

    class Keys:
        def __enter__(self):
            return lambda: next(typed)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(live, "pressed_keys", Keys)
    monkeypatch.setattr(live.LiveSession, "toggle_bypass", lambda self: asked.append("bypass"))
    monkeypatch.setattr(live.LiveSession, "set_profile", lambda self, name: asked.append(name))
    assert pse()[0] == 0
    assert asked == ["bypass", "bypass", "quality"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--profile", "turbo"], 1, "unknown profile 'turbo'"),
        (["--profile", "turbo", "--input", "ghost"], 1, "unknown profile 'turbo'"),
        (["--buffer-ms", "1"], 2, "--buffer-ms"),
        (["--input", "ghost"], 1, "no input device 'ghost'"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    pse, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    def find(source: str | None, *_: object) -> Device:
        if source:
            raise AudioError(f"no input device {source!r}")
        return Device()

    monkeypatch.setattr(live, "PortAudioDuplex", find)
    exit_code, text = pse(*arguments)
    assert (exit_code, len(text.strip().splitlines())) == (code, 1)
    assert message in text
