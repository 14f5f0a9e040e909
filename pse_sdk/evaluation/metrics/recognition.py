"""Word error rate with a recogniser that works offline: PocketSphinx with a grammar of known sentences.

With its open vocabulary PocketSphinx fails on accented read speech. Closed to the sentences that can occur it serves
to compare: it shows whether enhancement makes a recogniser choose the wrong one. Needs the ``[eval]`` extra.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder

from pse_sdk.errors import UsageError

Samples = npt.NDArray[np.float32]

# Much wider than the defaults, with which 31 % of the words of 40 clean accented sentences came out wrong instead
# of 12 %.
BEAMS = {"beam": 1e-100, "wbeam": 1e-80, "pbeam": 1e-100}


def normalise(sentence: str) -> str:
    """Lower case, without punctuation.

    Digits and accents stay, and a word that has some is one that the recogniser cannot pronounce: without them the
    sentence would be another.
    """
    return " ".join(re.findall(r"[\w']+", sentence.lower().replace("\u2019", "'")))


class SentenceRecogniser:
    """Hears one of the sentences that it was given, or as much of it as it finds.

    Sentences with a word that it cannot pronounce are left out.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self._decoder = Decoder(loglevel="FATAL", samprate=16000, **BEAMS)
        known = {normalise(sentence) for sentence in sentences}
        self.sentences = sorted(s for s in known if s and all(self._decoder.lookup_word(w) for w in s.split()))
        if not self.sentences:
            raise UsageError("wer: PocketSphinx, which knows English, can pronounce none of the sentences whole; leave "
                             "wer out of --metrics")  # fmt: skip
        choices = " | ".join(self.sentences)
        self._decoder.add_jsgf_string("sentences", f"#JSGF V1.0; grammar sentences; public <sentence> = {choices};")
        self._decoder.activate_search("sentences")

    def recognise(self, audio: Samples) -> str:
        """The likeliest sentence, or beginning of one, in [samples] at 16 kHz; empty if none fits."""
        pcm = np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2")
        # What the front end knows of the recordings before would change the words: the same audio has to give the same.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""


def word_errors(heard: Sequence[str], said: Sequence[str]) -> int:
    """Substitutions, deletions and insertions that turn ``said`` into ``heard`` (Levenshtein distance of words)."""
    previous = list(range(len(said) + 1))
    for i, word in enumerate(heard, 1):
        current = [i]
        for j, true in enumerate(said, 1):
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (word != true)))
        previous = current
    return previous[-1]
