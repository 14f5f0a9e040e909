"""The errors that users meet. Each message says what happened, where, and what to do next."""


class PseError(Exception):
    """Anything that went wrong for a reason that the user can do something about."""


class AudioError(PseError):
    """Audio, or a folder of it, cannot be read, written or used."""


class ModelError(PseError):
    """A model file is missing, not one of ours, or not as it was made."""


class ProfileError(PseError):
    """A profile is unknown or holds a value that is not allowed."""


class TableError(PseError):
    """A device table cannot be read."""


class PseWarning(UserWarning):
    """Something that an app can do without is missing or was ignored; the message says what brings it back."""


class DeviceTableWarning(PseWarning):
    """The device table cannot be used; of interest where depths are chosen by what they cost, as in live streams."""


class UsageError(PseError):
    """The SDK was called in a way that cannot work."""


class TraceError(PseError):
    """A load trace cannot be read, is not one, or holds values that no machine can show."""


def first_line(error: Exception) -> str:
    """Of a library's message, which may go on for pages about its own code; the error's kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def shown(value: object) -> str:
    """A value of somebody's file, for a message: no longer than 40 characters, whatever it is."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a whole number of more digits than Python writes
        return f"an {type(value).__name__} that is too large"
    return text if len(text) <= 40 else f"{text[:39]}…"


def not_importable(what: str, error: ImportError, extra: str) -> UsageError:
    """Why ``what`` cannot be done here: a package is missing, or it is there and does not load."""
    if isinstance(error, ModuleNotFoundError) and error.name and "." not in error.name:
        return UsageError(f"{what} needs {error.name}: {how_to_install(extra)}")
    return UsageError(f"{what} needs a package that is installed but does not load ({first_line(error)}): install it "
                      f"again, {how_to_install(extra)}")  # fmt: skip


def how_to_install(extra: str) -> str:
    """What to tell who lacks an optional dependency. PyPI has another package of our name."""
    return f'pip install ".[{extra}]" in the folder of pse-sdk'
