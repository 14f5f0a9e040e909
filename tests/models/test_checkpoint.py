"""Weights on disk: they come back as they went, and nothing foreign is loaded."""

import pickle
from pathlib import Path

import pytest
import torch

from pse_sdk.errors import ModelError
from pse_sdk.models import BloomStack
from pse_sdk.models.checkpoint import load_model, load_stack, save_pdccrn, save_stack
from pse_sdk.models.pdccrn import Pdccrn
from tests.conftest import TINY, make_stack


def test_weights_come_back_as_they_went(tiny_stack: BloomStack, tiny_weights: Path) -> None:
    loaded, training = load_stack(tiny_weights)
    assert loaded.config == tiny_stack.config
    assert training == {"seed": 0}
    for name, value in tiny_stack.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    flag = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (flag,)

    file = tmp_path / "weights.safetensors"
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="not weights"):
        load_stack(file)
    assert not flag.exists()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.safetensors"):
        load_stack(tmp_path / "nothing.safetensors")


def test_a_pdccrn_and_a_stack_come_back_as_what_they_were(pdccrn: Pdccrn, tmp_path: Path) -> None:
    stack = make_stack(TINY)
    save_pdccrn(pdccrn, tmp_path / "p.safetensors", {"steps": 3})
    save_stack(stack, tmp_path / "s.safetensors", {})
    loaded, training = load_model(tmp_path / "p.safetensors")
    assert isinstance(loaded, Pdccrn)
    assert (loaded.config, training) == (pdccrn.config, {"steps": 3})
    signal = torch.randn(1, 200)
    assert torch.equal(loaded(signal), pdccrn(signal))
    assert isinstance(load_model(tmp_path / "s.safetensors")[0], BloomStack)
    with pytest.raises(ModelError, match="not weights"):
        load_stack(tmp_path / "p.safetensors")
