"""Which runtime "auto" takes: the first that is installed, has a file of this very model, and computes it."""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from pse_sdk.exporters.onnx import export_onnx
from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.bundled import card_path, checksum
from pse_sdk.runtimes.select import open_runtime

import pse_sdk as sdk
from pse_sdk.errors import ModelError, PseWarning, UsageError
from pse_sdk.models.checkpoint import load_stack
from pse_sdk.profiling.save import save_table
from tests.tables import make_device_table, make_measured

DATA = Path(__file__).parent.parent / "data"

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A model as .onnx, whose path is returned, and as .tflite, both with cards."""
    stack, _ = load_stack(DATA / "tiny.safetensors")
    description = export_onnx(stack, tmp_path / "m.onnx", name="m", precision="fp32")
    shutil.copy(DATA / "tiny-fp32.tflite", tmp_path / "m.tflite")
    for path in (tmp_path / "m.onnx", tmp_path / "m.tflite"):
        card = {"sha256": checksum(path), "weights": description.weights, "precision": "fp32"}
        card_path(path).write_text(json.dumps(card))
    return tmp_path / "m.onnx"


@pytest.fixture
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(("preference", "taken"), [(("tflite", "onnx"), "tflite"), (("onnx", "tflite"), "onnx")])
def test_the_preferred_runtime_is_taken_whichever_file_is_named(pair: Path, preference, taken: str) -> None:
    for path in (pair, pair.with_suffix(".tflite")):
        assert open_runtime("auto", path, preference).name == taken


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("field", ["weights", "precision"])
def test_a_file_beside_it_of_another_model_is_left_alone(pair: Path, field: str) -> None:
    card = card_path(pair.with_suffix(".tflite"))
    card.write_text(json.dumps(json.loads(card.read_text()) | {field: "other"}))
    assert open_runtime("auto", pair).name == "onnx"
    card.unlink()
    assert open_runtime("auto", pair).name == "onnx"


@pytest.mark.usefixtures("_quiet")
def test_a_runtime_that_is_not_installed_is_passed_over(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pse_sdk.runtimes.tflite", raising=False)
    for package in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)
    assert open_runtime("auto", pair).name == "onnx"
    for name in ("tflite", "auto"):
        with pytest.raises(UsageError, match=r"needs ai-edge-litert: pip install \"\.\[tflite\]\""):
            open_runtime(name, DATA / "tiny-fp32.tflite")


def test_a_runtime_that_is_installed_and_broken_is_told_and_passed_over(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("raise ImportError('libfoo.so.6: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("pse_sdk.runtimes.tflite", "ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.warns(PseWarning, match=r"installed but does not load \(libfoo.*'onnx' is used instead"):
        assert open_runtime("auto", pair).name == "onnx"
    with pytest.raises(ModelError, match="installed but does not load"):
        open_runtime("tflite", pair)


def test_an_onnx_runtime_that_does_not_load_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('DLL load failed while importing its core')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("pse_sdk.runtimes.onnx", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModelError, match=r"ONNX Runtime does not load \(DLL load failed.*: install it again"):
        open_runtime("onnx", DATA / "tiny-fp32.onnx")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_a_file_beside_it_that_may_not_be_read_is_passed_over_with_one_warning(pair: Path) -> None:
    pair.with_suffix(".tflite").chmod(0)
    with pytest.warns(PseWarning, match=r"m\.tflite: cannot be read.*'onnx' is used instead"):
        assert open_runtime("auto", pair).name == "onnx"


def test_a_file_that_cannot_be_read_is_one_clear_error(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(ModelError, match=r"m\.onnx: cannot be read \(Permission denied\)"):
        open_runtime("onnx", pair)


def test_a_runtime_asked_for_by_name_is_tested_too(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "failure", lambda _: "it hums")
    with pytest.raises(ModelError, match=r"does not compute it correctly.*it hums"):
        open_runtime("onnx", pair)


def test_a_runtime_that_fails_its_self_test_is_passed_over_with_one_warning(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = self_test.failure
    monkeypatch.setattr(self_test, "failure", lambda r: "it hums" if r.name == "tflite" else real(r))
    with pytest.warns(PseWarning, match=r"m\.tflite: .*it hums.*'onnx' is used instead") as caught:
        assert open_runtime("auto", pair).name == "onnx"
    assert len(caught) == 1
    with pytest.raises(ModelError, match="does not compute it correctly"):
        open_runtime("auto", DATA / "tiny-fp32.tflite")


def test_a_runtime_that_breaks_while_it_loads_or_runs_is_passed_over_with_one_warning(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Node 7 failed to prepare.\nand more")

    monkeypatch.setattr("pse_sdk.runtimes.tflite.TfliteRuntime.run", fail)
    with pytest.warns(PseWarning, match=r"m\.tflite.*Node 7.*'onnx' is used instead"):
        assert open_runtime("auto", pair).name == "onnx"
    monkeypatch.undo()
    monkeypatch.setattr("pse_sdk.runtimes.tflite.TfliteStream.step", fail)
    with pytest.warns(PseWarning, match=r"m\.tflite.*Node 7 failed to prepare\.\).*'onnx' is used instead"):
        assert open_runtime("auto", pair).name == "onnx"


@pytest.mark.parametrize("damaged", ["m.tflite", "m.tflite.json"])
def test_a_damaged_file_beside_it_is_passed_over_with_one_warning(pair: Path, damaged: str) -> None:
    path = pair.with_name(damaged)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(PseWarning, match=r"m\.tflite.*'onnx' is used instead") as caught:
        assert open_runtime("auto", pair).name == "onnx"
    assert len(caught) == 1


def test_a_damaged_file_that_was_named_is_passed_over_for_the_one_beside_it(pair: Path) -> None:
    path = pair.with_suffix(".onnx")
    path.write_bytes(path.read_bytes()[:-20])
    assert sdk.Enhancer(model=path, runtime="auto").runtime == "tflite"
    with pytest.raises(ModelError, match="was changed since it was made"):
        sdk.Enhancer(model=path, runtime="onnx")


def test_a_file_with_one_byte_changed_is_not_run_by_any_way(pair: Path) -> None:
    path = pair.with_suffix(".tflite")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.warns(PseWarning, match=r"m\.tflite.*was changed since it was made.*'onnx' is used instead"):
        assert open_runtime("auto", pair).name == "onnx"
    for given in (pair, path):
        with pytest.raises(ModelError, match="was changed since it was made"):
            open_runtime("tflite", given)


def test_a_runtime_asked_for_by_name_takes_its_own_kind_of_file(pair: Path) -> None:
    assert open_runtime("tflite", pair).name == "tflite"
    pair.with_suffix(".tflite").unlink()
    with pytest.raises(ModelError, match=r"runtime 'tflite' needs m\.tflite beside .*m\.onnx"):
        open_runtime("tflite", pair)


def test_an_enhancer_tells_which_runtime_is_at_work(pair: Path) -> None:
    assert sdk.Enhancer(model=pair).runtime == "tflite"
    assert sdk.Enhancer(model=pair, runtime="onnx").runtime == "onnx"


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    for suffix in (".onnx", ".tflite"):
        with pytest.raises(ModelError, match=f"no model file at .*gone{suffix}"):
            open_runtime("auto", tmp_path / f"gone{suffix}")


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("fastest", ["onnx", "tflite"])
def test_the_device_table_goes_before_the_preference(
    pair: Path, fastest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path)
    measured = [
        make_measured([0.1 if name == fastest else 9.0], runtime=name, sha256=checksum(pair.with_suffix(suffix)))
        for name, suffix in (("onnx", ".onnx"), ("tflite", ".tflite"))
    ]
    save_table(make_device_table(*measured), tmp_path / "device.toml")
    assert open_runtime("auto", pair).name == fastest
