"""What this machine can do, measured in a few seconds, and what profiles make of it: python examples/profile_device.py

`pse profile-device` does the same with more care, and keeps the result for every `Enhancer` on this machine.
"""

from pse_sdk.profiles import load_profile

from pse_sdk.controller import DepthController
from pse_sdk.profiling.candidates import find_candidates
from pse_sdk.profiling.energy import EnergyMeter
from pse_sdk.profiling.measure import Plan, measure
from pse_sdk.table_reader import default_path

candidates, skipped = find_candidates(models=[], runtimes=[])  # all that came with the package, all that is installed
every = measure(candidates, Plan(frames=50, turn=25), EnergyMeter(), progress=lambda _: None)

for series in every:
    measured = series.measured()
    print(f"{series.candidate}: opened in {measured.load_ms:.0f} ms, {measured.memory_mb:.0f} MB")
    for timing in measured.timings:
        print(
            f"  {timing.condition:5} depth {timing.depth}: {timing.wall_p50_ms:.2f} ms of wall time (p50), "
            f"{timing.wall_p99_ms:.2f} ms (p99), {timing.cpu_p50_ms:.2f} ms of CPU time"
        )
    for name in ("battery", "balanced", "quality"):
        decision = DepthController(load_profile(name), measured.costs_s, measured.hop_ms / 1e3).decision
        print(f"  {name} begins at depth {decision.depth}: {decision.reason}")
print(f"`pse profile-device` writes {default_path()}")
