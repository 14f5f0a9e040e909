"""What the controller starts from: the device table where it knows the model, the model's size where not."""

import warnings
from pathlib import Path

import pytest
from pse_sdk.runtimes.bundled import checksum
from pse_sdk.runtimes.onnx import OnnxRuntime
from pse_sdk.runtimes.select import open_runtime

import pse_sdk as sdk
from pse_sdk.cost_model import assumed_costs
from pse_sdk.costs import expected_costs
from pse_sdk.errors import PseWarning
from pse_sdk.profiling.save import save_table
from tests.tables import make_device_table, make_measured


@pytest.fixture
def table_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path)
    return tmp_path / "device.toml"


def test_without_a_table_the_costs_grow_with_the_models_size(tiny_model: Path) -> None:
    runtime = OnnxRuntime(tiny_model)
    d = runtime.description
    costs = expected_costs(runtime)
    assert costs == assumed_costs(d.macs_per_second, 0.01, "fp32")
    assert costs == sorted(costs)


def test_a_table_that_knows_the_model_gives_the_costs_without_a_word(table_path: Path, tiny_model: Path) -> None:
    save_table(make_device_table(make_measured([1.0, 2.0, 9.0], sha256=checksum(tiny_model))), table_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expected_costs(OnnxRuntime(tiny_model)) == pytest.approx([0.001, 0.002, 0.009])


@pytest.mark.parametrize(
    "changes",
    [{"sha256": "1" * 64}, {"runtime": "tflite"}, {"timings": make_measured([0.1]).timings}],
    ids=["another file", "another runtime", "another number of depths"],
)
def test_a_table_that_does_not_know_the_model_is_ignored_with_one_notice(
    table_path: Path, tiny_model: Path, changes: dict
) -> None:
    runtime = OnnxRuntime(tiny_model)
    without = expected_costs(runtime)
    known = make_measured(**{"sha256": checksum(tiny_model), **changes})
    save_table(make_device_table(known), table_path)
    with pytest.warns(PseWarning, match="does not know this file of model 'tiny' in runtime 'onnx'") as told:
        assert expected_costs(runtime) == without
    assert len(told) == 1


def test_a_table_is_not_asked_for_a_runtime_that_nobody_can_measure(table_path: Path, tiny_weights: Path) -> None:
    save_table(make_device_table(), table_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expected_costs(open_runtime("torch", tiny_weights))


def test_an_enhancer_starts_at_the_depth_that_this_machine_affords(table_path: Path, tiny_model: Path) -> None:
    assert sdk.Enhancer("balanced", model=tiny_model).depth == 3
    # balanced: a tenth of a core in the mean, so 1 ms.
    save_table(make_device_table(make_measured([0.5, 0.8, 2.0], sha256=checksum(tiny_model))), table_path)
    assert sdk.Enhancer("balanced", model=tiny_model).depth == 2


@pytest.mark.parametrize("content", ["", "format = 7", "\x00", "format = 1\nmeasured = [1]"])
def test_a_damaged_table_stops_no_enhancer(table_path: Path, tiny_model: Path, content: str) -> None:
    table_path.write_text(content)
    with pytest.warns(PseWarning, match="device table ignored"):
        assert sdk.Enhancer(model=tiny_model).depth == 3


def test_auto_names_a_model_that_is_missing_also_where_there_is_a_table(table_path: Path, tmp_path: Path) -> None:
    save_table(make_device_table(), table_path)
    with pytest.raises(sdk.ModelError, match="no model file at"):
        open_runtime("auto", tmp_path / "gone.onnx")
