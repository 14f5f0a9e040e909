"""``pse info``: what is here to work with."""

from __future__ import annotations

import platform
import warnings
from importlib import metadata

import psutil
from rich.console import Console
from rich.table import Table

from pse_sdk.errors import DeviceTableWarning, TableError
from pse_sdk.load import read_load
from pse_sdk.profiles import describe_profile, profile_names
from pse_sdk.runtimes.bundled import bundled_files, bundled_models, check_card, checksum, find_model
from pse_sdk.runtimes.packages import PACKAGES, installed
from pse_sdk.runtimes.select import SUFFIXES, open_file
from pse_sdk.table_reader import default_path, usable_table

# Columns that the tables need: a narrower terminal wraps their lines instead of losing figures.
WIDTH = 80


def info() -> None:
    """Show models, profiles, runtimes and this machine."""
    console = Console(width=max(Console().width, WIDTH), soft_wrap=True, highlight=False)
    console.print(f"pse-sdk {metadata.version('pse-sdk')}")
    console.print(_models())
    console.print(_profiles())
    console.print(_runtimes())
    console.print(_machine(), markup=False)
    console.print(_device_table(), markup=False)


def _models() -> Table:
    columns = ("model", "latency", "depth", "parameters", "MMAC/s", "weights", "files")
    table = Table(*columns, title="Models", title_justify="left")
    for name in bundled_models():
        path = find_model(name)
        check_card(path)
        d = open_file(path).description
        files = [f"{path.suffix[1:]} {path.stat().st_size / 1e6:.1f} MB" for path in bundled_files(name)]
        for depth, (parameters, macs) in enumerate(zip(d.parameters, d.macs_per_second, strict=True), 1):
            first = depth == 1
            table.add_row(
                name if first else "",
                f"{1000 * d.window / d.sample_rate:.0f} ms" if first else "",
                str(depth),
                f"{parameters / 1e6:.2f} M",
                f"{macs / 1e6:.0f}",
                d.precision if first else "",
                files[depth - 1] if depth <= len(files) else "",
            )
    return table


def _profiles() -> Table:
    table = Table("profile", "what it asks for", title="Profiles", title_justify="left")
    for name in profile_names():
        table.add_row(name, describe_profile(name))
    table.add_row("auto", "Follows the power supply: quality or balanced on mains, battery without.")
    table.add_row("fixed-N", "Exactly N blocks, whatever the load.")
    return table


def _runtimes() -> Table:
    table = Table("runtime", "package", "version", title="Runtimes", title_justify="left")
    for name, packages in PACKAGES.items():
        table.add_row(name, *(installed(name) or (packages[0], "not installed")))
    return table


def _machine() -> str:
    load = read_load()
    battery = "no battery" if load.battery is None else f"battery {load.battery:.0%}" + (
        ", on mains" if load.plugged else "")  # fmt: skip
    return (
        f"This machine: {platform.system()} {platform.machine()}, {psutil.cpu_count()} logical cores, "
        f"{_memory()}, {battery}, Python {platform.python_version()}"
    )


def _memory() -> str:
    try:
        total = psutil.virtual_memory().total
        return f"{total / 2**30:.0f} GiB" if total >= 2**32 else f"{total / 2**20:.0f} MiB"
    except OSError:  # a sandbox without /proc/meminfo
        return "memory not told"


def _why_not() -> str:
    try:
        return f"{'not usable' if default_path().exists() else 'none'} at {default_path()}"
    except (OSError, TableError):  # a folder that may not be read; no home directory
        return "not usable"


def _device_table() -> str:
    warnings.simplefilter("once", DeviceTableWarning)
    table = usable_table()
    if table is None:
        return f"Device table: {_why_not()}; `pse profile-device` makes one"
    measured = ", ".join(f"{m.model} ({m.precision}) in {m.runtime}" for m in table.measured)
    told = f"Device table: {default_path()}, made {table.made}: {measured}"
    suffixes = {suffix for runtime, suffix in SUFFIXES.items() if installed(runtime)}
    files = [path for name in bundled_models() for path in bundled_files(name) if path.suffix in suffixes]
    unknown = [path.name for path in files if not any(m.sha256 == checksum(path) for m in table.measured)]
    if unknown:
        told += f"; it does not know {', '.join(unknown)} of this pse-sdk: `pse profile-device` adds what is missing"
    return told
