"""Who watches a live stream: runs the worker, notices that the device is gone, and opens it again when it is back."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import AudioError, PseError, UsageError
from pse_sdk.live.device import Duplex, Float32
from pse_sdk.live.stream import LiveStream, meter_db
from pse_sdk.statistics import Stats

logger = logging.getLogger("pse_sdk")

BLOCK_S = 0.01
# Half of what `LiveStream`'s rings hold.
MAX_BUFFER_S = 1.0
# Calls of `watch`, about ten a second, without a sign of the device until it counts as gone (sound servers may take 2 s
# to wake a device), and between two tries to open it. Calls and not seconds: while the machine sleeps, nobody calls.
STALLED_CALLS = 30
RETRY_CALLS = 10


@dataclass(frozen=True)
class LiveStatus:
    """One moment of a session, for a panel.

    Parameters
    ----------
    connected : False while waiting for the device
    bypassed : whether the unprocessed signal was asked for
    lag_ms : from microphone to loudspeaker, and its parts: the device's buffers, ours, and the model
    input_db, output_db : level over the last 0.3 s, dB of full scale
    underruns : blocks that were played as silence, in part at least, as the output was not ready
    resyncs : times that the worker was so late that it left input out
    realigned : times that the lag was set anew, as the clocks of microphone and loudspeaker had parted
    skipped_ms : how much input was left out, by both
    glitches : blocks before which the device itself lost samples
    sleeps, reconnects : breaks after which the stream began anew
    stats : the enhancer's
    """

    connected: bool
    bypassed: bool
    profile: str
    lag_ms: float
    device_ms: float
    buffer_ms: float
    model_ms: float
    input_db: float
    output_db: float
    underruns: int
    resyncs: int
    realigned: int
    skipped_ms: float
    glitches: int
    sleeps: int
    reconnects: int
    stats: Stats


class LiveSession:
    """A device, an enhancer and a worker thread between them.

    Call `start`, then `watch` about ten times a second, and `stop` in the end. A session is started once.

    Parameters
    ----------
    enhancer : at the device's rate; `UsageError` if it is not
    device : where the audio comes from and goes to
    say : takes one line for the user when the device goes or comes back, in the thread that calls `watch`, or when
        something fails, in the worker's. What it raises goes to the logger ``pse_sdk``
    buffer_s : delay that the worker may use, up to 1 s; two blocks of 10 ms at least, whatever it says
    clock : seconds since anything, also while the machine sleeps
    """

    def __init__(
        self,
        enhancer: Enhancer,
        device: Duplex,
        *,
        say: Callable[[str], object],
        buffer_s: float = 0.02,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if enhancer.sample_rate != device.rate:
            raise UsageError(f"the Enhancer works at {enhancer.sample_rate} Hz, the device at {device.rate}: make it "
                             "with sample_rate=device.rate")  # fmt: skip
        if not 0 <= buffer_s <= MAX_BUFFER_S:
            raise UsageError(f"buffer_s = {buffer_s}: seconds, from 0 to {MAX_BUFFER_S:g}")
        self._enhancer, self._device, self._tell = enhancer, device, say
        self._block = round(BLOCK_S * device.rate)
        self._cushion = max(2 * self._block, round(buffer_s * device.rate))
        self.stream = LiveStream(enhancer, self._cushion, clock)
        self._requests: queue.SimpleQueue[Callable[[Enhancer], None]] = queue.SimpleQueue()
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._worker = threading.Thread(target=self._work, name="pse-live", daemon=True)
        self._device_s = 0.0
        self._connected = False
        self._depth_before_bypass: int | None = None
        self._reconnects = 0
        self._seen = (0, 0)
        self._calls = 0
        self._failing = False

    def start(self) -> None:
        """Open the device and start the worker. Raises `AudioError` where there is no device to begin with."""
        if self._worker.ident is not None:
            raise UsageError("this session was started before: make another LiveSession")
        self._open()
        self._worker.start()

    def stop(self) -> None:
        """Close the device and end the worker. `watch` then only tells."""
        self._stopping.set()
        self._device.close()
        self._connected = False
        self._ready.set()
        if self._worker.is_alive():
            self._worker.join(timeout=2)

    def request(self, action: Callable[[Enhancer], None]) -> None:
        """Let the worker call ``action`` between two blocks: the enhancer belongs to its thread."""
        self._requests.put(action)
        self._ready.set()

    def toggle_bypass(self) -> None:
        """Play what the microphone hears, or again what the enhancer makes of it. A pinned depth comes back."""
        self.request(self._toggle_bypass)

    def _toggle_bypass(self, enhancer: Enhancer) -> None:
        if enhancer.pinned_depth == 0:
            enhancer.set_depth(self._depth_before_bypass)
        else:
            self._depth_before_bypass = enhancer.pinned_depth
            enhancer.set_depth(0)

    def set_profile(self, name: str) -> None:
        self.request(lambda enhancer: enhancer.set_profile(name))

    def watch(self) -> LiveStatus:
        """See to the device, and tell how things stand."""
        if self._stopping.is_set():
            return self._status()
        self._calls += 1
        if self._connected:
            self._notice_loss()
        elif self._calls >= RETRY_CALLS:
            self._calls = 0
            self._reopen()
        return self._status()

    # ---- the device

    def _open(self) -> None:
        self._device_s = self._device.open(self, self._block)
        self._connected, self._calls = True, 0

    def _notice_loss(self) -> None:
        captured, played = self.stream.captured, self.stream.played
        if captured != self._seen[0] and played != self._seen[1]:
            self._seen, self._calls = (captured, played), 0
        if self._device.running and self._calls < STALLED_CALLS:
            return
        self._device.close()
        self._connected, self._calls = False, 0
        self._say(f"{self._device.name} is gone: waiting for it to come back")

    def _reopen(self) -> None:
        self.stream.restart()
        try:
            self._open()
        except AudioError:
            return
        self._reconnects += 1
        self._say(f"{self._device.name} is back")

    def capture(self, samples: Float32, glitch: bool) -> None:
        """From the device: samples of the microphone."""
        self.stream.capture(samples, glitch)
        self._ready.set()

    def play(self, samples: Float32, glitch: bool) -> None:
        """From the device: samples for the loudspeaker are wanted."""
        self.stream.play(samples, glitch)

    # ---- the worker

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._ready.wait()
            self._ready.clear()
            self.work_once()

    def work_once(self) -> None:
        """Do what was requested, and enhance what has come."""
        try:
            self._fulfil_requests()
            if self.stream.pump():
                self._failing = False
        except Exception as error:  # without the worker there would be silence for good
            if not self._failing:
                self._say(f"enhancement failed ({type(error).__name__}: {error}): a new stream begins")
            self._failing = True
            self.stream.restart()

    def _fulfil_requests(self) -> None:
        while not self._requests.empty():
            try:
                self._requests.get()(self._enhancer)
            except PseError as error:  # a wish that cannot be fulfilled
                self._say(str(error))

    def _say(self, line: str) -> None:
        """Tell the user. An app whose window is gone must not take the audio with it."""
        try:
            self._tell(line)
        except Exception:
            logger.exception("a live session could not say: %s", line)

    def _status(self) -> LiveStatus:
        stream, rate = self.stream, self._device.rate
        parts = [1000 * s for s in (self._device_s, stream.delay / rate, self._enhancer.latency / rate)]
        return LiveStatus(
            connected=self._connected,
            bypassed=self._enhancer.pinned_depth == 0,
            profile=self._enhancer.profile.name,
            lag_ms=sum(parts),
            device_ms=parts[0],
            buffer_ms=parts[1],
            model_ms=parts[2],
            input_db=meter_db(stream.input_power),
            output_db=meter_db(stream.output_power),
            underruns=stream.underruns,
            resyncs=stream.resyncs,
            realigned=stream.realigned,
            skipped_ms=1000 * stream.skipped / rate,
            glitches=stream.glitches,
            sleeps=stream.sleeps,
            reconnects=self._reconnects,
            stats=self._enhancer.stats(),
        )
