"""Make the ``index.csv`` of a data folder from folders of recordings, such as LibriSpeech, MUSAN and room responses."""

from __future__ import annotations

import csv
import hashlib
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from pse_sdk.audio import is_audio_name
from pse_sdk.errors import AudioError, PseWarning
from pse_sdk.files import visible_files, write_atomically
from pse_sdk.training.data import COLUMNS, read_index

KINDS = ("speech", "noise", "rir")


@dataclass(frozen=True)
class Row:
    """One recording, as `pse_sdk.training.data` reads it."""

    path: str
    kind: str
    split: str
    source: str
    speaker: str
    category: str


def index_folder(data: Path, folder: Path, kind: str, group_level: int = 0, valid: float = 0.05) -> list[Row]:
    """Rows for all recordings under ``folder``, which lies in the data folder ``data``.

    Parameters
    ----------
    kind : speech, noise or rir
    group_level : which folder under ``folder`` names the speaker, the kind of noise, or the room: 1 is the first; 0 if
        none does
    valid : share of the groups (of noise: of the recordings) that go to the split ``valid``, one at least; 0 for none,
        where the data folder has others to validate with

    A speaker or room is in one split only. Its name decides which, so that it stays there when recordings are added;
    only the one group that is held out of few may become another.
    """
    if kind not in KINDS:
        raise AudioError(f"kind {kind!r}: must be one of {', '.join(KINDS)}")
    if not folder.resolve().is_relative_to(data.resolve()):
        raise AudioError(f"{folder}: must lie in the data folder {data}, whose index names its files")
    files = [path for path in visible_files(folder) if is_audio_name(path)]
    if not files:
        raise AudioError(f"{folder}: no recordings in this folder")
    for path in files:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise AudioError(f"{str(path)!r}: the name is not UTF-8, as an index must be; rename it") from None
    groups = [_group(path.relative_to(folder), group_level) for path in files]
    parted = [str(path.relative_to(folder)) for path in files] if kind == "noise" or not group_level else groups
    held_out = _held_out(set(parted), valid)
    name = folder.resolve().name
    return [
        Row(
            # By the name in the folder, wherever a link leads.
            path=(folder.resolve() / path.relative_to(folder)).relative_to(data.resolve()).as_posix(),
            kind=kind,
            split="valid" if part in held_out else "train",
            source=name,
            speaker=group if kind == "speech" else "",
            category=(group or name) if kind == "noise" else "",
        )
        for path, group, part in zip(files, groups, parted, strict=True)
    ]


def write_index(data: Path, folder: Path, rows: list[Row]) -> None:
    """Put the ``rows`` of ``folder`` into ``data/index.csv``; what it says of other recordings stays.

    Rows of recordings that were in ``folder`` and are no longer there go.
    """
    path = data / "index.csv"
    before = read_index(path) if path.exists() else []
    place = folder.resolve().relative_to(data.resolve())
    replaced = {row.path for row in rows}
    kept = [
        row
        for row in before
        if row["path"] not in replaced
        and ((data / row["path"]).exists() or not Path(row["path"]).is_relative_to(place))
    ]
    _warn_of_namesakes(rows, [row for row in kept if not Path(row["path"]).is_relative_to(place)])
    columns = list(dict.fromkeys([*COLUMNS, *(column for row in kept for column in row)]))
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows([*kept, *(asdict(row) for row in rows)])


def _warn_of_namesakes(rows: list[Row], others: list[dict[str, str]]) -> None:
    """Speakers of one name in folders of one name are one voice to whoever trains."""
    known = {(row.get("source"), row.get("speaker")) for row in others if row["kind"] == "speech"}
    shared = sorted({row.speaker for row in rows if row.speaker and (row.source, row.speaker) in known})
    if shared:
        warnings.warn(
            f"another folder called {rows[0].source!r} is in the index, and speakers of both have the same names "
            f"({shared[0]!r}, {len(shared)} in all): they are taken for one voice each. Are they not, rename one of "
            "the folders and index it again", PseWarning, stacklevel=3,
        )  # fmt: skip


def _group(path: Path, level: int) -> str:
    """The name of the folder at ``level``, of a path that begins below the indexed folder."""
    if level == 0:
        return ""
    if level >= len(path.parts):
        raise AudioError(f"{path}: lies in no folder of level {level}, which is to name its group")
    return path.parts[level - 1]


def _held_out(names: set[str], share: float) -> set[str]:
    if share == 0:
        return set()
    if len(names) < 2:
        raise AudioError(f"only one group ({next(iter(names))}): training and validation must share none; give another "
                         "group level, or --valid 0 to keep it for training")  # fmt: skip
    fractions = {name: int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64 for name in names}
    return {name for name in names if fractions[name] < share} or {min(names, key=fractions.__getitem__)}
