"""Blocks added on top of trained ones: where they start, what stays as it was, what learns."""

from pathlib import Path

import pytest
import torch

from pse_sdk.errors import ProfileError, UsageError
from pse_sdk.models import BloomStack, StackConfig
from pse_sdk.models.checkpoint import save_stack
from pse_sdk.training.averaging import ExponentialAverage
from pse_sdk.training.growth import begin_with
from pse_sdk.training.module import JointTraining
from pse_sdk.training.recipe import Recipe, load_recipe
from pse_sdk.training.remix import Batch
from tests.conftest import CONFIGS, make_stack


def grown(config: StackConfig, trained: int, folder: Path, **recipe: object) -> tuple[BloomStack, JointTraining]:
    """A trained stack of a few blocks, and the training of a deeper one that begins with its weights."""
    before = make_stack(config.replace(blocks=trained))
    save_stack(before, folder / "before.safetensors", {})
    module = JointTraining(Recipe("grown", config, frozen_blocks=trained, **recipe))  # type: ignore[arg-type]
    assert begin_with(module.stack, folder / "before.safetensors") == trained
    return before, module


def batch(samples: int = 1600) -> Batch:
    target = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(1))
    noise = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(2))
    return Batch(target + noise, target, torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool), noise)


@pytest.mark.parametrize("kind", ["e3net", "convtasnet-frame"])
def test_new_depths_start_as_the_deepest_trained_one(kind: str, tmp_path: Path) -> None:
    before, module = grown(CONFIGS[kind].replace(blocks=4), 2, tmp_path)
    signal = batch().noisy
    with torch.inference_mode():
        old = before.forward_depths(signal, [1, 2])
        new = module.stack.forward_depths(signal, [1, 2, 3, 4])
    for output, expected in zip(new, [*old, old[-1], old[-1]], strict=True):
        torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("kind", ["e3net", "convtasnet-frame"])
def test_a_step_changes_all_that_is_new_and_nothing_that_is_frozen(kind: str, tmp_path: Path) -> None:
    before, module = grown(CONFIGS[kind].replace(blocks=4), 2, tmp_path, heads=2, warmup_steps=0, decay_steps=1)
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    (optimizer,), _ = module.configure_optimizers()
    start = {name: value.clone() for name, value in module.stack.state_dict().items()}
    for _ in range(3):  # the first gradient of a silent block reaches only what silences it
        optimizer.zero_grad()
        module.training_step(batch()).backward()
        optimizer.step()
    same = {name for name, value in module.stack.state_dict().items() if torch.equal(value, start[name])}
    assert same == set(before.state_dict())


def test_nothing_is_recorded_for_gradients_in_front_of_the_first_new_block(tmp_path: Path) -> None:
    _, module = grown(CONFIGS["e3net"], 2, tmp_path)
    recorded = []
    for part in (module.stack.bottleneck, *module.stack.blocks):
        part.register_forward_hook(
            lambda *x: recorded.append((x[-1] if torch.is_tensor(x[-1]) else x[-1][0]).requires_grad)
        )
    module.stack.forward_depths(batch().noisy, [3])
    assert recorded == [False, False, False, True]


def test_averaging_leaves_frozen_weights_as_they_are_to_the_bit() -> None:
    average = ExponentialAverage(0.97)._kwargs["multi_avg_fn"]
    frozen = torch.randn(1000)
    kept = frozen.clone()
    for _ in range(100):
        average([kept], [frozen], 1)
    assert torch.equal(kept, frozen)


def test_changes_of_depth_are_trained_only_where_something_learns(tmp_path: Path) -> None:
    _, module = grown(CONFIGS["e3net"].replace(blocks=4), 3, tmp_path, switching=1.0)
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    for seed in range(5):
        output = module._switched(batch(), torch.Generator().manual_seed(seed))
        assert output.requires_grad


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    config = CONFIGS["e3net"]
    save_stack(make_stack(config), path, {})
    with pytest.raises(UsageError, match="has 3 blocks, the recipe's model 2"):
        begin_with(make_stack(config.replace(blocks=2)), path)
    # Some of these have weights of the same shapes.
    for key, value in (("channels", 32), ("block", "convtasnet"), ("hop", 8), ("head_input", "block"),
                       ("norm", "cumulative"), ("features", "prelu")):  # fmt: skip
        with pytest.raises(UsageError, match=f"another model than the recipe's: {key} = .*, not {value}"):
            begin_with(make_stack(config.replace(**{key: value})), path)
    assert begin_with(make_stack(config.replace(speaker_dim=8, mask_bias=0.0)), path) == 3
    save_stack(make_stack(config.replace(speaker_dim=8)), path, {})
    with pytest.raises(UsageError, match="speaker_dim = 8, not 16"):
        begin_with(make_stack(config.replace(speaker_dim=16)), path)


def test_a_recipe_leaves_a_block_to_train() -> None:
    with pytest.raises(ProfileError, match="frozen_blocks = 5: must leave one of 5 blocks"):
        load_recipe("small", ["frozen_blocks=5"])
