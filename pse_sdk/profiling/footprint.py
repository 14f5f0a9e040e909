"""What a model in a runtime costs before the first frame: time and memory.

Asked of a fresh process, as what was imported and loaded before would be missing from the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pse_sdk.errors import ModelError
from pse_sdk.profiling.competitors import INSTALLED_ONLY

# Arguments: runtime, model file. NumPy and psutil are there before the clock starts.
PROBE = """
import json, sys, time, numpy as np, psutil
from pathlib import Path
name, model = sys.argv[1], Path(sys.argv[2])
memory, before = psutil.Process().memory_info, psutil.Process().memory_info().rss
began = time.perf_counter()
from pse_sdk.runtimes.select import open_runtime
def load():
    runtime = open_runtime(name, model)
    runtime.open_stream().step(np.zeros((1, runtime.description.window), np.float32), runtime.description.blocks, 1)
    return runtime
runtime = load()
started, added = time.perf_counter(), memory().rss - before
load()
print(json.dumps([1e3 * (started - began), 1e3 * (time.perf_counter() - started), added / 1e6]))
"""


@dataclass(frozen=True)
class Footprint:
    """Before the first frame.

    Parameters
    ----------
    start_ms : import pse-sdk and the runtime, open the model, run one frame
    load_ms : open the model and run one frame, where all is imported
    memory_mb : what a process with NumPy grows by
    """

    start_ms: float
    load_ms: float
    memory_mb: float


def measure_footprint(runtime: str, model: Path) -> Footprint:
    """Load ``model`` with the runtime of that name in a process of its own. Raises `ModelError` where it ends badly."""
    run = subprocess.run(
        [sys.executable, "-c", INSTALLED_ONLY + PROBE, runtime, str(model)], capture_output=True, text=True, check=False
    )
    try:
        start, load, added = json.loads(run.stdout)
        return Footprint(start, load, max(0.0, added))  # less where the system took memory back meanwhile
    except (ValueError, TypeError):
        last = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise ModelError(f"{model}: runtime {runtime!r} failed in a process of its own ({last:.200})") from None
