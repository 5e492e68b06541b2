# SPDX-License-Identifier: Apache-2.0
"""CTM, NIST's time-marked words: recording, channel, start, duration, word, confidence.

As the manual of sclite (SCTK) describes it, without the <ALT> markers of alternative transcripts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.types import Word
from speechmill.formats.columns import Row, channels, field, read_rows, seconds


def read(path: Path) -> dict[tuple[str, int], tuple[Word, ...]]:
    """Read words by (recording id, channel from 0), in the file's order. Raises FormatError with the line."""
    rows = read_rows(path)
    for row in rows:
        if len(row.fields) not in (5, 6):
            raise FormatError(f"{path}:{row.line}: {len(row.fields)} columns; a CTM line has 5 or 6")
    words: dict[tuple[str, int], list[Word]] = {}
    for row, channel in zip(rows, channels(path, rows, 1), strict=True):
        words.setdefault((row.fields[0], channel), []).append(_word(path, row))
    return {key: tuple(value) for key, value in words.items()}


def _word(path: Path, row: Row) -> Word:
    start = seconds(path, row.line, row.fields[2], "start")
    duration = seconds(path, row.line, row.fields[3], "duration")
    return Word(row.fields[4], start, duration, _score(path, row))


def _score(path: Path, row: Row) -> float | None:
    if len(row.fields) == 5 or row.fields[5] in ("NA", "<NA>"):
        return None
    try:
        score = float(row.fields[5])
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise FormatError(f"{path}:{row.line}: confidence {row.fields[5]!r} is not a number in 0..1")
    return score


def write(path: Path, words: Mapping[tuple[str, int], Sequence[Word]], *, durable: bool = True) -> None:
    """Write words by (recording id, channel from 0), times to 0.1 ms, confidence where there is one.

    Raises FormatError where an id or a word is empty or holds white space. durable: see `core.files.atomic`.
    """
    lines = []
    for (recording, channel), found in words.items():
        head = f"{field(path, recording, 'recording id', first=True)} {channel + 1}"
        for word in found:
            score = "" if word.score is None else f" {word.score:.4f}"
            symbol = field(path, word.symbol, "word")
            lines.append(f"{head} {word.start:.4f} {word.duration:.4f} {symbol}{score}\n")
    write_bytes(path, "".join(lines).encode(), durable=durable)
