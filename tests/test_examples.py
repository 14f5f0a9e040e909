"""The examples run as their first lines say, and the bundled model cleans the bundled recording at every depth."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import pse_sdk as sdk

ROOT = Path(__file__).parent.parent
NOISY, CLEAN = ROOT / "examples" / "noisy.flac", ROOT / "examples" / "clean.flac"

VOICE, TWO_TALKERS = ROOT / "examples" / "voice.flac", ROOT / "examples" / "two-talkers.flac"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["enhance_file.py", str(NOISY), "out.wav"], "8.0 s enhanced at depth"),
        (["stream.py", str(NOISY)], "latency 20 ms"),
        (["profiles.py"], "unknown key 'max_dept'"),
        (["profile_device.py"], "balanced begins at depth"),
        (["enroll.py", str(VOICE), str(TWO_TALKERS), "only.wav"], "the voice is in me.voice"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_example_runs(tmp_path: Path, arguments: list[str], said: str) -> None:
    script = ROOT / "examples" / arguments[0]
    run = subprocess.run(
        [sys.executable, str(script), *arguments[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert said in run.stdout


def si_sdr(estimate: np.ndarray, target: np.ndarray) -> float:
    projection = (estimate @ target) / (target @ target) * target
    return float(10 * np.log10((projection @ projection) / np.sum((estimate - projection) ** 2)))


def test_the_bundled_model_cleans_the_bundled_recording_more_with_every_depth() -> None:
    noisy, clean = (soundfile.read(path, dtype="float32")[0] for path in (NOISY, CLEAN))
    enhancer = sdk.Enhancer()
    scores = [si_sdr(noisy, clean)]
    for depth in range(1, enhancer.max_depth + 1):
        enhancer.set_depth(depth)
        scores.append(si_sdr(enhancer.enhance(noisy), clean))
    assert scores[1] > scores[0] + 2
    assert all(deeper > shallower for shallower, deeper in itertools.pairwise(scores)), scores
