import pytest
import torch
from torch.nn import Parameter

from pse_sdk.training import muon
from pse_sdk.training.muon import Muon, orthogonalised

SETTINGS = {"lr": 1e-3, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
COEFFICIENTS, STEPS, EPS = (3.4445, -4.7750, 2.0315), 5, 1e-7


def matrices() -> list[Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [Parameter(torch.randn(shape, generator=generator)) for shape in ((24, 8), (8, 24), (16, 16))]


def steps(optimizer: torch.optim.Optimizer, trained: list[Parameter], count: int = 4) -> None:
    for step in range(count):
        generator = torch.Generator().manual_seed(step)
        for matrix in trained:
            matrix.grad = torch.randn(matrix.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize(("bf16", "tolerance"), [(True, 0.0), (False, 0.02)])
def test_steps_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, bf16: bool, tolerance: float) -> None:
    monkeypatch.setattr(muon, "multiplies_bf16", lambda _: bf16)
    start, ours, theirs = matrices(), matrices(), matrices()
    steps(Muon(ours, SETTINGS["lr"], SETTINGS["weight_decay"]), ours)
    steps(torch.optim.Muon(theirs, **SETTINGS), theirs)
    for began, mine, other in zip(start, ours, theirs, strict=True):
        assert (mine - other).norm() <= tolerance * (other - began).norm()
        assert not torch.equal(mine, began)


def test_a_checkpoint_of_torch_s_optimiser_goes_on_as_it_was() -> None:
    whole, parted = matrices(), matrices()
    steps(Muon(whole, SETTINGS["lr"], SETTINGS["weight_decay"]), whole, 2)
    steps(Muon(parted, SETTINGS["lr"], SETTINGS["weight_decay"]), parted, 2)
    first, other = Muon(whole, SETTINGS["lr"], SETTINGS["weight_decay"]), torch.optim.Muon(parted, **SETTINGS)
    steps(first, whole)
    steps(other, parted)
    again = Muon(parted, SETTINGS["lr"], SETTINGS["weight_decay"])
    again.load_state_dict(other.state_dict())
    for mine, buffer in zip(whole, again.state_dict()["state"].values(), strict=True):
        torch.testing.assert_close(first.state[mine]["momentum_buffer"], buffer["momentum_buffer"])


@pytest.mark.parametrize("shape", [(40, 10), (10, 40)])
def test_singular_values_come_near_to_one(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    monkeypatch.setattr(muon, "multiplies_bf16", lambda _: False)
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    out = orthogonalised(matrix, COEFFICIENTS, STEPS, EPS)
    assert out.shape == shape
    assert out.dtype == torch.float32
    values = torch.linalg.svdvals(out)
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_what_has_no_gradient_stays_as_it_is() -> None:
    trained = matrices()
    before = trained[0].detach().clone()
    optimizer = Muon(trained, SETTINGS["lr"], SETTINGS["weight_decay"])
    optimizer.step()
    assert torch.equal(trained[0], before)
    assert not optimizer.state
