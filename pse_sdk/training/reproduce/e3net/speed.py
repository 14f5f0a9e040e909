"""Real-time factors on one thread of ONNX Runtime: frames as a microphone delivers them, back to back, and files.

All candidates take turns, so that what slows the machine down slows them all. Random weights are timed: time does not
depend on their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx

from pse_sdk.exporters.onnx import build
from pse_sdk.exporters.parity import Precision
from pse_sdk.exporters.pdccrn import build_pdccrn, describe_pdccrn
from pse_sdk.models.stack import BloomStack
from pse_sdk.profiling.frames import Time, TimedDepth
from pse_sdk.runtimes.base import Runtime
from pse_sdk.runtimes.onnx import OnnxRuntime
from pse_sdk.runtimes.torch import describe
from pse_sdk.training.reproduce.e3net.candidates import Candidate, make

TURN = 50  # frames of one candidate before the next has its turn
REFERENCE = "pdccrn"


class Timed:
    """One file: times of frames paced as by a microphone, of frames back to back, and of whole seconds, turn by turn.

    Between paced frames other programs have the caches, so that a frame reads its weights from memory again.
    """

    def __init__(self, runtime: Runtime, clock: Time) -> None:
        d = runtime.description
        self._clock = clock
        self._paced, self._hot = (TimedDepth(runtime, d.blocks, clock) for _ in range(2))
        self._stream, self._depth = runtime.open_stream(), d.blocks
        self._second = np.zeros((round(d.sample_rate / d.hop), d.window), np.float32)
        self._second[:] = 0.05 * np.random.default_rng(0).standard_normal(self._second.shape)
        self._seconds: list[float] = []

    def turn(self) -> None:
        self._paced.run(TURN, paced=True)
        self._hot.run(TURN, paced=False)
        self._seconds.append(self._step())

    def row(self) -> dict[str, float]:
        """Milliseconds of the median paced frame, by the wall and on the processor; real-time factors."""
        return {
            "wall_ms": 1e3 * float(np.median(self._paced.wall_s)),
            "cpu_ms": 1e3 * float(np.median(self._paced.cpu_s)),
            **{f"{way}_factor": float(np.median(factors)) for way, factors in self.factors().items()},
        }

    def speedups(self, reference: Timed) -> dict[str, float]:
        """How many times less of real time this takes than the reference did in the same turns."""
        own, theirs = self.factors(), reference.factors()
        return {f"{way}_speedup": float(np.median(theirs[way] / own[way])) for way in own}

    def factors(self) -> dict[str, npt.NDArray[np.float64]]:
        """Real-time factors in every turn, [turns] each: the median frame's time on the processor over the hop.

        Not the wall's time: what others did on the core meanwhile is no property of the model.
        """
        paced, hot = (np.median(np.reshape(x.cpu_s, (-1, TURN)), 1) / x.hop_s for x in (self._paced, self._hot))
        return {"paced": paced, "hot": hot, "file": np.array(self._seconds)}

    def _step(self) -> float:
        """Processor seconds per second of audio."""
        began = self._clock.clocks.cpu()
        self._stream.step(self._second, self._depth, self._depth)
        took = self._clock.clocks.cpu() - began
        return took / (len(self._second) * self._paced.hop_s)


def measure_speed(
    candidates: Sequence[Candidate], turns: int, progress: Callable[[str], None], clock: Time | None = None
) -> dict[str, dict[str, float]]:
    """`Timed.row` of each ``NAME`` in fp32 and ``NAME-int8`` of E3Nets, and speed-ups over the large pDCCRN in fp32."""
    with TemporaryDirectory() as folder:
        timed = {
            name: Timed(runtime, clock or Time())
            for candidate in candidates
            for name, runtime in _files(candidate, Path(folder)).items()
        }
        for turn in range(turns):
            progress(f"speed, turn {turn + 1} of {turns}")
            for one in timed.values():
                one.turn()
    return {name: one.row() | one.speedups(timed[REFERENCE]) for name, one in timed.items()}


def _files(candidate: Candidate, folder: Path) -> dict[str, OnnxRuntime]:
    """The candidate as files of its one depth: nothing is in them that does not run."""
    model = make(candidate.config, seed=0).eval()
    graphs: dict[str, onnx.ModelProto] = {}
    if isinstance(model, BloomStack):
        precisions: dict[str, Precision] = {candidate.name: "fp32", f"{candidate.name}-int8": "int8"}
        for name, precision in precisions.items():
            description = describe(model, name, precision, "", {})
            graphs[name] = build(model, description, precision, fixed_depth=model.config.blocks)
    else:
        graphs[candidate.name] = build_pdccrn(model, describe_pdccrn(model, candidate.name, "fp32", "", {}), "fp32")
    for name, graph in graphs.items():
        onnx.save(graph, folder / f"{name}.onnx")
    return {name: OnnxRuntime(folder / f"{name}.onnx") for name in graphs}
