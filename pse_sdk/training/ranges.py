"""Which values a recipe's numbers may have: told when it is read, not in the middle of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def check_probabilities(recipe: object, names: Iterable[str]) -> None:
    """Raise `ValueError` naming the first of a recipe's probabilities that is none."""
    for name in names:
        if not 0 <= getattr(recipe, name) <= 1:
            raise ValueError(f"{name} = {getattr(recipe, name)}: must be a probability, 0 to 1")


def check_ranges(recipe: object, names: Iterable[str]) -> None:
    """Raise `ValueError` naming the first of a recipe's (low, high) pairs that is no range."""
    for name in names:
        low, high = getattr(recipe, name)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"{name} = [{low}, {high}]: must be two numbers, the lower one first")


def check_least(recipe: object, least: float, names: Iterable[str]) -> None:
    """Raise `ValueError` naming the first of a recipe's numbers that is not finite, or below ``least``."""
    for name in names:
        value = getattr(recipe, name)
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}: must be a number, at least {least:g}")
        if value < least:
            raise ValueError(f"{name} = {value}: must be at least {least:g}")


def check_weights(name: str, weights: Mapping[str, float]) -> None:
    """Raise `ValueError` for a weight that is negative or not finite."""
    for key, value in weights.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: {key} = {value}: must be at least 0")
