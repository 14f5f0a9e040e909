"""A page of the docs whose tables a command writes, and whose words people do."""

from __future__ import annotations

from pathlib import Path

from pse_sdk.errors import UsageError
from pse_sdk.files import write_atomically


def write_between_marks(page: Path, name: str, title: str, text: str) -> None:
    """Replace what stands between the marks of ``name``; a page that does not exist begins as a title and the marks.

    Raises `UsageError` where the page has no such marks.
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {title}\n\n{begin}{end}\n"
    if begin not in old or end not in old:
        raise UsageError(f"{page}: has no {begin} ... {end} to write between")
    before, after = old.split(begin)[0], old.split(end)[1]
    with write_atomically(page) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
