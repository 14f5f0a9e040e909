"""What there is to measure: every model in every runtime that is installed and can load it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pse_sdk.errors import PseError, UsageError
from pse_sdk.runtimes.base import Runtime
from pse_sdk.runtimes.bundled import bundled_models, checksum, find_model
from pse_sdk.runtimes.packages import installed
from pse_sdk.runtimes.select import PREFERENCE as DEVICE_RUNTIMES
from pse_sdk.runtimes.select import open_runtime


@dataclass(frozen=True)
class Candidate:
    """A model file, loaded."""

    path: Path
    sha256: str
    runtime: Runtime
    runtime_version: str

    def __str__(self) -> str:
        d = self.runtime.description
        return f"{d.name} ({d.precision}) in {self.runtime.name} {self.runtime_version}"


def find_candidates(models: Sequence[str], runtimes: Sequence[str]) -> tuple[list[Candidate], list[str]]:
    """Load each model in each runtime; all that came with the package, and all of a device, where none is named.

    Returns
    -------
    What can be measured, and a line for each pair that cannot, with the reason.

    Raises
    ------
    UsageError, ModelError
        For a name that does not exist, and where nothing is left to measure.
    """
    for name in runtimes:
        if name not in DEVICE_RUNTIMES:
            raise UsageError(f"runtime {name!r} cannot be measured: choose from {', '.join(DEVICE_RUNTIMES)}")
    found: list[Candidate] = []
    skipped: list[str] = []
    for path in dict.fromkeys(find_model(model) for model in models or bundled_models()):
        for name in dict.fromkeys(runtimes or DEVICE_RUNTIMES):
            try:
                runtime = open_runtime(name, path)
            except PseError as error:
                skipped.append(f"not measured: {path.name} in {name}: {error}")
                continue
            loaded = runtime.path or path
            sha256 = checksum(loaded)
            if not any((c.runtime.name, c.sha256) == (name, sha256) for c in found):
                found.append(Candidate(loaded, sha256, runtime, _version(name)))
    if not found:
        raise UsageError("nothing to measure: " + "; ".join(skipped))
    return found, skipped


def _version(runtime: str) -> str:
    package = installed(runtime)
    return package[1] if package else "unknown"
