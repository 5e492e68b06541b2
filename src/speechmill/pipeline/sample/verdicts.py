# SPDX-License-Identifier: Apache-2.0
"""verdicts.csv: what a person said of each segment of a sample, as the review page saves it.

    sample,segment,verdict,text,speaker

`verdict` is `good`, or faults with blanks between them; `text` and `speaker` hold a correction, or nothing. Columns may
stand in any order, with semicolons or tabs between them, as spreadsheets save them where the comma is a decimal point.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.formats.encoding import read_text

COLUMNS = ("sample", "segment", "verdict", "text", "speaker")
GOOD = "good"
FAULTS = ("wrong-text", "wrong-boundaries", "wrong-speaker", "bad-audio")
_MOST_CHARACTERS = 50_000_000  # a hundred thousand verdicts; more is no file of ours


class Verdict(Struct, frozen=True):
    """What was said of a segment."""

    segment: str
    faults: tuple[str, ...]  # none: it is good
    text: str | None
    speaker: str | None
    line: int


class Verdicts(Struct, frozen=True):
    """What was said of a sample."""

    sample: str
    verdicts: tuple[Verdict, ...]


def read(path: Path) -> Verdicts:
    """Read verdicts. Raises FormatError with the line where something isn't as it must be."""
    text = read_text(path)
    if len(text) > _MOST_CHARACTERS:
        raise FormatError(f"{path}: {len(text)} characters are too many for verdicts; the limit is {_MOST_CHARACTERS}")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found: dict[str, Verdict] = {}
    samples: set[str] = set()
    try:
        header = tuple(cell.strip().lower() for cell in next(lines, ()))
        if sorted(header) != sorted(COLUMNS):
            raise FormatError(f"{path}:1: the columns are {', '.join(header) or 'none'}, not {', '.join(COLUMNS)}")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue  # a row that was emptied, and not deleted
            if len(cells) != len(COLUMNS):
                raise FormatError(f"{path}:{lines.line_num}: {len(cells)} cells, not {len(COLUMNS)}")
            row = dict(zip(header, cells, strict=True))
            verdict = _verdict(path, lines.line_num, [row[name] for name in COLUMNS], found)
            found[verdict.segment] = verdict
            samples.add(row["sample"])
            if len(samples) > 1:
                raise FormatError(f"{path}:{lines.line_num}: of sample {row['sample']!r}, lines before it of another")
    except csv.Error as error:
        raise FormatError(f"{path}:{lines.line_num}: not CSV ({error})") from error
    if not found:
        raise FormatError(f"{path}: it holds no verdict; judge some segments in review.html and save them")
    return Verdicts(samples.pop(), tuple(found.values()))


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def check_of(path: Path, verdicts: Verdicts, segments: Collection[str]) -> None:
    """Raise FormatError where a verdict is of a segment that isn't in the sample."""
    for verdict in verdicts.verdicts:
        if verdict.segment not in segments:
            raise FormatError(
                f"{path}:{verdict.line}: {verdict.segment!r} is no segment of the sample {verdicts.sample}"
            )


def _verdict(path: Path, line: int, cells: list[str], before: Collection[str]) -> Verdict:
    _sample, segment, said, text, speaker = cells
    if segment in before:
        raise FormatError(f"{path}:{line}: {segment!r} has a verdict already")
    words = said.split()
    unknown = [word for word in words if word not in (GOOD, *FAULTS)]
    if unknown or not words or (GOOD in words and len(words) > 1):
        wrong = f"{said!r} is no verdict" if unknown or not words else f"{said!r}: what is good has no fault"
        raise FormatError(f"{path}:{line}: {wrong}; there are {GOOD}, {', '.join(FAULTS)}")
    faults = tuple(fault for fault in FAULTS if fault in words)
    return Verdict(segment, faults, text.strip() or None, speaker.strip() or None, line)
