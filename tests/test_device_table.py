"""What a device table says: the costs of a stream, and the order of runtimes."""

import pytest

from pse_sdk.device_table import Measured, fastest_first
from pse_sdk.errors import TableError
from tests.tables import make_device_table, make_measured, make_timing


def test_the_costs_of_a_stream_are_the_paced_medians_by_depth_in_seconds() -> None:
    timings = (make_timing(2, ms=0.3), make_timing(1, ms=0.2), make_timing(1, "hot", ms=0.1))
    assert make_measured(timings=timings).costs_s == pytest.approx([0.2e-3, 0.3e-3])


@pytest.mark.parametrize(
    "timings",
    [(), (make_timing(1), make_timing(3)), (make_timing(1), make_timing(1)), (make_timing(1, "hot"),)],
    ids=["none", "gap", "twice", "only hot"],
)
def test_depths_must_be_complete(timings: tuple) -> None:
    with pytest.raises(TableError):
        make_measured(timings=timings)


def at(runtime: str, ms: float) -> Measured:
    return make_measured([ms, 2 * ms], runtime=runtime, sha256=runtime)


FILES = {"tflite": "tflite", "onnx": "onnx"}


@pytest.mark.parametrize(
    ("measured", "order"),
    [
        ([at("tflite", 0.2), at("onnx", 0.3)], ["tflite", "onnx"]),
        ([at("tflite", 0.3), at("onnx", 0.2)], ["onnx", "tflite"]),
        ([at("tflite", 0.2), at("onnx", 0.2)], ["tflite", "onnx"]),
        ([at("onnx", 0.2)], ["tflite", "onnx"]),  # the preferred one was not measured: nothing speaks against it
        ([at("torch", 0.1), at("tflite", 0.3), at("onnx", 0.2)], ["onnx", "tflite"]),
    ],
)
def test_runtimes_are_tried_in_the_order_of_what_was_measured(measured: list[Measured], order: list[str]) -> None:
    assert fastest_first(make_device_table(*measured), FILES) == order


def test_runtimes_that_were_not_measured_keep_their_places() -> None:
    table = make_device_table(at("a", 0.3), at("c", 0.1))
    assert fastest_first(table, {"a": "a", "b": "b", "c": "c"}) == ["c", "b", "a"]


def test_without_a_table_or_for_another_file_the_preference_decides() -> None:
    table = make_device_table(at("tflite", 0.3), at("onnx", 0.2))
    assert fastest_first(None, FILES) == ["tflite", "onnx"]
    assert fastest_first(table, {"tflite": "changed", "onnx": "onnx"}) == ["tflite", "onnx"]
