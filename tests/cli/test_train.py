"""``pse train``: every option reaches the training."""

from pathlib import Path

import pytest

from pse_sdk.cli import main


def test_every_option_arrives_where_it_belongs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, object] = {}

    def train(
        recipe, data, output, processes=1, resume=False, voices=None, start_from=None, workers=None, minutes=None
    ) -> None:
        asked.update(locals())

    monkeypatch.setattr("pse_sdk.training.train.train", train)
    options = [
        "small", "-o", "out", "--data", "data", "--set", "steps=7", "--set", "model.blocks=2", "--processes", "3",
        "--resume", "--voices", "voices", "--start-from", "weights", "--workers", "4", "--minutes", "1.5",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["pse", "train", *options])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert not ended.value.code
    recipe = asked.pop("recipe")
    assert (recipe.steps, recipe.model.blocks) == (7, 2)
    asked.pop("asked", None)
    assert asked == {
        "data": Path("data"), "output": Path("out"), "processes": 3, "resume": True, "voices": Path("voices"),
        "start_from": Path("weights"), "workers": 4, "minutes": 1.5,
    }  # fmt: skip
