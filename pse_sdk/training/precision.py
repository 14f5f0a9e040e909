"""The number format that a processor trains fastest in: bf16 where it multiplies in it, else fp32.

Most desktop processors do not. There a bf16 matrix product takes fifty times as long as one in fp32 (AVX2, torch 2.13),
and an LSTM in bf16 ends in an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch

from pse_sdk.errors import UsageError

Autocast = Literal["bf16-mixed", "16-mixed", "32-true"]
Precision = Literal["auto", Autocast]

# What `torch.cpu.get_capabilities` calls the instructions: x86 with AVX-512 or AMX, ARM, ARM with SVE.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


@lru_cache
def multiplies_bf16(device: str) -> bool:
    """Whether a device, as ``"cpu"`` or ``"cuda"``, has instructions for bf16, and not only an emulation."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in BF16_INSTRUCTIONS)
    return False


def precision_here(asked: Precision) -> Autocast:
    """What ``"auto"`` stands for on the device that trains: bf16 autocast if it multiplies bf16, else fp32.

    Raises
    ------
    UsageError
        If ``"bf16-mixed"`` is asked of a CPU that does not multiply bf16, or ``"16-mixed"`` of any CPU.
    """
    # A CUDA build of torch names its accelerator also where there is none.
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator.type if accelerator else "cpu"
    if asked == "auto":
        return "bf16-mixed" if multiplies_bf16(device) else "32-true"
    if device == "cpu" and (asked == "16-mixed" or (asked == "bf16-mixed" and not multiplies_bf16(device))):
        raise UsageError(f"precision = {asked!r}: this processor does not train in it; "
                         "--set 'precision=\"auto\"' takes what suits it")  # fmt: skip
    return asked
