"""``pse index`` as a user calls it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from pse_sdk.cli.main import app
from pse_sdk.errors import PseWarning
from pse_sdk.training.data import read_index


def test_a_folder_is_indexed_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("anna/a.wav", "anna/b.wav", "ben/c.wav"):
        (tmp_path / "voices" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "voices" / name, np.zeros(160), 16000)
    arguments = ["index", str(tmp_path / "voices"), "--kind", "speech", "--data", str(tmp_path), "--group-level", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "voices, speech:" in result.output
    assert "2 groups" in result.output
    assert {row["speaker"] for row in read_index(tmp_path / "index.csv")} == {"anna", "ben"}


def test_voices_that_nobody_named_are_warned_of(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(160), 16000)
    with pytest.warns(PseWarning, match="the same voices may train and validate"):
        CliRunner().invoke(app, ["index", str(tmp_path), "--kind", "speech", "--data", str(tmp_path)])
