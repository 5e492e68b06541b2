# SPDX-License-Identifier: Apache-2.0
"""Columns parted by spaces, one row a line: what NIST's CTM and RTTM have in common.

Lines that start with ;; are comments. Channels in files count from 1, ours from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from speechmill.core.errors import FormatError
from speechmill.formats.encoding import read_text

_LETTERS = {"A": "1", "B": "2"}  # the sides of a telephone call
_MAX_S = 1e8  # three years; up to here a tenth of a millisecond is kept to the digit
_MAX_CHANNEL = 9999


class Row(NamedTuple):
    """The fields of one line and its number."""

    line: int
    fields: list[str]


def read_rows(path: Path) -> list[Row]:
    """Read all lines that are neither blank nor comments."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [Row(number, line.split()) for number, line in lines if line.strip() and not line.lstrip().startswith(";;")]


def seconds(path: Path, line: int, text: str, name: str) -> float:
    """Parse a time of at least 0. Raises FormatError, which calls it `name`."""
    try:
        value = float(text)
    except ValueError:
        raise FormatError(f"{path}:{line}: {name} {text[:40]!r} is not a number of seconds") from None
    if not 0 <= value <= _MAX_S:
        raise FormatError(f"{path}:{line}: {name} {text[:40]!r} is not a time in a recording")
    return value


def channels(path: Path, rows: Sequence[Row], column: int) -> list[int]:
    """Return each row's channel, from 0.

    Files count from 1 or call channels A and B. A file that names a channel 0 counts from 0.
    """
    found = [_LETTERS.get(row.fields[column], row.fields[column]).replace("<NA>", "1") for row in rows]
    first = 0 if any(channel.strip("0") == "" for channel in found) else 1
    for row, channel in zip(rows, found, strict=True):
        if not (channel.isascii() and channel.isdecimal() and len(channel) <= len(str(_MAX_CHANNEL))):
            named = row.fields[column][:40]
            raise FormatError(f"{path}:{row.line}: channel {named!r} is not a number up to {_MAX_CHANNEL}, A or B")
    return [int(channel) - first for channel in found]


def field(path: Path, value: str, name: str, *, first: bool = False) -> str:
    """Return a value that can stand in a column. Raises FormatError where it is empty or holds white space.

    first: it is the line's first, which must not look like a comment.
    """
    if value.split() != [value] or (first and value.startswith(";;")):
        raise FormatError(f"{path}: {name} {value!r} can't be written: a column is neither empty nor holds spaces")
    return value
