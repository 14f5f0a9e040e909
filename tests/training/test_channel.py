"""What recordings and calls do to mixtures: how much is damaged, and that the target stays in place."""

import numpy as np
import pytest
from scipy.signal import correlate

from pse_sdk.training.augment import low_pass
from pse_sdk.training.channel import CODECS, any_codec, bursts, lose_packets, overload, through_codec
from tests.conftest import voice


def test_overload_cuts_peaks_by_3_to_15_db_and_leaves_quiet_parts_alone() -> None:
    x = voice(1.0)
    drives, quiet = [], np.abs(x) < 0.02 * np.abs(x).max()
    for seed in range(40):
        y = overload(np.random.default_rng(seed), x)
        drives.append(20 * np.log10(np.abs(x).max() / np.abs(y).max()))
        np.testing.assert_allclose(y[quiet], x[quiet], atol=1e-3 * np.abs(x).max())
        assert np.all(np.abs(y) <= np.abs(x) + 1e-6)
    assert 2.9 < min(drives) < 5
    assert 13 < max(drives) < 15.1


def test_overload_is_hard_as_often_as_soft() -> None:
    x = voice(1.0)
    damaged = [overload(np.random.default_rng(seed), x) for seed in range(60)]
    hard = [np.sum(np.abs(y) == np.abs(y).max()) > 20 for y in damaged]
    assert 15 < sum(hard) < 45


def test_overloaded_silence_is_silence() -> None:
    assert not overload(np.random.default_rng(0), np.zeros(100, np.float32)).any()


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_changes_the_sound_and_keeps_its_place_and_level(name: str) -> None:
    codec = CODECS[name]
    x = low_pass(voice(1.5), 3400)[:: 16000 // codec.rate]
    y = through_codec(x, codec, 12)
    assert len(y) == len(x)
    lag = int(np.argmax(correlate(y, x))) - (len(x) - 1)
    assert lag == 0  # at the codec's rate; one sample is 62 or 125 us
    assert 20 * np.log10(np.std(y) / np.std(x)) == pytest.approx(0, abs=1.5)
    assert 0.02 < np.std(y - x) / np.std(x) < 0.6


def test_what_lies_above_full_scale_is_not_turned_round() -> None:
    x = np.repeat(np.resize([1.05, -1.05], 40), 100).astype(np.float32)
    for codec in CODECS.values():
        assert np.corrcoef(x, through_codec(x, codec, 12))[0, 1] > 0.9


def test_opus_is_coded_at_the_rate_asked_for() -> None:
    rng = np.random.default_rng(0)
    x = (0.1 * rng.standard_normal(16000)).astype(np.float32)
    errors = [np.std(through_codec(x, CODECS["opus-wide"], kbps) - x) for kbps in (12, 32, 128)]
    assert errors[0] > errors[1] > errors[2]


def test_a_codec_takes_from_the_target_no_more_than_its_band() -> None:
    rng = np.random.default_rng(1)
    low = low_pass(voice(1.0), 3000)
    noisy = low + 0.05 * rng.standard_normal(len(low)).astype(np.float32)
    seen = set()
    for seed in range(12):
        coded, target = any_codec(np.random.default_rng(seed), noisy, noisy)
        assert coded.shape == target.shape == noisy.shape
        spectrum = np.abs(np.fft.rfft(target)) ** 2
        band = np.fft.rfftfreq(len(target), 1 / 16000)
        wide = spectrum[band > 4500].sum() > 1e-3 * spectrum.sum()
        seen.add(wide)
        kept, before = low_pass(target, 3000), low_pass(noisy, 3000)
        assert np.linalg.norm(kept - before) < 0.02 * np.linalg.norm(before)
    assert seen == {True, False}


def test_lost_packets_come_in_bursts_at_the_rate_asked_for() -> None:
    lost = bursts(np.random.default_rng(0), 200_000, 0.1, 3.0)
    starts = np.sum(lost[1:] & ~lost[:-1])
    assert lost.mean() == pytest.approx(0.1, abs=0.01)
    assert lost.sum() / starts == pytest.approx(3.0, abs=0.1)


def test_a_lost_packet_is_silent_or_the_last_one_fading_and_the_rest_is_untouched() -> None:
    x = np.ones(80000, np.float32)
    kinds = set()
    for seed in range(20):
        y = lose_packets(np.random.default_rng(seed), x)
        lost = y < 1
        if not lost.any():
            continue
        assert lost.mean() < 0.5
        kinds.add("silent" if set(np.unique(y)) == {0.0, 1.0} else "faded")
        runs = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]]))).reshape(-1, 2)
        for start, end in runs:
            assert np.all(np.diff(y[start:end]) <= 0)
            assert not y[start:end][960:].any()  # 60 ms
    assert kinds == {"silent", "faded"}
