"""A page of the docs whose tables a command writes, and whose words people do."""

from __future__ import annotations

from pathlib import Path

from pse_sdk.errors import UsageError
from pse_sdk.files import check_writable, write_atomically
from pse_sdk.pictures import check_picture


def check_page(page: Path, name: str) -> None:
    """Raise `UsageError` now where `write_between_marks`, or the plot beside the page, would fail after the work."""
    check_writable(page)
    check_picture(page.with_suffix(".png"))
    _between(page, name, "")


def write_between_marks(page: Path, name: str, title: str, text: str) -> None:
    """Replace what stands between the marks of ``name``; a page that does not exist begins as a title and the marks.

    Raises `UsageError` where the page has no such marks.
    """
    before, after = _between(page, name, title)
    with write_atomically(page) as temporary:
        temporary.write_text(f"{before}\n\n{text}\n\n{after}", encoding="utf-8")


def _between(page: Path, name: str, title: str) -> tuple[str, str]:
    """What stands before and after the tables, marks included."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {title}\n\n{begin}{end}\n"
    if begin not in old or end not in old:
        raise UsageError(f"{page}: has no {begin} ... {end} to write between")
    return old.split(begin)[0] + begin, end + old.split(end)[1]
