"""What a recording or a call does to a mixture on its way to us: overload, codecs, lost packets."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from pse_sdk.training.augment import Samples
from pse_sdk.training.data import SAMPLE_RATE

OVERLOAD_DB = (3.0, 15.0)
PACKET_S = (0.01, 0.04)
LOSS_RATE = (0.01, 0.15)
MEAN_BURST = (1.0, 4.0)
# ITU-T G.711, appendix I: what replaces lost packets has faded out after 60 ms.
CONCEALED_S = 0.06


@dataclass(frozen=True)
class Codec:
    """A codec as libsndfile offers it; ``kbps`` is the range of its rates, None if it has only one."""

    rate: int
    format: str
    subtype: str
    kbps: tuple[float, float] | None = None


CODECS = {
    "opus-wide": Codec(16000, "OGG", "OPUS", (12, 32)),
    "opus-narrow": Codec(8000, "OGG", "OPUS", (8, 16)),
    "gsm": Codec(8000, "WAV", "GSM610"),
}


def overload(rng: np.random.Generator, x: Samples) -> Samples:
    """Driven 3 to 15 dB over full scale, clipped there, hard or softly, and brought back to its level.

    What is far below full scale stays as it is, so that an undamaged target keeps its place and level.
    """
    limit = np.float32(np.max(np.abs(x)) * 10 ** (-rng.uniform(*OVERLOAD_DB) / 20))
    if limit == 0:
        return x
    out: Samples = np.clip(x, -limit, limit) if rng.random() < 0.5 else limit * np.tanh(x / limit)
    return out


def any_codec(rng: np.random.Generator, noisy: Samples, target: Samples) -> tuple[Samples, Samples]:
    """``noisy`` through a codec drawn at random; ``target`` loses only the band that the codec's sampling rate lacks.

    Both stay aligned: libsndfile takes the codecs' delays off.
    """
    codec = CODECS[str(rng.choice(sorted(CODECS)))]
    coded = through_codec(_resample(noisy, SAMPLE_RATE, codec.rate), codec, rng.uniform(*codec.kbps or (0, 0)))
    kept = _resample(_resample(target, SAMPLE_RATE, codec.rate), codec.rate, SAMPLE_RATE)
    return _resample(coded, codec.rate, SAMPLE_RATE)[: len(noisy)], kept[: len(target)]


def through_codec(x: Samples, codec: Codec, kbps: float) -> Samples:
    """``x``, at the codec's sampling rate, encoded and decoded."""
    # libsndfile's Opus: level 0 is 256 kbit/s per channel, level 1 is 6, linear between.
    level = 1 - (kbps - 6) / 250 if codec.kbps else None
    file = io.BytesIO()
    # libsndfile's GSM turns what lies above full scale round, into the loudest samples of the other sign.
    x = np.clip(x, -1, 1 - 2**-15)
    soundfile.write(file, x, codec.rate, codec.subtype, format=codec.format, compression_level=level)
    file.seek(0)
    decoded: Samples = soundfile.read(file, dtype="float32")[0]
    return decoded[: len(x)]  # GSM pads to whole frames


def lose_packets(rng: np.random.Generator, x: Samples) -> Samples:
    """Packets of 10 to 40 ms lost in bursts; in their place silence, or the last packet again, fading."""
    size = int(rng.uniform(*PACKET_S) * SAMPLE_RATE)
    lost = bursts(rng, -(-len(x) // size), rng.uniform(*LOSS_RATE), rng.uniform(*MEAN_BURST))
    repeat = rng.random() < 0.5
    out: Samples = x.copy()
    since = 0  # packets since the last that came
    for packet, is_lost in enumerate(lost):
        since = since + 1 if is_lost else 0
        if not is_lost:
            continue
        gap = out[packet * size : (packet + 1) * size]
        last = x[(packet - since) * size :][: len(gap)] if repeat and since <= packet else np.zeros_like(gap)
        age = np.arange(len(gap)) + (since - 1) * size
        gap[:] = last * np.maximum(0, 1 - age / (CONCEALED_S * SAMPLE_RATE))
    return out


def bursts(rng: np.random.Generator, packets: int, rate: float, mean_burst: float) -> npt.NDArray[np.bool_]:
    """Which packets are lost: Gilbert's two-state chain (Bell System Technical Journal 39, 1960), [packets].

    A share ``rate`` is lost, ``mean_burst`` in a row on average.
    """
    to_bad, to_good = min(1.0, rate / (mean_burst * (1 - rate))), 1 / mean_burst
    lost = np.zeros(packets, bool)
    bad = rng.random() < rate
    for i, chance in enumerate(rng.random(packets)):
        lost[i] = bad
        bad = chance >= to_good if bad else chance < to_bad
    return lost


def _resample(x: Samples, rate: int, new_rate: int) -> Samples:
    if rate == new_rate:
        return x
    out: Samples = soxr.resample(x, rate, new_rate)
    return out
