import pytest
import torch

from pse_sdk.errors import UsageError
from pse_sdk.training import precision
from pse_sdk.training.precision import multiplies_bf16, precision_here

CPU_ONLY = pytest.mark.skipif(torch.accelerator.is_available(), reason="asks what a CPU does")


@pytest.fixture
def cpu_with(monkeypatch: pytest.MonkeyPatch):
    """Make this a CPU with the given instructions."""

    def pretend(*instructions: str) -> None:
        multiplies_bf16.cache_clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))

    yield pretend
    multiplies_bf16.cache_clear()


@CPU_ONLY
@pytest.mark.parametrize("instructions", [("avx2", "avx512_f", "avx512_bf16"), ("amx_bf16",), ("neon", "bf16")])
def test_a_cpu_that_multiplies_bf16_trains_in_it(cpu_with, instructions: tuple[str, ...]) -> None:
    cpu_with(*instructions)
    assert precision_here("auto") == "bf16-mixed"


@CPU_ONLY
@pytest.mark.parametrize("instructions", [("avx2",), ("avx2", "avx512_f", "avx512_vnni"), ("neon",)])
def test_a_cpu_that_does_not_trains_in_fp32_and_refuses_to_be_told_otherwise(
    cpu_with, instructions: tuple[str, ...]
) -> None:
    cpu_with(*instructions)
    assert precision_here("auto") == "32-true"
    with pytest.raises(UsageError, match='precision="auto"'):
        precision_here("bf16-mixed")


@CPU_ONLY
def test_fp32_is_always_to_be_had_and_fp16_on_no_cpu() -> None:
    assert precision_here("32-true") == "32-true"
    with pytest.raises(UsageError, match='precision="auto"'):
        precision_here("16-mixed")


@CPU_ONLY
def test_a_cuda_build_without_a_gpu_trains_as_a_cpu_does(cpu_with, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled_in(check_available: bool = False) -> torch.device | None:
        return None if check_available else torch.device("cuda")

    monkeypatch.setattr(precision.torch.accelerator, "current_accelerator", compiled_in)
    cpu_with("avx512_bf16")
    assert precision_here("auto") == "bf16-mixed"
    with pytest.raises(UsageError, match='precision="auto"'):
        precision_here("16-mixed")


def test_a_gpu_is_asked_whether_it_multiplies_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported in (True, False):
        multiplies_bf16.cache_clear()
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, s=supported: s)
        monkeypatch.setattr(precision.torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
        assert precision_here("auto") == ("bf16-mixed" if supported else "32-true")
        assert precision_here("16-mixed") == "16-mixed"
    multiplies_bf16.cache_clear()
