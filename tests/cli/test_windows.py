"""What Windows does otherwise, as far as another system can pretend to be it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pse_sdk.cli.windows import arguments, has_no_reader


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("take1.wav", "take[1].wav", "b.wav", "a.wav", "x.flac"):
        Path(name).touch()


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["enhance", "*.wav"], ["enhance", "a.wav", "b.wav", "take1.wav", "take[1].wav"]),
        (["take[1].wav", "take?.wav", "$HOME", "*.ogg", ""], ["take[1].wav", "take1.wav", "$HOME", "*.ogg", ""]),
    ],
)
def test_patterns_stand_for_names_and_brackets_for_themselves(
    asked: list[str], meant: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pse", *asked])
    assert arguments() == asked
    monkeypatch.setattr("sys.platform", "win32")
    assert arguments() == meant


def test_a_reader_that_left_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, invalid = BrokenPipeError(errno.EPIPE, "Broken pipe"), OSError(errno.EINVAL, "Invalid argument")
    assert [has_no_reader(error) for error in (gone, invalid, ValueError())] == [True, False, False]
    monkeypatch.setattr("sys.platform", "win32")
    assert [has_no_reader(error) for error in (gone, invalid, ValueError())] == [True, True, False]


def test_what_an_encoding_lacks_is_escaped_and_the_rest_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pse_sdk", "enhance", "--help"], capture_output=True, text=True, encoding="latin-1",
        env=os.environ | {"PYTHONIOENCODING": "latin-1", "COLUMNS": "40"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2026" in done.stdout
    assert "exit." in done.stdout  # the last option was reached
