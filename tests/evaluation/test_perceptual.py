"""What comes from libraries: perfect outputs, order, and outputs of which there is nothing to say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
CLEAN, NOISY = (soundfile.read(EXAMPLES / name, dtype="float32")[0][:48000] for name in ("clean.flac", "noisy.flac"))


@pytest.fixture(scope="module")
def perceptual():
    for package in ("pesq", "pystoi", "speechmos"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    from pse_sdk.evaluation.metrics import perceptual

    return perceptual


def test_a_perfect_output_scores_the_most_that_there_is(perceptual) -> None:
    assert perceptual.pesq_wb(CLEAN, CLEAN) == pytest.approx(4.644, abs=0.001)
    assert perceptual.short_time_intelligibility(CLEAN, CLEAN) == pytest.approx(1, abs=1e-6)


def test_noise_costs_points_and_scale_does_not(perceptual) -> None:
    for score in (perceptual.pesq_wb, perceptual.short_time_intelligibility):
        assert score(NOISY, CLEAN) < 0.9 * score(CLEAN, CLEAN)
        assert score(0.3 * NOISY, CLEAN) == pytest.approx(score(NOISY, CLEAN), rel=0.01)


def test_output_and_target_are_not_taken_for_each_other(perceptual) -> None:
    assert perceptual.pesq_wb(NOISY, CLEAN) == pytest.approx(1.1075, abs=0.005)
    assert perceptual.pesq_wb(CLEAN, NOISY) < 1.09
    assert perceptual.short_time_intelligibility(NOISY, CLEAN) == pytest.approx(0.6621, abs=0.005)


def test_a_long_recording_is_scored_in_pieces(perceptual) -> None:
    # 240 bursts in two minutes: the library's arrays hold 50.
    burst = np.random.default_rng(0).standard_normal(4000).astype(np.float32) * 0.1
    long = np.tile(np.concatenate([burst, np.zeros(4000, np.float32)]), 240)
    assert perceptual.pesq_wb(long, long) == pytest.approx(4.644, abs=0.001)
    assert np.isnan(perceptual.pesq_wb(np.zeros(0, np.float32), np.zeros(0, np.float32)))
    muted = long.copy()
    muted[: len(muted) // 2] = 0
    assert perceptual.pesq_wb(muted, long) == pytest.approx((4.644 + perceptual.WORST_PESQ) / 2, abs=0.001)


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("we walk home now", 0),
        ("we talk home now", 1),
        ("we walk now", 1),
        ("we walk all home now", 1),
        ("home we walk now", 2),
        ("", 4),
    ],
)
def test_words_that_differ_are_counted(heard: str, errors: int) -> None:
    pytest.importorskip("pocketsphinx")
    from pse_sdk.evaluation.metrics.recognition import word_errors

    assert word_errors(heard.split(), ["we", "walk", "home", "now"]) == errors


def test_words_do_not_depend_on_what_was_recognised_before() -> None:
    pytest.importorskip("pocketsphinx")
    from pse_sdk.evaluation.metrics.recognition import SentenceRecogniser

    recogniser = SentenceRecogniser(["we walk home now", "the quick brown fox", "she had your dark suit"])
    rng = np.random.default_rng(0)
    audio = [CLEAN + level * rng.standard_normal(len(CLEAN)).astype(np.float32) for level in (0.0, 0.01, 0.03, 0.1)]
    first = [recogniser.recognise(x) for x in audio]
    assert [recogniser.recognise(x) for x in audio[::-1]] == first[::-1]


def test_a_word_with_digits_or_accents_is_not_made_another() -> None:
    pytest.importorskip("pocketsphinx")
    from pse_sdk.evaluation.metrics.recognition import SentenceRecogniser, normalise

    assert normalise("Don\u2019t go there, at SIX o'clock!") == "don't go there at six o'clock"
    recogniser = SentenceRecogniser(["we walk home", "in 1999 we moved", "the café was closed"])
    assert recogniser.sentences == ["we walk home"]


def test_dnsmos_hears_the_background(perceptual) -> None:
    clean, noisy = perceptual.dns_mos(CLEAN), perceptual.dns_mos(NOISY)
    assert clean["bak"] > noisy["bak"] + 0.5
    assert all(1 <= value <= 5 for value in (*clean.values(), *noisy.values()))


def test_of_silence_and_of_a_moment_there_is_nothing_to_say(perceptual) -> None:
    silence = np.zeros_like(CLEAN)
    for output, target in ((silence, silence), (CLEAN, silence), (CLEAN[:100], CLEAN[:100])):
        assert np.isnan(perceptual.pesq_wb(output, target))
        assert np.isnan(perceptual.short_time_intelligibility(output, target))
    # Who mutes a target has the least scores: left out, they would raise the means.
    assert perceptual.pesq_wb(silence, CLEAN) == perceptual.WORST_PESQ
    assert perceptual.short_time_intelligibility(silence, CLEAN) == 0
