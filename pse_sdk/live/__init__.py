"""From a microphone to a loudspeaker: a device, the buffers between it and the enhancer, and who watches both."""

from pse_sdk.live.device import Duplex
from pse_sdk.live.session import LiveSession, LiveStatus

__all__ = ["Duplex", "LiveSession", "LiveStatus"]
