"""A small data folder, and reports without any audio behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pse_sdk.evaluation.bootstrap import Values
from pse_sdk.evaluation.items import Label
from pse_sdk.evaluation.report import Report, Variant
from pse_sdk.evaluation.systems import Cost
from tests.evaluation.recordings import make_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)


@pytest.fixture
def report() -> Report:
    """Twelve items; `good` has two depths and gains 6 and 8 dB, `flat` has none and gains 5."""
    rng = np.random.default_rng(0)
    noisy = np.repeat([-5.0, 0.0, 5.0], 4) + 0.1 * rng.standard_normal(12)
    labels = tuple(Label(f"i{n}", 5.0, 5.0 * (n // 4) - 5, "rain" if n < 7 else f"c{n}") for n in range(12))
    words = rng.integers(3, 9, 12).astype(float)

    def variant(system: str, depth: int | None, gain: float, wer: float, cost: Cost) -> Variant:
        si_sdr = noisy + gain + (0.2 * rng.standard_normal(12) if gain else 0)
        return Variant(system, depth, cost, {
            "si_sdr": Values(si_sdr, np.ones(12)),
            "wer": Values(np.full(12, float(wer)), words),
        })  # fmt: skip

    variants = (
        variant("unprocessed", None, 0, 50, Cost(0.0, 0.0)),
        variant("good", 1, 6, 30, Cost(0.1, 1e8, 10.0, "onnx")),
        variant("good", 2, 8, 20, Cost(0.2, 2e8, 10.0, "onnx")),
        variant("flat", None, 5, 25, Cost()),
    )
    return Report("twelve items", labels, variants, {"enhance": 0.1, "si_sdr": 0.001}, {"pse_sdk": "0"})
