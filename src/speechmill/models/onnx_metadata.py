# SPDX-License-Identifier: Apache-2.0
"""The notes in an ONNX file, such as which kind of model it is, read without loading its weights.

A field of the file is skipped by its length, so that a model of a gigabyte takes some reads. Field
numbers are those of onnx.proto, https://github.com/onnx/onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from speechmill.core.errors import FormatError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_METADATA, _KEY, _VALUE = 14, 1, 2
_MAX_NOTE = 1 << 24  # bytes; a note may hold a table of means, but no weights


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file. Raises FormatError where it is none."""
    found: dict[str, str] = {}
    end = path.stat().st_size
    with path.open("rb") as file:
        try:
            while file.tell() < end:
                content = _field(file, end, _METADATA)
                if content is not None:
                    found |= _entry(content)
        except (ValueError, UnicodeDecodeError) as error:
            raise FormatError(f"{path}: {error}; not an ONNX file") from error
    return found


def _field(file: BinaryIO, end: int, wanted: int) -> bytes | None:
    """Step over a field; returns its content where it is the one wanted."""
    key = _varint(file)
    number, wire = key >> 3, key & 7
    if wire == _VARINT:
        _varint(file)
        return None
    sizes = {_FIXED32: 4, _FIXED64: 8}
    length = _varint(file) if wire == _BYTES else sizes.get(wire, -1)
    if length < 0 or file.tell() + length > end:
        raise ValueError(f"no field at byte {file.tell()}")
    if number == wanted and wire == _BYTES and length <= _MAX_NOTE:
        return file.read(length)
    file.seek(length, 1)
    return None


def _entry(content: bytes) -> dict[str, str]:
    parts = {}
    while content:
        number = content[0] >> 3
        size, used = _number(content[1:])
        parts[number] = content[1 + used : 1 + used + size].decode()
        content = content[1 + used + size :]
    return {parts.get(_KEY, ""): parts.get(_VALUE, "")}


def _number(raw: bytes) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(raw[:10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    raise ValueError("a number is cut short")


def _varint(file: BinaryIO) -> int:
    place = file.tell()
    value, used = _number(file.read(10))
    file.seek(place + used)
    return value
