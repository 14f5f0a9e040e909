"""What runtimes and exporters need of a torch model: windows in, windows out, states handed through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from pse_sdk.models.stack import StackState


class Sizes(Protocol):
    """Of a config, what framing needs; samples, and the number of depths."""

    @property
    def window(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def blocks(self) -> int: ...


class WindowModel(Protocol):
    """`BloomStack` and `Pdccrn`."""

    @property
    def config(self) -> Sizes: ...

    def eval(self) -> object: ...

    def state_dict(self) -> Mapping[str, Any]: ...

    def initial_state(self, batch: int = 1) -> StackState: ...

    def step_windows(
        self,
        windows: Tensor,
        hidden: Tensor,
        cell: Tensor,
        depth: int,
        heads: Sequence[int],
        speaker: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Windows [batch, frames, window], states [blocks, batch, size]: as `BloomStack.step_windows`."""
        ...
