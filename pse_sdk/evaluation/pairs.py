"""Recordings from folders: noisy files, and the clean ones of the same names."""

from __future__ import annotations

import csv
import dataclasses
import math
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pse_sdk.audio import KINDS, is_audio_name, is_enhanced
from pse_sdk.errors import AudioError, PseWarning, UsageError
from pse_sdk.evaluation.items import Item, Label, length_in_seconds, read_mono
from pse_sdk.files import visible_files

# Lengths may differ by this much: systems that work in blocks drop or pad the last one.
SLACK_S = 0.1
SHOWN = 3


@dataclass(frozen=True)
class FileRecordings:
    """`Recordings` from files; make them with `find_recordings`."""

    title: str
    labels: tuple[Label, ...]
    noisy: tuple[Path, ...]
    clean: tuple[Path, ...]  # empty if there are no targets

    @property
    def has_targets(self) -> bool:
        return bool(self.clean)

    def load(self, number: int) -> Item:
        """Read an item; noisy and target are cut to the shorter of the two."""
        label, noisy = self.labels[number], read_mono(self.noisy[number])
        if not self.clean:
            return Item(label, noisy, None)
        target = read_mono(self.clean[number])
        length = min(len(noisy), len(target))
        return Item(label, noisy[:length], target[:length])


def find_recordings(
    noisy: Path, clean: Path | None, labels: Path | None = None, transcripts: Path | None = None
) -> FileRecordings:
    """Match the files of two folders by their path within, whatever their endings.

    Parameters
    ----------
    noisy, clean : folders, searched in depth; clean files without a noisy one are left out
    labels : CSV with a column name and snr_db, noise or both
    transcripts : lines of path TAB text

    Raises
    ------
    AudioError, UsageError
        A noisy file without a clean one, or lengths that differ by more than 0.1 s: the first few are named.
    """
    files = _recorded(audio_by_name(noisy), noisy)
    lengths = {name: length_in_seconds(path) for name, path in files.items()}
    targets: dict[str, Path] = {}
    if clean is not None:
        targets = matching(files, clean, "clean file")
        check_lengths(lengths, targets, clean)
    notes = _labels(labels) if labels else {}
    words = read_transcripts(transcripts) if transcripts else {}
    found = tuple(_labelled(Label(name, lengths[name]), notes, words) for name in files)
    _check_use(labels, notes, files)
    _check_use(transcripts, words, files)
    title = f"{len(files)} recordings in {noisy}" + (f", targets in {clean}" if clean else ", without targets")
    return FileRecordings(title, found, tuple(files.values()), tuple(targets.values()))


def audio_by_name(folder: Path) -> dict[str, Path]:
    """Recordings in a folder and those within, by path without ending, sorted."""
    if folder.is_file():
        raise UsageError(f"{folder}: is a file; give the folder that holds it")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in visible_files(folder):
        if is_audio_name(path):
            name = _composed(path.relative_to(folder).with_suffix(""))
            if name in found:
                raise UsageError(f"{path} and {found[name].name} have the same name: keep one of them")
            found[name] = path
    if not found:
        raise UsageError(f"{folder}: no recordings in this folder ({KINDS})")
    return found


def _recorded(files: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Without what `pse enhance` wrote beside a recording."""
    written = [name for name, path in files.items() if is_enhanced(path)]
    if written:
        warnings.warn(f"{folder}: left out {len(written)} file(s) that stand beside their recording as `pse enhance` "
                      f"writes them: {_first(written)}", PseWarning, stacklevel=2)  # fmt: skip
    return {name: path for name, path in files.items() if name not in written}


def matching(names: Mapping[str, object] | Sequence[str], folder: Path, what: str) -> dict[str, Path]:
    """The file of each name in ``folder``; raises `UsageError` that lists the first few that are missing."""
    present = audio_by_name(folder)
    missing = [name for name in names if name not in present]
    if missing:
        raise UsageError(f"{folder}: no {what} for {len(missing)} of {len(names)} recordings: {_first(missing)}; "
                         f"files are matched by name, and there are {_first(list(present))}")  # fmt: skip
    return {name: present[name] for name in names}


def check_lengths(seconds: Mapping[str, float], files: Mapping[str, Path], folder: Path) -> None:
    """Raise `AudioError` where a file's length is another by more than 0.1 s; warn of smaller differences."""
    differences = {name: length_in_seconds(path) - seconds[name] for name, path in files.items()}
    wrong = [f"{name} ({diff:+.2f} s)" for name, diff in differences.items() if abs(diff) > SLACK_S]
    if wrong:
        raise AudioError(f"{folder}: {len(wrong)} files are longer or shorter than the noisy recordings: "
                         f"{_first(wrong)}; at most {SLACK_S} s can be cut")  # fmt: skip
    different = [name for name, diff in differences.items() if abs(diff) > 1e-4]
    if different:
        worst = max(abs(differences[name]) for name in different)
        warnings.warn(f"{folder}: {len(different)} files differ from the noisy recordings by up to {1e3 * worst:.0f} "
                      "ms in length; the ends are cut", PseWarning, stacklevel=2)  # fmt: skip


def read_transcripts(path: Path) -> dict[str, str]:
    """Lines of path TAB text, as a map from the path without its ending to the text."""
    words = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            name, tab, text = line.partition("\t")
            if not tab:
                raise UsageError(f"{path}, line {number}: no tab between path and text")
            words[_name(name)] = text.strip()
    return words


def _labels(path: Path) -> dict[str, tuple[float | None, str]]:
    try:
        return _read_labels(path)
    except csv.Error as error:
        raise UsageError(f"{path}: cannot be read ({error}); save it as CSV in UTF-8") from error


def _read_labels(path: Path) -> dict[str, tuple[float | None, str]]:
    rows = csv.DictReader(_text(path).splitlines(), skipinitialspace=True)
    rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
    if "name" not in (rows.fieldnames or ()):
        raise UsageError(f"{path}: the first line must name the columns: name, and snr_db, noise or both")
    labels: dict[str, tuple[float | None, str]] = {}
    if not {"snr_db", "noise"} & set(rows.fieldnames or ()):
        raise UsageError(f"{path}: has no column snr_db and none called noise: nothing to label with")
    for row in rows:
        snr = row.get("snr_db") or None
        if not row["name"]:
            raise UsageError(f"{path}, line {rows.line_num}: no name")
        if _name(row["name"]) in labels:
            raise UsageError(f"{path}, line {rows.line_num}: {row['name']} was there before; keep one of them")
        try:
            value = None if snr is None else float(snr)
            if value is not None and not math.isfinite(value):
                raise ValueError
            labels[_name(row["name"])] = (value, (row.get("noise") or "").strip())
        except ValueError:
            raise UsageError(f"{path}, {row['name']}: snr_db {snr!r} is not a number") from None
    return labels


def _labelled(label: Label, notes: Mapping[str, tuple[float | None, str]], words: Mapping[str, str]) -> Label:
    snr_db, noise = notes.get(label.name, (None, ""))
    return dataclasses.replace(label, snr_db=snr_db, noise=noise, said=words.get(label.name, ""))


def _check_use(path: Path | None, named: Mapping[str, object], files: Mapping[str, Path]) -> None:
    """Raise `UsageError` if a table is of other recordings; warn of those that it lacks, or names in vain."""
    if path is None:
        return
    lacking = [name for name in files if name not in named]
    if len(lacking) == len(files):
        raise UsageError(f"{path}: names none of the recordings; they are paths within the folder of noisy files")
    unknown = [name for name in named if name not in files]
    for names, what in ((lacking, "says nothing of"), (unknown, "names what is no recording there:")):
        if names:
            warnings.warn(f"{path}: {what} {_first(names)} ({len(names)} in all)", PseWarning, stacklevel=2)


def _name(path: str) -> str:
    """A path as people write it, as `audio_by_name` does. Dots belong to a name unless an audio ending follows."""
    given = Path(path.strip())
    return _composed(given.with_suffix("") if is_audio_name(given) else given)


def _composed(path: Path) -> str:
    """MacOS writes an accent and its letter apart, in names that look the same."""
    return unicodedata.normalize("NFC", path.as_posix())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
