"""What a step frees stays with the process. Measured in a process of its own: the setting cannot be taken back."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import resource, sys
import torch
from pse_sdk.training.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)  # 64 MB: by itself glibc may keep what is smaller than 32
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
# The least: the first steps find their places, and a system that is short of memory takes pages back at any time.
print(min(faults_of_a_step() for _ in range(8)))
"""


def page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROBE, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_large_tensors_are_not_paged_in_again_and_again() -> None:
    # Where the heap cannot grow, for what lies behind it, glibc maps memory all the same: another process may do.
    assert min(page_faults("kept") for _ in range(3)) < page_faults("given back") / 4
