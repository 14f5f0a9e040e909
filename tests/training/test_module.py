"""What the losses of a step reach: weighted heads, and shallower heads that the deepest one teaches."""

import dataclasses

import pytest
import torch

from pse_sdk.errors import ProfileError
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe, load_recipe
from pse_sdk.training.remix import Batch
from tests.conftest import TINY

BASE = Recipe("tiny", TINY, heads=3, spectral_weight=0.0)
NOISY = 0.1 * torch.randn(2, 800, generator=torch.Generator().manual_seed(0))
BATCH = Batch(NOISY, 0.5 * NOISY.roll(1), torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool), 0 * NOISY)


def step(**changes: object) -> tuple[float, JointTraining]:
    """Loss of one step, and the module with its gradients."""
    module = JointTraining(dataclasses.replace(BASE, **changes))  # type: ignore[arg-type]
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    loss = module.training_step(BATCH)
    loss.backward()
    return loss.item(), module


def gradients(part: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in part.parameters() if p.grad is not None])


def test_a_head_of_weight_zero_learns_nothing() -> None:
    _, module = step(head_weights=(0.0, 1.0, 1.0))
    assert not gradients(module.stack.heads[0]).any()
    assert gradients(module.stack.heads[1]).any()


def test_equal_weights_are_the_mean() -> None:
    assert step(head_weights=(2.0, 2.0, 2.0))[0] == pytest.approx(step()[0])


def test_weights_count_among_the_heads_that_were_drawn() -> None:
    alone, _ = step(heads=1)
    assert step(heads=1, head_weights=(5.0, 5.0, 0.5))[0] == pytest.approx(alone)


def test_the_deepest_head_teaches_and_is_not_changed_by_it() -> None:
    _, plain = step()
    _, taught = step(distillation=0.5)
    torch.testing.assert_close(gradients(taught.stack.heads[2]), gradients(plain.stack.heads[2]))
    torch.testing.assert_close(gradients(taught.stack.blocks[2]), gradients(plain.stack.blocks[2]))
    assert not torch.allclose(gradients(taught.stack.heads[0]), gradients(plain.stack.heads[0]))


def test_what_is_taught_lies_half_way_to_the_deepest_output() -> None:
    module = JointTraining(BASE)
    deepest = BATCH.target.roll(3)
    half_way, elsewhere = (deepest + BATCH.target) / 2, deepest
    taught = module._from_the_deepest([half_way, elsewhere, deepest], BATCH)
    assert taught[0] < taught[1]
    assert taught[2] == 0


def test_weights_for_another_number_of_heads_are_refused() -> None:
    with pytest.raises(ProfileError, match="head_weights: 2 given for 5 blocks"):
        load_recipe("small", ["head_weights=[1, 2]"])


def test_remixes_make_the_batch_of_a_step_larger() -> None:
    heard: list[int] = []

    class Listening(JointTraining):
        def heard(self, batch: Batch) -> torch.Tensor:
            heard.append(len(batch.noisy))
            return super().heard(batch)

    module = Listening(dataclasses.replace(BASE, remixes=3))
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    module.training_step(BATCH)
    assert heard == [3 * len(NOISY)]


def test_processes_draw_remixes_of_their_own_and_heads_in_common() -> None:
    batch = BATCH._replace(noise=0.3 * NOISY.flip(1))
    heard: list[torch.Tensor] = []
    depths: list[list[int]] = []

    class Listening(JointTraining):
        rank = 0
        global_rank = property(lambda self: self.rank)  # type: ignore[assignment]

        def heard(self, batch: Batch) -> torch.Tensor:
            heard.append(batch.noisy)
            return super().heard(batch)

        def _depths(self, generator: torch.Generator) -> list[int]:
            depths.append(super()._depths(generator))
            return depths[-1]

    for rank in (0, 1, 0):
        module = Listening(dataclasses.replace(BASE, remixes=2, heads=2))
        module.rank = rank
        module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
        module.training_step(batch)
    assert torch.equal(heard[0], heard[2])
    assert not torch.equal(heard[0], heard[1])
    assert depths[0] == depths[1]
