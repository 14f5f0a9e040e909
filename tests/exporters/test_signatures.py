"""The torch modules that TFLite signatures are made of compute what the stack computes, one frame at a time."""

import torch
from pse_sdk.exporters.signatures import DepthSignature, HeadSignature, frame_stack

from pse_sdk.models import BloomStack


def test_every_depth_and_every_head_below_it_equal_the_stack(stack: BloomStack) -> None:
    frames = frame_stack(stack)
    state, speaker = stack.initial_state(), torch.randn(1, stack.config.channels)
    hidden, cell = state.hidden, state.cell
    for depth in (3, 1, 2, 3, 3):
        window = 0.1 * torch.randn(1, stack.config.window)
        heads = range(1, depth + 1)
        with torch.inference_mode():
            expected, next_hidden, next_cell = stack.step_windows(window[None], hidden, cell, depth, heads, speaker)
            got = DepthSignature(frames, depth)(window, speaker[0], hidden[:, 0], cell[:, 0])
            torch.testing.assert_close(got["enhanced"], expected[-1][0], atol=2e-6, rtol=1e-4)
            torch.testing.assert_close(got["hidden_out"], next_hidden[:, 0], atol=2e-6, rtol=1e-4)
            torch.testing.assert_close(got["cell_out"], next_cell[:, 0], atol=2e-5, rtol=1e-4)
            for head in heads:
                heard = got["head_inputs"][head - 1 : head]
                alone = HeadSignature(frames, head)(got["features"], heard)["enhanced"]
                torch.testing.assert_close(alone, expected[head - 1][0], atol=2e-6, rtol=1e-4)
        hidden, cell = next_hidden, next_cell


def test_the_stack_itself_stays_as_it_was(stack: BloomStack) -> None:
    before = {name: value.clone() for name, value in stack.state_dict().items()}
    frame_stack(stack)
    assert before.keys() == stack.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in stack.state_dict().items())
