"""Small models, exported once per session, and audio that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Two cores and many small operations: threads that wait actively for each other cost more than they bring.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
import torch
from pse_sdk.exporters.onnx import export_onnx
from pse_sdk.runtimes.bundled import speaker_encoder_path
from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime

from pse_sdk.models import BloomStack, StackConfig
from pse_sdk.models.checkpoint import save_stack
from pse_sdk.models.pdccrn import Pdccrn
from pse_sdk.models.pdccrn_config import PdccrnConfig

hypothesis.settings.register_profile(
    "pse", deadline=None, max_examples=25, derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)  # fmt: skip
hypothesis.settings.load_profile("pse")

TINY = StackConfig(blocks=3, filters=64, channels=24, hidden=32, window=32, hop=16, features="prelu+power")
CONFIGS = {
    "e3net": TINY,
    "e3net-16k": TINY.replace(window=320, hop=160, filters=320),
    "e3net-lookahead": TINY.replace(window=64, lookahead=2),
    "convtasnet-lookahead": TINY.replace(block="convtasnet", features="prelu", window=48, lookahead=1),
    "e3net-block-heads": TINY.replace(head_input="block", features="prelu"),
    "convtasnet-frame": TINY.replace(block="convtasnet"),
    "convtasnet-cumulative": TINY.replace(block="convtasnet", norm="cumulative", window=48),
}


def make_stack(config: StackConfig, seed: int = 0) -> BloomStack:
    """A stack whose heads and depths differ audibly: untrained masks are nearly constant.

    Norms, slopes and biases are not as they begin, so that one that is lost or taken for another is noticed.
    """
    torch.manual_seed(seed)
    stack = BloomStack(config)
    for weight in stack.parameters():
        if weight.ndim == 1:
            weight.data += 0.1 * torch.randn_like(weight)
    for head in stack.heads:
        torch.nn.init.normal_(head.mask.weight, std=0.5)
    if stack.bottleneck.ahead is not None:
        torch.nn.init.normal_(stack.bottleneck.ahead.weight, std=0.2)
    return stack.eval()


TINY_PDCCRN = PdccrnConfig(channels=(3, 4), lstm=6, window=32, hop=16, speaker_dim=5)


def make_pdccrn(config: PdccrnConfig, seed: int = 0) -> Pdccrn:
    """A pDCCRN whose normalisations have seen something, and whose masks differ from frame to frame."""
    torch.manual_seed(seed)
    model = Pdccrn(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    for weight in (model.decoder[-1].real, model.decoder[-1].imaginary):
        torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


@pytest.fixture(scope="session")
def pdccrn() -> Pdccrn:
    return make_pdccrn(TINY_PDCCRN)


@pytest.fixture(scope="session", autouse=True)
def _no_device_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What was measured on the machine that runs the tests must not change them."""
    empty = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platformdirs.user_data_path", lambda *_, **__: empty)
        # For the processes that tests start.
        patch.setenv("XDG_DATA_HOME", str(empty))
        patch.setenv("XDG_CACHE_HOME", str(empty / "cache"))
        yield


@pytest.fixture(scope="session", params=CONFIGS, ids=str)
def stack(request: pytest.FixtureRequest) -> BloomStack:
    return make_stack(CONFIGS[request.param])


@pytest.fixture(scope="session")
def tiny_stack() -> BloomStack:
    """The one that `tiny_model` and `tiny_weights` were made of: 16 kHz, 320-sample windows, three depths."""
    return make_stack(CONFIGS["e3net-16k"])


@pytest.fixture(scope="session")
def tiny_model(tiny_stack: BloomStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    export_onnx(tiny_stack, path, name="tiny", precision="fp32")
    return path


@pytest.fixture(scope="session")
def personal_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a speaker input, for voices of the speaker encoder that came with the package."""
    stack = make_stack(CONFIGS["e3net-16k"].replace(speaker_dim=128))
    path = tmp_path_factory.mktemp("personal") / "m.onnx"
    encoder = SpeakerEncoderRuntime(speaker_encoder_path()).description.identity
    export_onnx(stack, path, name="m", precision="fp32", training={"speaker_encoder": encoder})
    return path


@pytest.fixture(scope="session")
def tiny_weights(tiny_stack: BloomStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_stack(tiny_stack, path, {"seed": 0})
    return path


@pytest.fixture
def speechlike() -> Callable[..., npt.NDArray[np.float32]]:
    """``speechlike(samples, seed)``: noise bursts with gaps, at speech level."""

    def make(samples: int, seed: int = 0) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        envelope = np.clip(np.sin(np.arange(samples) / 900), 0, None)
        return (0.2 * envelope * rng.standard_normal(samples)).astype(np.float32)

    return make


def plain(hops: int, seed: int = 0, hop: int = 160) -> npt.NDArray[np.float32]:
    """Noise in which no window has an offset or an unusual level: the model is given it as it is."""
    noise = np.random.default_rng(seed).standard_normal((hops, hop))
    return (0.1 * (noise - noise.mean(1, keepdims=True))).reshape(-1).astype(np.float32)


def cut(signal: npt.NDArray[np.float32], sizes: list[int]) -> list[npt.NDArray[np.float32]]:
    """``signal`` in blocks of the given sizes, repeated until it ends."""
    blocks, at, turn = [], 0, 0
    while at < len(signal):
        blocks.append(signal[at : at + sizes[turn % len(sizes)]])
        at += len(blocks[-1])
        turn += 1
    return blocks


def voice(seconds: float, pitch: float = 120.0, seed: int = 0, level: float = 0.1) -> npt.NDArray[np.float32]:
    """Harmonics that swell and fade as syllables do, with half a second of silence before."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16000)) / 16000
    harmonics = sum(np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6)) / k for k in range(1, 20))
    x = level * harmonics * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    return np.concatenate([np.zeros(16000 // 2), x]).astype(np.float32)
