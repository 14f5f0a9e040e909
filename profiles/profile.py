"""A profile: what an app asks for. Built-in ones by name, a user's own by path, every value checked."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import Any

from pse_sdk.errors import ProfileError, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Profile:
    """A latency budget, a CPU share, a range of depths, and how eagerly to change between them.

    Parameters
    ----------
    name : for messages and statistics
    min_depth : never less than this. 0 allows bypass: the unprocessed signal where even one block is too slow
    max_depth : never more than this; 0 means all blocks that the model has
    deadline_share : the part of a hop (10 ms) that one frame's wall time may take; the rest is the app's.
        A frame over it is a miss
    cpu_share : the part of one core that the network may use in the mean
    late_share : the share of the frames that may be misses because more than the least depth runs. Where the system
        holds frames up more often than that, depth is given up
    margin : predicted wall time is mean x (1 + margin x relative deviation); larger is more careful
    headroom : go deeper only where the predicted wall time stays this far (as a part) below the deadline
    dwell_s : seconds that a deeper network must have fitted before it runs. Doubled up to 64-fold each time
        that going deeper had to be taken back at once
    busy_load : system load (0..1, all cores) above which no deeper network is tried; at 1 it hinders nothing
    low_battery : battery charge (0..1) under which, without mains, ``min_depth`` (at least 1) blocks run
    strength_db : nothing is attenuated by more than this; 0 means no limit
    rest_after_s : seconds without speech after which ``min_depth`` (at least 1) blocks run until it comes back, and
        none in digital silence; 0 means that pauses with any sound are treated like speech
    """

    name: str
    min_depth: int = 1
    max_depth: int = 0
    deadline_share: float = 0.5
    cpu_share: float = 0.5
    late_share: float = 0.001
    margin: float = 3.0
    headroom: float = 0.15
    dwell_s: float = 1.0
    busy_load: float = 0.9
    low_battery: float = 0.0
    strength_db: float = 0.0
    rest_after_s: float = 30.0

    def __post_init__(self) -> None:
        values = dataclasses.asdict(self)
        del values["name"]
        _check(values, self.name)


# What can be asked for beside the built-in profiles.
_OTHERS = "fixed-N (such as fixed-2), or give the path of a .toml file"


@dataclass(frozen=True)
class _Rule:
    allowed: str
    holds: Callable[[Any], bool]


def _between(low: float, high: float, above: bool = False) -> _Rule:
    words = f"a number above {low} and up to {high}" if above else f"a number from {low} to {high}"
    return _Rule(words, lambda v: _is_number(v) and (low < v if above else low <= v) and v <= high)


def _whole(low: int, high: int) -> _Rule:
    return _Rule(f"a whole number from {low} to {high}", lambda v: type(v) is int and low <= v <= high)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


_RULES: dict[str, _Rule] = {
    "min_depth": _whole(0, 64),
    "max_depth": _whole(0, 64),
    "deadline_share": _between(0, 1, above=True),
    "cpu_share": _between(0, 1, above=True),
    "late_share": _between(0, 1),
    "margin": _between(0, 20),
    "headroom": _between(0, 0.9),
    "dwell_s": _between(0, 600),
    "busy_load": _between(0, 1),
    "low_battery": _between(0, 1),
    "strength_db": _between(0, 120),
    "rest_after_s": _between(0, 600),
}


def load_profile(name: str | Path | Profile) -> Profile:
    """The profile called ``name`` (see `profile_names`), ``fixed-N``, or the one in a ``.toml`` file.

    Raises
    ------
    ProfileError
        Names the file, the key, the value and what is allowed.
    """
    if isinstance(name, Profile):
        return name
    if not isinstance(name, (str, Path)):
        raise ProfileError(f"profile {name!r}: must be a name, the path of a .toml file, or a Profile")
    if name == "auto":
        raise ProfileError("profile 'auto' follows the power supply of a running stream and is none by itself: choose "
                           f"one of {', '.join(profile_names())}, {_OTHERS}")  # fmt: skip
    fixed = re.fullmatch(r"fixed-([1-9]\d?)", str(name))
    if fixed:
        return Profile(str(name), min_depth=int(fixed[1]), max_depth=int(fixed[1]), cpu_share=1.0, rest_after_s=0.0)
    path = Path(name)
    if path.suffix.lower() == ".toml":
        try:
            return _parse(path.read_text(encoding="utf-8-sig"), path.stem, str(path))
        except (OSError, ValueError) as error:  # of text that is no UTF-8, and of a path with a NUL
            raise ProfileError(f"profile {path}: cannot be read ({error})") from error
    if str(name) not in profile_names():
        raise ProfileError(
            f"unknown profile {str(name)!r}: choose one of {', '.join(profile_names())}, {_OTHERS}; where audio is "
            "enhanced, also auto, which follows the power supply"
        )
    return _bundled(str(name))


@cache
def _bundled(name: str) -> Profile:
    """Read once: a stream may change its profile while audio runs."""
    text = resources.files("pse_sdk.profiles").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return _parse(text, name, f"{name}.toml")


@cache
def profile_names() -> tuple[str, ...]:
    """Names of the built-in profiles, without ``auto`` and ``fixed-N``."""
    entries = resources.files("pse_sdk.profiles").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def describe_profile(name: str) -> str:
    """The first comment line of a built-in profile."""
    text = resources.files("pse_sdk.profiles").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return text.splitlines()[0].lstrip("# ")


def _parse(text: str, name: str, where: str) -> Profile:
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # more than TOMLDecodeError: numbers of 5000 digits, deep nesting
        raise ProfileError(f"profile {where}: not valid TOML: {error}") from error
    return _checked(values, name, where)


def _checked(values: dict[str, Any], name: str, where: str) -> Profile:
    _check(values, where)
    return Profile(name, **values)


def _check(values: dict[str, Any], where: str) -> None:
    for key, value in values.items():
        rule = _RULES.get(key)
        if rule is None:
            raise ProfileError(f"profile {where}: unknown key {key!r}; allowed: {', '.join(_RULES)}")
        if not rule.holds(value):
            raise ProfileError(f"profile {where}: {key} = {shown(value)}: must be {rule.allowed}")
    shallowest, deepest = values.get("min_depth", 1), values.get("max_depth", 0)
    if deepest and shallowest > deepest:
        raise ProfileError(f"profile {where}: min_depth = {shallowest}: must not be above max_depth = {deepest}")
