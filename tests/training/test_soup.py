"""Averaging weights."""

from pathlib import Path

import pytest
import torch

from pse_sdk.errors import UsageError
from pse_sdk.models.checkpoint import load_stack, save_stack
from pse_sdk.training.soup import average
from tests.conftest import CONFIGS, make_stack


def saved(path: Path, seed: int, encoder: str = "", **changes: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    stack = make_stack(CONFIGS["e3net"].replace(**changes))
    for parameter in stack.parameters():
        torch.nn.init.normal_(parameter)
    save_stack(stack, path, {"steps": seed, "speaker_encoder": encoder})
    return stack.state_dict()


def test_the_mean_is_weighted_and_keeps_what_only_one_file_has(tmp_path: Path) -> None:
    plain = saved(tmp_path / "a.safetensors", 1, speaker_dim=0)
    personal = saved(tmp_path / "b.safetensors", 2, speaker_dim=8)
    average([tmp_path / "a.safetensors", tmp_path / "b.safetensors"], [1, 3], tmp_path / "mean.safetensors")
    mean, record = load_stack(tmp_path / "mean.safetensors")
    assert mean.config.speaker_dim == 8
    for name, weight in mean.state_dict().items():
        expected = 0.25 * plain[name] + 0.75 * personal[name] if name in plain else personal[name]
        torch.testing.assert_close(weight, expected)
    assert [(part["share"], part["steps"]) for part in record["average_of"]] == [(1, 1), (3, 2)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["plain first", "plain last"])
def test_the_mean_understands_the_voices_that_its_parts_understand(tmp_path: Path, order: tuple[int, int]) -> None:
    files = [tmp_path / "plain.safetensors", tmp_path / "personal.safetensors"]
    saved(files[0], 1, speaker_dim=0)
    saved(files[1], 2, "ours", speaker_dim=8)
    average([files[i] for i in order], [1, 1], tmp_path / "mean.safetensors")
    assert load_stack(tmp_path / "mean.safetensors")[1]["speaker_encoder"] == "ours"
    saved(files[0], 1, "theirs", speaker_dim=8)
    with pytest.raises(UsageError, match="different speaker encoders"):
        average(files, [1, 1], tmp_path / "mean.safetensors")


def test_where_masks_began_does_not_matter(tmp_path: Path) -> None:
    saved(tmp_path / "a.safetensors", 1, mask_bias=0.0)
    saved(tmp_path / "b.safetensors", 2, mask_bias=1.5)
    average([tmp_path / "a.safetensors", tmp_path / "b.safetensors"], [1, 1], tmp_path / "mean.safetensors")


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    saved(first, 1)
    saved(second, 2, head_input="block")
    with pytest.raises(UsageError, match="another model"):
        average([first, second], [1, 1], tmp_path / "mean.safetensors")
    saved(second, 2, channels=40)
    with pytest.raises(UsageError, match="another model"):
        average([first, second], [1, 1], tmp_path / "mean.safetensors")
    with pytest.raises(UsageError, match="a share for each"):
        average([first, first], [1], tmp_path / "mean.safetensors")
    with pytest.raises(UsageError, match="above 0"):
        average([first, first], [1, 0], tmp_path / "mean.safetensors")
    assert not (tmp_path / "mean.safetensors").exists()


def test_a_share_or_a_name_that_makes_no_weights_is_refused(tmp_path: Path) -> None:
    first = tmp_path / "a.safetensors"
    saved(first, 1)
    with pytest.raises(UsageError, match="share nan: must be a number above 0"):
        average([first, first], [1, float("nan")], tmp_path / "mean.safetensors")
    with pytest.raises(UsageError, match=r"mean\.onnx: weights are written as \.safetensors"):
        average([first, first], [1, 1], tmp_path / "mean.onnx")
