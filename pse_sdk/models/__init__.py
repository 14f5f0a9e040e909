"""Torch models: the BLOOM stack and what it is made of. Needs the ``[torch]`` extra; nothing on a device does."""

from pse_sdk.models.complexity import DepthCost, complexity
from pse_sdk.models.config import PRESETS, StackConfig, preset
from pse_sdk.models.stack import BloomStack, StackState

__all__ = ["PRESETS", "BloomStack", "DepthCost", "StackConfig", "StackState", "complexity", "preset"]
