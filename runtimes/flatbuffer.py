"""The metadata of a TFLite file, read without a TensorFlow package: none of those that run a model can.

A ``.tflite`` is a flatbuffer (https://flatbuffers.dev/internals/) of the schema ``tflite/schema.fbs``: tables whose
fields are found through a table of offsets, all little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

# Positions of the fields that are needed, in the order of schema.fbs.
MODEL_BUFFERS, MODEL_METADATA = 4, 6
METADATA_NAME, METADATA_BUFFER = 0, 1
BUFFER_DATA = 0


def read_metadata(path: Path) -> dict[str, str]:
    """Names and texts of the file's metadata entries; raises ValueError for what is not a whole TFLite file."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[4:8] != b"TFL3":
                raise ValueError("not a TFLite file")
            return _entries(content)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise ValueError("it is damaged or breaks off") from None


def _entries(content: mmap.mmap) -> dict[str, str]:
    model = _follow(content, 0)
    listed = _field(content, model, MODEL_METADATA)
    buffers = _field(content, model, MODEL_BUFFERS)
    if listed is None or buffers is None:
        return {}
    tables = list(_tables(content, _follow(content, buffers)))
    entries = {}
    for entry in _tables(content, _follow(content, listed)):
        name, number = _field(content, entry, METADATA_NAME), _field(content, entry, METADATA_BUFFER)
        data = None if number is None else _field(content, tables[_uint32(content, number)], BUFFER_DATA)
        if name is not None and data is not None:
            key = _bytes(content, _follow(content, name)).decode()
            if key.startswith("pse_sdk."):
                entries[key] = _bytes(content, _follow(content, data)).decode()
    return entries


def _field(content: mmap.mmap, table: int, position: int) -> int | None:
    """Where a field of a table lies; None where it is left out."""
    offsets = table - struct.unpack_from("<i", content, table)[0]
    entry = 4 + 2 * position
    if entry >= struct.unpack_from("<H", content, offsets)[0]:
        return None
    offset: int = struct.unpack_from("<H", content, offsets + entry)[0]
    return table + offset if offset else None


def _tables(content: mmap.mmap, vector: int) -> Iterator[int]:
    for i in range(_uint32(content, vector)):
        yield _follow(content, vector + 4 + 4 * i)


def _bytes(content: mmap.mmap, vector: int) -> bytes:
    length = _uint32(content, vector)
    if vector + 4 + length > len(content):
        raise IndexError
    return content[vector + 4 : vector + 4 + length]


def _follow(content: mmap.mmap, at: int) -> int:
    return at + _uint32(content, at)


def _uint32(content: mmap.mmap, at: int) -> int:
    value: int = struct.unpack_from("<I", content, at)[0]
    return value
