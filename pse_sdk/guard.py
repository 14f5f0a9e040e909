"""What happens when the model fails in a stream: bypass, a pause, another try. A policy without a clock."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from pse_sdk.errors import ModelError, first_line

# Frames of bypass after a failure. Doubled with every further one, so that a model that is broken for good costs
# next to nothing, and still comes back by itself should it mend.
FIRST_PAUSE = 25
LONGEST_PAUSE = 3000
# Frames without a failure after which the next one is a new incident, with a warning and the first pause again.
SETTLED = 1000
# No sample of a model that works comes near this, or this times the loudest that it heard; NaN and Inf do not compare
# as below it.
LARGEST = 1e3

_log = logging.getLogger("pse_sdk")


def check_output(enhanced: npt.NDArray[np.float32], noisy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The model's output as it is; `ModelError` if a sample is NaN, infinite or far above full scale and ``noisy``."""
    peak = np.abs(enhanced).max()
    # This runs for every frame: what was heard is looked at only where the output is that loud.
    if not peak <= LARGEST and not peak <= LARGEST * np.abs(noisy).max():
        raise ModelError(f"the model's output is no audio (up to {peak:.3g} times full scale): its file may be "
                         "damaged, export or install it again")  # fmt: skip
    return enhanced


class Guard:
    """Says for each frame whether the model may be tried, from what it was told of earlier tries.

    An incident begins with a failure and is warned of once, through the logger ``pse_sdk``. It ends, with one more
    message, when the model has run `SETTLED` frames without another.
    """

    def __init__(self) -> None:
        self.faults = 0
        self.last_fault = ""
        self._in_a_row = 0
        self._pause = 0
        self._good = 0

    @property
    def reason(self) -> str:
        """Why the frame is bypassed; empty while the model may run."""
        if not self._pause:
            return ""
        times = "once" if self._in_a_row == 1 else f"{self._in_a_row} times"
        return f"the model failed {times} ({self.last_fault}): bypass, next try in {self._pause} frames"

    def begin_stream(self) -> None:
        """Another stream begins: it need not wait for the last one's pause. Failures still count in a row."""
        self._pause = 0

    def may_run(self) -> bool:
        """Whether to run the model on the next frame. Ask once per frame."""
        if self._pause:
            self._pause -= 1
            return False
        return True

    def worked(self) -> None:
        """The model ran on this frame."""
        if not self._in_a_row:
            return
        self._good += 1
        if self._good >= SETTLED:
            _log.info("the model works again after %d faults", self._in_a_row)
            self._in_a_row = self._good = 0

    def failed(self, error: Exception) -> None:
        """The model failed on this frame."""
        self.faults += 1
        self.last_fault = f"{type(error).__name__}: {first_line(error)}"
        if not self._in_a_row:
            _log.warning("the model failed (%s): audio goes on unprocessed, and the model is tried again",
                         self.last_fault)  # fmt: skip
        self._pause = min(FIRST_PAUSE << min(self._in_a_row, 16), LONGEST_PAUSE)
        self._in_a_row += 1
        self._good = 0
