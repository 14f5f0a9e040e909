"""The models that are compared, with what the paper says of each; and what differs between their two kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pse_sdk.models.checkpoint import save_pdccrn, save_stack
from pse_sdk.models.complexity import DepthCost, complexity, pdccrn_complexity
from pse_sdk.models.config import PRESETS, StackConfig
from pse_sdk.models.pdccrn import Pdccrn
from pse_sdk.models.pdccrn_config import PDCCRN_PRESETS, PdccrnConfig
from pse_sdk.models.stack import BloomStack

Model = BloomStack | Pdccrn


@dataclass(frozen=True)
class Candidate:
    """One row of the table.

    Parameters
    ----------
    name : a file name, too
    config : an E3Net runs at its deepest
    paper_parameters, paper_factor : millions of parameters and real-time factor in the paper's table 1
    """

    name: str
    config: StackConfig | PdccrnConfig
    paper_parameters: float
    paper_factor: float

    @property
    def label(self) -> str:
        if isinstance(self.config, StackConfig):
            return f"E3Net, N = {self.config.blocks}"
        return "pDCCRN, small" if self.name.endswith("small") else "pDCCRN"

    def cost(self) -> DepthCost:
        if isinstance(self.config, StackConfig):
            return complexity(self.config)[-1]
        return pdccrn_complexity(self.config)


CANDIDATES = (
    Candidate("e3net-2", PRESETS["e3net-2"], 4.50, 0.036),
    Candidate("e3net-4", PRESETS["e3net"], 6.61, 0.065),
    Candidate("e3net-8", PRESETS["e3net-8"], 10.85, 0.122),
    Candidate("pdccrn", PDCCRN_PRESETS["pdccrn"], 3.96, 0.195),
    Candidate("pdccrn-small", PDCCRN_PRESETS["pdccrn-small"], 1.50, 0.094),
)


def make(config: StackConfig | PdccrnConfig, seed: int) -> Model:
    torch.manual_seed(seed)
    return BloomStack(config) if isinstance(config, StackConfig) else Pdccrn(config)


def enhance(model: Model, noisy: Tensor) -> Tensor:
    """The whole signal at the greatest depth, [batch, samples] -> the same, float32."""
    output: Tensor = model(noisy, model.config.blocks) if isinstance(model, BloomStack) else model(noisy)
    return output.float()


def matrices(model: Model) -> list[nn.Parameter]:
    """What Muon trains: the matrices of E3Net's blocks, those of pDCCRN's LSTM and projection."""
    inner = model.blocks if isinstance(model, BloomStack) else nn.ModuleList([model.lstm, model.projection])
    return [p for p in inner.parameters() if p.ndim == 2]


def save(model: Model, path: Path, training: Mapping[str, Any]) -> None:
    if isinstance(model, BloomStack):
        save_stack(model, path, training)
    else:
        save_pdccrn(model, path, training)
