"""Audio files: read in blocks, written atomically, refused with a sentence that says what is wrong."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from pse_sdk.errors import AudioError, PseWarning
from pse_sdk.files import write_atomically

# Frames of a file that are in memory at a time: 2.7 s at 48 kHz.
BLOCK_FRAMES = 1 << 17
MAX_CHANNELS = 64
# The largest page of an Ogg file.
OGG_PAGE_BYTES = 65307
# What programs write behind the end of a WAV file: tags, checksums.
TAG_BYTES = 4096
# Encoders' delays may be counted in or not.
NEGLIGIBLE_S = 0.1
STREAMED_WAV_BYTES = 0x7FFF0000
# What libsndfile takes for the length of a FLAC file that was written to a pipe is far above this.
MAX_FRAMES = 1 << 40
READABLE = {".wav", ".flac", ".ogg", ".opus", ".oga", ".mp3", ".aiff", ".aif", ".w64", ".rf64", ".au", ".caf"}
# Those that messages name.
KINDS = "WAV, FLAC, Ogg, Opus, MP3 or AIFF"
# What `pse enhance` adds to a name.
ENHANCED = "-clean"
# libsndfile offers more: raw samples, which need a rate, and formats that nothing else reads.
WRITABLE = {"WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF", "W64", "RF64", "CAF", "AU"}
# Three headers of .wav files: the plain one, one that says which loudspeaker a channel is for, and one for long takes.
WAV_FORMATS = {"WAV", "WAVEX", "RF64"}
# More than this the first two cannot hold.
WAV_BYTES = 0xFFFF0000
SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
# What 16 bits would round.
FINE = {"PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
# What libsndfile writes of other letters into these is not what was there.
ASCII_TAGS = {"MP3", "AIFF"}


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """An audio file open for reading, checked; raises `AudioError`."""
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not a recording")
    if not path.exists():
        raise AudioError(f"{path}: no such file")
    if not path.is_file():
        raise AudioError(f"{path}: is a pipe or device; save it to a file first")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: you may not read it; change its permissions")
    try:
        file = soundfile.SoundFile(_name(path))
    except (soundfile.SoundFileError, OSError, TypeError, UnicodeError) as error:
        # That there is a file was looked at: of an MP3 in which it finds nothing libsndfile says that there is none.
        reason = "no sound was found in it" if "not a regular file" in str(error) else _reason(error)
        raise AudioError(
            f"{path}: not a recording that can be read ({KINDS}): {reason}; "
            f"others have to be converted first, `ffmpeg -i {path.name} {path.stem}-converted.wav`"
        ) from error
    with file:
        _check(file, path)
        yield file


def read_blocks(file: soundfile.SoundFile, path: Path) -> Iterator[npt.NDArray[np.float32]]:
    """The file's samples as [frames, channels] float32, block by block; raises `AudioError` where it breaks off."""
    read = 0
    while True:
        try:
            block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            broken_at = max(read, file.tell()) / file.samplerate
            raise AudioError(f"{path}: breaks off after {broken_at:.1f} s ({_reason(error)}); "
                             "copy or download it again") from error  # fmt: skip
        if not len(block):
            break
        read += len(block)
        yield block
    missing = file.frames - read
    if missing > NEGLIGIBLE_S * file.samplerate and _says_its_length(file, path):
        raise AudioError(f"{path}: cut short: {read / file.samplerate:.1f} of "
                         f"{file.frames / file.samplerate:.1f} s are there; copy or download it again")  # fmt: skip
    if missing > 0 and _says_its_length(file, path):
        warnings.warn(f"{path}: {missing} samples fewer than it says; what is there is used", PseWarning, stacklevel=2)


@contextmanager
def write_audio(path: Path, like: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    """A file of the same rate, channels, tags and, where ``path`` has the same ending, format; replaced when complete.

    Title, artist, comment and the like are kept where the format has them; markers, pictures and broadcast data not.
    """
    container, subtype = _format_for(path, like)
    if not path.parent.is_dir():
        raise AudioError(f"{path}: there is no folder {path.parent}")
    try:
        with write_atomically(path) as temporary:
            with soundfile.SoundFile(
                _name(temporary), "w", like.samplerate, like.channels, subtype, format=container
            ) as out:
                _copy_tags(like, out)
                yield out
                written = out.frames
            # Compressed formats write their last data while closing, and say nothing if that fails.
            if soundfile.info(_name(temporary)).frames < written:
                raise AudioError(f"{path}: could not be written whole; is the disk full?")
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path}: cannot be written ({_reason(error)}); {_way_out(path, error)}") from error


def _name(path: Path) -> str | bytes:
    """As soundfile takes it: names that are not UTF-8 in bytes, which Windows has none of."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _copy_tags(like: soundfile.SoundFile, out: soundfile.SoundFile) -> None:
    for name, value in like.copy_metadata().items():
        lossless = value.isascii() or (out.format not in ASCII_TAGS and "\ufffd" not in value)
        if name != "software" and lossless:  # which is us
            with suppress(soundfile.SoundFileError):  # W64 and AU have no tags
                setattr(out, name, value)


def _way_out(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name with -o"
    if not os.access(path.parent, os.W_OK):
        return f"you may not write to {path.parent}, choose another place"
    if path.suffix.lower() == ".wav":
        return "is the disk full?"
    return "is the disk full? else choose .wav, which takes any rate and number of channels"


def is_audio_name(path: Path) -> bool:
    """Whether a file's ending is one of those that recordings have and soundfile can read."""
    return path.suffix.lower() in READABLE


def is_enhanced(path: Path) -> bool:
    """Whether `pse enhance` wrote this: its original stands beside it."""
    return path.stem.endswith(ENHANCED) and path.with_stem(path.stem.removesuffix(ENHANCED)).exists()


def _check(file: soundfile.SoundFile, path: Path) -> None:
    beyond = _beyond_its_header(file, path)
    told = f"{beyond} bytes follow what its header speaks of (was a recorder ended before it was done?)"
    mend = f"repair the header, for example with `sox --ignore-length {path.name} repaired.wav`"
    if file.frames == 0:
        raise AudioError(f"{path}: holds no samples" if not beyond else f"{path}: {told}; {mend}")
    if beyond:
        seconds = file.frames / file.samplerate
        warnings.warn(f"{path}: only its first {seconds:.1f} s are used: {told}; if that is sound, {mend}",
                      PseWarning, stacklevel=2)  # fmt: skip
    if file.frames > MAX_FRAMES:
        raise AudioError(f"{path}: does not say how long it is (written to a pipe?); write it anew, for example with "
                         f"`ffmpeg -i {path.name} whole{path.suffix}`")  # fmt: skip
    if not _says_its_length(file, path):
        # libsndfile guesses it from the first bit rate, and stops there.
        warnings.warn(f"{path}: this MP3 does not say how long it is; should the result end early, write the file anew "
                      f"(`ffmpeg -i {path.name} whole.mp3`)", PseWarning, stacklevel=2)  # fmt: skip
    if file.format == "OGG" and not _has_an_end(path):
        warnings.warn(f"{path}: has no end: cut short (an interrupted recording or copy?), or saved from a running "
                      "stream; what is there is used", PseWarning, stacklevel=2)  # fmt: skip
    if file.channels > MAX_CHANNELS:
        raise AudioError(f"{path}: {file.channels} channels; at most {MAX_CHANNELS} can be enhanced")
    if _is_truncated(file.extra_info):
        raise AudioError(f"{path}: cut short: its header promises more samples than there are "
                         "(an interrupted recording or copy?); copy it again, or repair the header, "
                         f"for example with `sox --ignore-length {path.name} repaired.wav`")  # fmt: skip


def _beyond_its_header(file: soundfile.SoundFile, path: Path) -> int:
    """Bytes behind the end that a WAV file's header gives, if they are more than a tag would take; else 0."""
    if file.format not in WAV_FORMATS:
        return 0
    with path.open("rb") as raw:
        header = raw.read(8)
    if not header.startswith(b"RIFF"):  # RF64 has its length elsewhere
        return 0
    beyond = path.stat().st_size - 8 - int.from_bytes(header[4:], "little")
    return beyond if beyond > TAG_BYTES else 0


def _is_truncated(log: str) -> bool:
    """Whether libsndfile's log says so: it plays what is left of files whose header promises more.

    Programs that write to a pipe cannot know the length and promise nothing or all that fits (2 GiB or more).
    """
    # WAV, AIFF, AU, and in small letters W64, in bytes; then RF64, in samples.
    found = re.search(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(-?\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if found:
        return int(found[2]) < int(found[1]) < STREAMED_WAV_BYTES
    found = re.search(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)", log)
    return found is not None and int(found[1]) < int(found[2])


def _has_an_end(path: Path) -> bool:
    """Whether the last page of an Ogg file is marked as the last (RFC 3533, section 6)."""
    with path.open("rb") as raw:
        raw.seek(max(0, path.stat().st_size - OGG_PAGE_BYTES))
        tail = raw.read()
    page = tail.rfind(b"OggS")
    return 0 <= page < len(tail) - 5 and bool(tail[page + 5] & 4)


def _says_its_length(file: soundfile.SoundFile, path: Path) -> bool:
    """False for an MP3 whose first frame, behind an ID3v2 tag if there is one, is no Xing, Info or VBRI header."""
    if file.format != "MP3":
        return True
    with path.open("rb") as raw:
        tag = raw.read(10)
        size = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=False))
        raw.seek(10 + size if tag.startswith(b"ID3") else 0)
        frame = raw.read(512)
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _format_for(path: Path, like: soundfile.SoundFile) -> tuple[str, str]:
    wanted = path.suffix.lower().lstrip(".")
    container = {"": like.format, "aif": "AIFF", "opus": "OGG", "oga": "OGG"}.get(wanted, wanted.upper())
    if wanted and container not in WRITABLE.intersection(soundfile.available_formats()):
        raise AudioError(f"{path}: unknown kind of file {path.suffix!r}; use .wav, .flac, .ogg, .opus, .mp3 or .aiff")
    if wanted == "opus":
        return container, "OPUS"
    subtype = _subtype_for(container, like)
    if container != "WAV":
        return container, subtype
    if like.frames * like.channels * SAMPLE_BYTES.get(subtype, 0) > WAV_BYTES:
        return "RF64", subtype
    return like.format if like.format in WAV_FORMATS else container, subtype


def _subtype_for(container: str, like: soundfile.SoundFile) -> str:
    # libsndfile says that a WAV may hold MP3, and cannot write one.
    if soundfile.check_format(container, like.subtype) and (container == "MP3" or like.subtype != "MPEG_LAYER_III"):
        return str(like.subtype)
    if like.subtype in FINE and soundfile.check_format(container, "PCM_24"):
        return "PCM_24"
    return str(soundfile.default_subtype(container))


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().rstrip(".").removeprefix("Error : ")
