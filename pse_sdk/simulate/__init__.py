"""Load traces, and what the depth controller makes of them: recorded, synthetic, replayed, scored and drawn."""

from pse_sdk.simulate.compare import compare
from pse_sdk.simulate.library import LIBRARY, synthetic_trace
from pse_sdk.simulate.record import record_trace
from pse_sdk.simulate.replay import Replay, oracle, replay, replay_fixed
from pse_sdk.simulate.scores import Scores, score
from pse_sdk.simulate.trace import LoadTrace, load_trace, save_trace

__all__ = [
    "LIBRARY",
    "LoadTrace",
    "Replay",
    "Scores",
    "compare",
    "load_trace",
    "oracle",
    "record_trace",
    "replay",
    "replay_fixed",
    "save_trace",
    "score",
    "synthetic_trace",
]
