"""Each method's models, and that no method sees more mixtures than another."""

import itertools
from pathlib import Path

import pytest
import torch

from pse_sdk.models.checkpoint import load_stack, save_stack
from pse_sdk.training.remix import Batch
from pse_sdk.training.reproduce.chain import LinkTraining, TimeDomainChain
from pse_sdk.training.reproduce.methods import METHODS, bloom, cut_short
from pse_sdk.training.reproduce.stages import Trial
from tests.conftest import make_stack
from tests.training.reproduce.conftest import MODEL, RECIPE

SIGNAL = 0.1 * torch.randn(2, 800, generator=torch.Generator().manual_seed(0))
LINK = MODEL.replace(blocks=1)


def test_cut_short_every_depth_speaks_through_the_deepest_head() -> None:
    stack = make_stack(MODEL)
    short = cut_short(stack)
    expected = make_stack(MODEL)
    for head in expected.heads:
        head.load_state_dict(stack.heads[-1].state_dict())
    outputs = short.forward_depths(SIGNAL, [1, 2, 3])
    torch.testing.assert_close(outputs, expected.forward_depths(SIGNAL, [1, 2, 3]))
    torch.testing.assert_close(outputs[2], stack(SIGNAL, 3))
    assert not torch.allclose(outputs[0], stack(SIGNAL, 1), atol=1e-3)  # and the model itself is as it was


def test_each_link_of_a_chain_enhances_what_the_last_one_gave() -> None:
    links = [make_stack(LINK, seed) for seed in (0, 1)]
    outputs = TimeDomainChain(links).forward_depths(SIGNAL, [1, 2])
    torch.testing.assert_close(outputs[0], links[0](SIGNAL, 1))
    torch.testing.assert_close(outputs[1], links[1](links[0](SIGNAL, 1), 1))


def test_a_link_learns_from_the_frozen_links_output() -> None:
    first = make_stack(LINK)
    module = LinkTraining(RECIPE, [first])
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    batch = Batch(SIGNAL, 0.5 * SIGNAL, torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool), 0 * SIGNAL)
    torch.testing.assert_close(module.heard(batch), first(SIGNAL, 1))
    module.training_step(batch).backward()
    assert all(p.grad is None for p in module.before.parameters())
    assert module.stack.encoder.weight.grad is not None


@pytest.mark.parametrize("name", ["chain", "bloom", "bloom-ft", "joint", "weighted", "distilled", "switching"])
def test_a_scalable_model_draws_the_mixtures_of_one_budget_once_each(
    name: str, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(Trial, "fit", lambda _, module, after: drawn.extend(range(after, after + module.recipe.steps)))
    METHODS[name](trial)
    assert drawn == list(range(RECIPE.steps))


def test_the_upper_bound_takes_the_budget_for_each_depth(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        Trial, "fit", lambda _, m, after: taken.append((m.recipe.model.blocks, m.recipe.heads, m.recipe.steps))
    )
    METHODS["end-to-end"](trial)
    assert taken == [(1, 1, 12), (2, 1, 12), (3, 1, 12)]


def test_block_by_block_keeps_what_the_stage_before_had_learned(trial: Trial) -> None:
    bloom(trial)
    stages = [load_stack(trial.folder / f"block-{i}.safetensors")[0].state_dict() for i in (1, 2, 3)]
    for before, after in itertools.pairwise(stages):
        assert all(torch.equal(after[name], value) for name, value in before.items())
    assert stages[2]["blocks.2.reduce.weight"].any()  # the last block, silent at first, has learned


def test_a_finished_stage_is_not_trained_again(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bloom(trial)["bloom"]
    monkeypatch.setattr(Trial, "fit", lambda *_: pytest.fail("trained again"))
    again = bloom(trial)["bloom"]
    torch.testing.assert_close(first.forward_depths(SIGNAL, [3]), again.forward_depths(SIGNAL, [3]))


def test_a_stage_has_its_share_of_warm_up_decay_and_averaging(trial: Trial) -> None:
    part = trial.part(6, blocks=2)
    assert (part.steps, part.warmup_steps, part.decay_steps, part.model.blocks) == (6, 1, 2, 2)
    assert part.ema == pytest.approx(RECIPE.ema**2)


def test_fine_tuning_begins_with_the_grown_stack(trial: Trial, tmp_path: Path) -> None:
    grown = tmp_path / "grown.safetensors"
    save_stack(make_stack(MODEL), grown, {})
    recipe = trial.part(1, heads=3, learning_rate=0.0)
    tuned = load_stack(trial.train("tuned", recipe, grown))[0]
    expected = load_stack(grown)[0].forward_depths(SIGNAL, [1, 3])
    torch.testing.assert_close(tuned.forward_depths(SIGNAL, [1, 3]), expected)
