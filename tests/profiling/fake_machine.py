"""A machine whose clock moves only when something runs on it or waits, with a runtime that takes known times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pse_sdk.runtimes.description import ModelDescription

from pse_sdk.load import Clocks
from pse_sdk.profiling.candidates import Candidate
from pse_sdk.profiling.frames import Time

HOP_S = 0.01


class FakeMachine:
    """``costs_s[depth - 1]`` is what a frame takes of the core; ``stolen_s`` passes beside it for frames listed."""

    def __init__(self, costs_s: Sequence[float] = (0.001, 0.002, 0.003)) -> None:
        self.costs_s = costs_s
        self.stolen_s: dict[int, float] = {}
        self.wall, self.cpu = 100.0, 5.0
        self.starts: list[float] = []
        self.depths: list[int] = []

    @property
    def time(self) -> Time:
        return Time(Clocks(lambda: self.wall, lambda: self.cpu), self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.wall += seconds

    def candidate(self, name: str = "fake") -> Candidate:
        return Candidate(Path(f"{name}.onnx"), f"sum of {name}", FakeRuntime(self, name), "1.0")

    def compute(self, depth: int) -> None:
        number = len(self.starts)
        self.starts.append(self.wall)
        self.depths.append(depth)
        self.cpu += self.costs_s[depth - 1]
        self.wall += self.costs_s[depth - 1] + self.stolen_s.get(number, 0.0)


class FakeRuntime:
    name = "onnx"

    def __init__(self, machine: FakeMachine, name: str) -> None:
        self.path: Path | None = Path(f"{name}.onnx")
        self._machine = machine
        blocks = len(machine.costs_s)
        self.description = ModelDescription(
            name, 16000, 320, 160, blocks, 4, 4, 4, (1e6,) * blocks, (1000,) * blocks, "int8", "Apache-2.0"
        )

    def open_stream(self) -> FakeStream:
        return FakeStream(self._machine)


class FakeStream:
    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine

    def step(self, windows: np.ndarray, depth: int, head: int) -> np.ndarray:
        assert windows.shape == (1, 320)
        assert head == depth
        self._machine.compute(depth)
        return windows

    def set_speaker(self, projection: np.ndarray | None) -> None: ...

    def forget(self, depth: int) -> None: ...
