"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pse_sdk.errors import AudioError, UsageError


def check_writable(path: Path) -> None:
    """Raise `UsageError` now rather than after an hour's work, where a file could not be written in the end."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    path = _real(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: exists and is not a file; choose another output")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another output") from error


def visible_files(folder: Path) -> list[Path]:
    """Files in a folder and in those below it, sorted; none whose name or folder's name begins with a dot.

    Those are what other systems keep about a file (`._a.wav` of macOS), and folders of waste. Raises `UsageError` for a
    folder that may not be read: it is not to be taken for an empty one.
    """
    found = []
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [path for name in names if not name.startswith(".") and (path := Path(place, name)).is_file()]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename}: the folder cannot be read ({error.strerror}); change its permissions, or name "
                     "the recordings that you want")  # fmt: skip


def _real(path: Path) -> Path:
    """Where links lead to. A link to itself stays what it is: of one `Path.resolve` makes a RuntimeError."""
    return Path(os.path.realpath(path))


def _permissions(path: Path) -> int:
    """Those of the file that is replaced; of a new one what the user's umask leaves."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


# A disk, a quota or a limit on the size of files is used up. The system names no file with these.
DISK_FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name)}


def _replace(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except PermissionError as error:  # Windows replaces no file that is read-only, or open in another program
        raise AudioError(f"{path}: cannot be replaced ({error.strerror}): is it read-only, or open in another program? "
                         "Close it, or choose another output") from error  # fmt: skip


@contextmanager
def write_atomically(path: Path, private: bool = False) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well, and vanishes when not.

    Raises `AudioError` where ``path`` exists and is not a file: a pipe or device is not to be replaced by one.
    A link stays, and what it points to is replaced. A private file can be read by its owner alone, and one
    that is replaced keeps its permissions, where the file system has any.
    """
    path = _real(path)
    if path.exists() and not path.is_file():
        raise AudioError(f"{path}: exists and is not a file; choose another output")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".pse-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        permissions = _permissions(path)
        _replace(temporary, path)
        if not private:  # mkstemp's files are
            with suppress(OSError):
                path.chmod(permissions)
    except OSError as error:
        if error.errno in DISK_FULL:
            reason = f"cannot be written ({error.strerror}); make room, or choose another output"
            raise AudioError(f"{path}: {reason}") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
