"""What an app pays before the first frame: import time, load time, resident memory. Each in a fresh process.

python benchmarks/footprint.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

PROBE = """
import time; started = time.perf_counter()
import pse_sdk as sdk; imported = time.perf_counter()
enhancer = sdk.Enhancer(); loaded = time.perf_counter()
import numpy, psutil, sys
enhancer.process(numpy.zeros(16000, numpy.float32))
megabytes = psutil.Process().memory_info().rss / 1e6
print(imported - started, loaded - imported, megabytes, 'torch' in sys.modules)
"""


def main() -> None:
    """Print the median of five processes."""
    runs = [subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True) for _ in range(5)]
    rows = [run.stdout.split() for run in runs]
    imported, loaded, memory = (statistics.median(float(row[i]) for row in rows) for i in range(3))
    print(f"import {imported:.3f} s, load {loaded:.3f} s, together {imported + loaded:.3f} s (target: under 0.5 s)")
    print(f"resident memory {memory:.0f} MB (target: under 120 MB), torch imported: {rows[0][3]}")


if __name__ == "__main__":
    main()
