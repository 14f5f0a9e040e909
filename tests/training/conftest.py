"""A small data set that every test of training may use."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two speakers, two noises and two rooms in each split."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = []
    for split in ("train", "valid"):
        for kind, seconds in (("speech", 1.5), ("noise", 2.0), ("rir", 0.3)):
            for i in range(2):
                samples = 0.1 * rng.standard_normal(int(seconds * 16000))
                if kind == "rir":
                    samples *= np.exp(-np.arange(len(samples)) / 800)
                    samples[20] = 1.0
                path = f"{split}-{kind}-{i}.flac"
                soundfile.write(root / path, samples, 16000)
                rows.append({"path": path, "kind": kind, "split": split, "source": kind, "speaker": f"s{i}",
                             "category": f"c{i}"})  # fmt: skip
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return root
