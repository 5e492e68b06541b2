# SPDX-License-Identifier: Apache-2.0
"""RTTM, NIST's rich transcription time marks: who speaks when.

Only SPEAKER rows are read, as the RT-09 evaluation plan defines them; rows of other types (words,
non-speech, speaker information) are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from speechmill.core.errors import FormatError
from speechmill.core.files import write_bytes
from speechmill.core.types import Turn
from speechmill.formats.columns import channels, field, read_rows, seconds

_METADATA = frozenset({"SPKR-INFO", "SEGMENT", "NOSCORE", "NO_RT_METADATA"})
_WORDS = frozenset({"LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "IP", "SU", "CB", "A/P"})


def read(path: Path) -> dict[str, tuple[Turn, ...]]:
    """Read turns by recording id, in the file's order. Raises FormatError with the line."""
    rows = [row for row in read_rows(path) if row.fields[0] not in _METADATA | _WORDS]
    for row in rows:
        if row.fields[0] != "SPEAKER":
            raise FormatError(f"{path}:{row.line}: {row.fields[0]!r} is not a type of RTTM row")
        if len(row.fields) not in (8, 9, 10):
            raise FormatError(f"{path}:{row.line}: {len(row.fields)} columns; an RTTM line has 9 or 10")
    turns: dict[str, list[Turn]] = {}
    for row, channel in zip(rows, channels(path, rows, 2), strict=True):
        start = seconds(path, row.line, row.fields[3], "start")
        duration = seconds(path, row.line, row.fields[4], "duration")
        turns.setdefault(row.fields[1], []).append(Turn(start, duration, row.fields[7], channel))
    return {recording: tuple(found) for recording, found in turns.items()}


def write(path: Path, turns: Mapping[str, Sequence[Turn]], *, durable: bool = True) -> None:
    """Write turns by recording id, times to 0.1 ms.

    Raises FormatError where an id or a speaker is empty or holds white space. durable: see `core.files.atomic`.
    """
    lines = []
    for recording, found in turns.items():
        head = f"SPEAKER {field(path, recording, 'recording id')}"
        for turn in found:
            speaker = field(path, turn.speaker, "speaker")
            times = f"{turn.channel + 1} {turn.start:.4f} {turn.duration:.4f}"
            lines.append(f"{head} {times} <NA> <NA> {speaker} <NA> <NA>\n")
    write_bytes(path, "".join(lines).encode(), durable=durable)
