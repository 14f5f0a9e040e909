"""The stack: streaming equals the whole-signal pass, whatever the chunks, at every depth, for both block kinds."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.errors import ModelError
from pse_sdk.models import BloomStack, StackConfig
from pse_sdk.models.encoder import tight_frame
from pse_sdk.models.norm import MOST_FRAMES, STATISTICS, ChannelNorm
from tests.conftest import CONFIGS, TINY, make_stack


@given(data=st.data())
def test_streaming_equals_the_whole_signal_pass(stack: BloomStack, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, stack.config.blocks), "depth")
    chunks = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8), "frames per chunk")
    hop, overlap = stack.config.hop, stack.config.overlap
    signal = torch.randn(2, sum(chunks) * hop, generator=torch.Generator().manual_seed(sum(chunks))) * 0.1
    state, outputs, at = stack.initial_state(2), [], 0
    with torch.inference_mode():
        for frames in chunks:
            block = signal[:, at : at + frames * hop].view(2, frames, hop)
            out, state = stack.step(block, state, depth)
            outputs.append(out.flatten(1))
            at += frames * hop
        whole = stack(signal, depth)
    streamed = torch.cat(outputs, 1)
    torch.testing.assert_close(streamed[:, overlap:], whole[:, : max(at - overlap, 0)], atol=2e-5, rtol=1e-4)


def test_a_step_leaves_the_states_of_blocks_that_do_not_run(stack: BloomStack) -> None:
    frames = torch.randn(1, 3, stack.config.hop)
    before = stack.initial_state()
    _, after = stack.step(frames, before, depth=1)
    assert not torch.equal(after.hidden[0], before.hidden[0])
    torch.testing.assert_close(after.hidden[1:], before.hidden[1:])


def test_a_step_does_not_change_the_state_it_was_given(stack: BloomStack) -> None:
    state = stack.initial_state()
    stack.step(torch.randn(1, 3, stack.config.hop), state, depth=3)
    assert not any(t.any() for t in (state.history, state.hidden, state.cell, state.overlap))


def test_a_shallower_head_hears_nothing_of_the_deeper_blocks(stack: BloomStack) -> None:
    frames = torch.randn(1, 4, stack.config.hop)
    warming, _ = stack.step(frames, stack.initial_state(), depth=3, head=1)
    plain, _ = stack.step(frames, stack.initial_state(), depth=1)
    torch.testing.assert_close(warming, plain)


def test_every_depth_and_head_give_another_output(stack: BloomStack) -> None:
    signal = torch.randn(1, 400) * 0.1
    outputs = stack.forward_depths(signal, [1, 2, 3])
    assert all((a - b).abs().max() > 1e-4 for a, b in itertools.pairwise(outputs))


def test_the_untrained_stack_passes_the_signal() -> None:
    torch.manual_seed(0)
    stack = BloomStack(TINY)
    signal = torch.randn(1, 1600) * 0.1
    output = stack(signal, 3)
    assert torch.corrcoef(torch.cat([signal, output]))[0, 1] > 0.99


def test_the_tight_frame_rebuilds_the_signal_to_110_db() -> None:
    filters = tight_frame(512, 320).double()
    signal = torch.randn(3200, dtype=torch.float64)
    windows = signal.unfold(0, 320, 160)
    rebuilt = torch.zeros_like(signal)
    for i, window in enumerate(windows @ filters.t() @ filters):
        rebuilt[i * 160 : i * 160 + 320] += window
    error = (rebuilt - signal)[160:-160]
    assert 10 * torch.log10(signal.square().mean() / error.square().mean()) > 110


def test_the_speaker_changes_the_output_only_through_its_projection() -> None:
    stack = make_stack(TINY.replace(speaker_dim=8))
    signal, embedding = torch.randn(1, 400) * 0.1, torch.randn(1, 8)
    nobody = stack(signal, 2)
    anyone = stack(signal, 2, speaker=stack.bottleneck.anyone[None])
    somebody = stack(signal, 2, speaker=stack.bottleneck.speaker_projection(embedding))
    torch.testing.assert_close(nobody, anyone)
    assert (somebody - nobody).abs().max() > 1e-4


def test_cumulative_normalisation_counts_on_under_bf16() -> None:
    norm, x = ChannelNorm(16, "cumulative"), torch.randn(1, 600, 16)
    expected, _ = norm(x, torch.zeros(1, STATISTICS))
    y, statistics = norm(x.bfloat16(), torch.zeros(1, STATISTICS))
    assert y.dtype == torch.bfloat16
    assert statistics[0, 0] == 600
    torch.testing.assert_close(y.float(), expected, atol=0.03, rtol=0.01)


def test_global_normalisation_works_on_recordings_and_refuses_to_stream() -> None:
    stack = make_stack(TINY.replace(block="convtasnet", norm="global"))
    assert stack(torch.randn(1, 333), 3).shape == (1, 333)
    with pytest.raises(ModelError, match="cannot stream"):
        stack.step(torch.randn(1, 1, TINY.hop), stack.initial_state(), 1)


@pytest.mark.parametrize(("depth", "head"), [(0, None), (4, None), (2, 3)])
def test_a_depth_that_does_not_exist_is_refused(depth: int, head: int | None) -> None:
    stack = make_stack(TINY)
    with pytest.raises(ValueError, match="depth must be between 1 and 3"):
        stack.step(torch.zeros(1, 1, TINY.hop), stack.initial_state(), depth, head=head)


@pytest.mark.parametrize("samples", [1, 15, 16, 17, 160])
def test_a_whole_signal_keeps_its_length(stack: BloomStack, samples: int) -> None:
    assert stack(torch.randn(1, samples), 1).shape == (1, samples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 100, "hop": 48}, "whole number of hops"),
        ({"filters": 63}, "even"),
        ({"blocks": 0}, "at least 1"),
        ({"block": "E3Net"}, "must be one of e3net, convtasnet"),
        ({"norm": "batch"}, "must be one of frame"),
        ({"mask_bias": float("nan")}, "must be a number"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StackConfig(**change)  # type: ignore[arg-type]


def test_a_rise_in_depth_equals_the_stream_that_makes_it(stack: BloomStack) -> None:
    if stack.config.norm == "cumulative":
        pytest.skip("its running statistics start with the block, as its states do")
    hop, frames, wake, heard = stack.config.hop, 40, 15, 22
    signal = torch.randn(2, hop * frames) * 0.1
    expected = []
    state = stack.initial_state(2)
    with torch.inference_mode():
        for t in range(frames):
            depth, head = (1, 1) if t < wake else (3, 1) if t < heard else (3, 3)
            frame, state = stack.step(signal[:, None, t * hop : (t + 1) * hop], state, depth, head=head)
            expected.append(frame[:, 0])
        switched = stack.forward_switch(signal, 1, 3, wake, heard)
    streamed = torch.cat(expected, 1)[:, stack.config.overlap :]
    torch.testing.assert_close(switched[:, : streamed.shape[1]], streamed, atol=1e-5, rtol=1e-4)


def test_nobody_enrolled_is_the_learned_vector_and_voices_are_their_projection() -> None:
    stack = make_stack(CONFIGS["e3net"].replace(speaker_dim=8))
    torch.nn.init.normal_(stack.bottleneck.anyone)
    signal, embedding = torch.randn(2, 800), torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    condition = stack.bottleneck.condition(embedding, torch.tensor([True, False]))
    with torch.inference_mode():
        both = stack(signal, 2, condition)
        torch.testing.assert_close(both[1], stack(signal, 2)[1])
        torch.testing.assert_close(condition[0], stack.bottleneck.projection_matrix @ embedding[0])
        assert not torch.allclose(both[0], stack(signal, 2)[0], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block": "convtasnet", "kernel": 1}, "kernel = 1: must be at least 2"),
        ({"sample_rate": 16000.0}, "sample_rate = 16000.0: must be a whole number"),
        ({"hop": 0}, "hop = 0: must be a whole number, at least 1"),
    ],
)
def test_sizes_that_no_stack_can_have_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TINY.replace(**changes)


def test_cumulative_normalisation_still_follows_after_hours() -> None:
    norm, x = ChannelNorm(16, "cumulative"), 3 + torch.randn(1, 2000, 16)
    _, statistics = norm(x, torch.tensor([[2.0**26, 1.0, 1.0]]))
    _, statistics = norm(x[:, :1], statistics)
    _, followed = norm(x, statistics)
    count, mean, _ = followed[0].tolist()
    assert count == MOST_FRAMES
    expected = float(statistics[0, 1]) + (3 - float(statistics[0, 1])) * 2000 / (MOST_FRAMES + 2000)
    assert mean == pytest.approx(expected, rel=1e-3)
