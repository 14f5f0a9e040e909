"""What there is to measure: each model in each runtime that can load it, and a reason for those that cannot."""

from pathlib import Path

import pytest
from pse_sdk.runtimes.bundled import bundled_models, checksum

from pse_sdk.errors import ModelError, UsageError
from pse_sdk.profiling import candidates as module
from pse_sdk.profiling.candidates import DEVICE_RUNTIMES, find_candidates


def test_all_that_came_with_the_package_is_found() -> None:
    found, _ = find_candidates([], [])
    assert {candidate.runtime.description.name for candidate in found} == set(bundled_models())
    assert {candidate.runtime.name for candidate in found} <= set(DEVICE_RUNTIMES)


def test_a_model_of_ones_own_is_found_with_its_sum_and_the_runtimes_version(tiny_model: Path) -> None:
    (found,), _ = find_candidates([str(tiny_model)], ["onnx"])
    assert (found.sha256, found.runtime.description.name) == (checksum(tiny_model), "tiny")
    assert found.runtime_version[0].isdigit()
    assert str(found).startswith("tiny (fp32) in onnx ")


def test_a_runtime_that_cannot_load_a_model_is_skipped_with_the_reason(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEVICE_RUNTIMES", ("quantum", "onnx"))
    found, skipped = find_candidates([str(tiny_model)], [])
    assert [candidate.runtime.name for candidate in found] == ["onnx"]
    assert len(skipped) == 1
    assert skipped[0].startswith("not measured: tiny.onnx in quantum: unknown runtime")


@pytest.mark.parametrize("runtime", ["torch", "auto", "quantum"])
def test_only_runtimes_of_a_device_are_measured(runtime: str) -> None:
    with pytest.raises(UsageError, match=f"runtime '{runtime}' cannot be measured: choose from tflite, onnx"):
        find_candidates([], [runtime])


def test_nothing_to_measure_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_text("no model")
    with pytest.raises(UsageError, match=r"nothing to measure: .*not measured: broken\.onnx in onnx"):
        find_candidates([str(tmp_path / "broken.onnx")], [])
    with pytest.raises(ModelError, match="unknown model 'huge'"):
        find_candidates(["huge"], [])
