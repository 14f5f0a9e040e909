"""Real-time factors on one thread of ONNX Runtime: frames as a microphone delivers them, all files in turns.

Random weights are timed: time does not depend on their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from pse_sdk.exporters.onnx import build
from pse_sdk.exporters.parity import Precision
from pse_sdk.exporters.pdccrn import build_pdccrn, describe_pdccrn
from pse_sdk.runtimes.onnx import OnnxRuntime
from pse_sdk.runtimes.torch import describe

from pse_sdk.models.stack import BloomStack
from pse_sdk.profiling.frames import Time, TimedDepth
from pse_sdk.training.reproduce.e3net.candidates import Candidate, make

TURN = 50
REFERENCE = "pdccrn"


def write_file(candidate: Candidate, precision: Precision, folder: Path) -> OnnxRuntime:
    """The candidate as a file of its one depth: nothing is in it that does not run."""
    model, path = make(candidate.config, seed=0).eval(), folder / f"{candidate.name}-{precision}.onnx"
    if isinstance(model, BloomStack):
        description = describe(model, candidate.name, precision, "", {})
        graph = build(model, description, precision, fixed_depth=model.config.blocks)
    else:
        graph = build_pdccrn(model, describe_pdccrn(model, candidate.name, precision, "", {}), precision)
    onnx.save(graph, path)
    return OnnxRuntime(path)


def measure_speed(
    candidates: Sequence[Candidate], turns: int, progress: Callable[[str], None], clock: Time | None = None
) -> dict[str, dict[str, float]]:
    """For each ``NAME`` in fp32, and ``NAME-int8`` of E3Nets: milliseconds per frame and real-time factor.

    ``speedup`` is how many times less of real time it takes than the large pDCCRN: the median over the turns of both,
    so that what slows the machine down for a while slows down both.
    """
    with TemporaryDirectory() as folder:
        timed = {
            candidate.name + suffix: TimedDepth(runtime, runtime.description.blocks, clock or Time())
            for precision, suffix in (("fp32", ""), ("int8", "-int8"))
            for candidate in candidates
            if precision == "fp32" or candidate.name.startswith("e3net")
            for runtime in [write_file(candidate, precision, Path(folder))]  # type: ignore[arg-type]
        }
        for turn in range(turns):
            progress(f"speed, turn {turn + 1} of {turns}")
            for one in timed.values():
                one.run(TURN, paced=True)
    return {name: _row(one, timed.get(REFERENCE), turns) for name, one in timed.items()}


def _row(one: TimedDepth, reference: TimedDepth | None, turns: int) -> dict[str, float]:
    factors = _factors(one, turns)
    row = {
        "p50_ms": 1e3 * float(np.median(one.wall_s)),
        "cpu_p50_ms": 1e3 * float(np.median(one.cpu_s)),
        "factor": float(np.median(factors)),
    }
    if reference is not None:
        row["speedup"] = float(np.median(_factors(reference, turns) / factors))
    return row


def _factors(one: TimedDepth, turns: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The real-time factor in every turn, [turns]: the median frame's time on the processor over the hop.

    Not the wall's time: what others did on the core meanwhile is no property of the model.
    """
    medians: np.ndarray[tuple[int], np.dtype[np.float64]] = np.median(np.reshape(one.cpu_s, (turns, TURN)), axis=1)
    return medians / one.hop_s
