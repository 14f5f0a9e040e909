"""pse-sdk: real-time speech enhancement that chooses, frame by frame, how much of its network to run.

>>> import pse_sdk as sdk
>>> enhancer = sdk.Enhancer(profile="battery")
>>> clean = enhancer.enhance(noisy, sample_rate=44100)
"""

import os
from pathlib import Path

# Official builds of ONNX Runtime (from 1.29 on) send telemetry unless this is set before the process first imports it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# In a checkout, where three subpackages lie beside this folder, Python started there finds this folder before what is
# installed.
_checkout = Path(__file__).parents[1]
if (_checkout / "pyproject.toml").is_file() and not (_checkout / "pse_sdk" / "profiles").exists():
    __path__.append(str(_checkout))

from pse_sdk.enhancer import Enhancer
from pse_sdk.errors import (
    AudioError,
    DeviceTableWarning,
    ModelError,
    ProfileError,
    PseError,
    PseWarning,
    TableError,
    TraceError,
    UsageError,
)
from pse_sdk.profiles import Profile, profile_names
from pse_sdk.statistics import Stats
from pse_sdk.voice_profile import VoiceProfile, load_voice

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "DeviceTableWarning",
    "Enhancer",
    "ModelError",
    "Profile",
    "ProfileError",
    "PseError",
    "PseWarning",
    "Stats",
    "TableError",
    "TraceError",
    "UsageError",
    "VoiceProfile",
    "load_voice",
    "profile_names",
]
