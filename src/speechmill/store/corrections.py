# SPDX-License-Identifier: Apache-2.0
"""The log of corrections: who set what, when, from which file. Nothing in it is ever altered.

    corrections/<time>-<random>.jsonl

One file for each import and each drop; they are read in the order of their names. A correction belongs to a
recording by the hash of its audio and to a stretch of its time, so it outlives other transcripts, another
segmentation and a new name of the file.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.files import digest
from speechmill.core.types import Correction
from speechmill.formats.manifest import read_jsonl, write_jsonl


class Entry(Struct, frozen=True):
    """A line of the log: a correction that came in, or the id of one that no longer counts."""

    when: str  # UTC, ISO 8601
    who: str
    file: str = ""  # which it was read from, as named then
    sha256: str = ""  # of the recording's original
    recording_id: str = ""  # as the recording was called then; for people
    correction: Correction | None = None
    dropped: str = ""  # id of an earlier correction


def named(sha256: str, correction: Correction) -> Correction:
    """Give a correction its id: 12 hexadecimal digits of what it says, of which audio and where."""
    content = msgspec.json.encode(msgspec.structs.replace(correction, id=""))
    return msgspec.structs.replace(correction, id=digest(sha256, content)[:12])


def append(folder: Path, entries: Sequence[Entry]) -> Path:
    """Write lines of the log, whole or not at all. `folder`: the workspace's corrections."""
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:6]}.jsonl"
    write_jsonl(path, entries)
    return path


def now() -> str:
    """Return the time as the log has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def log(folder: Path) -> list[Entry]:
    """Return every line, oldest first. Raises FormatError with the line."""
    return [entry for path in sorted(folder.glob("[0-9]*.jsonl")) for entry in read_jsonl(path, Entry)]


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """Return the corrections that count: not dropped since, and no later one says something else of the place."""
    found: list[Entry] = []
    for entry in entries:
        if entry.dropped:
            found = [one for one in found if one.correction is not None and one.correction.id != entry.dropped]
        elif entry.correction is not None:
            found = [one for one in found if not _replaces(entry, one)]
            found.append(entry)
    return found


def by_audio(folder: Path) -> dict[str, tuple[Correction, ...]]:
    """Return the corrections that count by the hash of their recording's audio, in the order of time."""
    found: dict[str, list[Correction]] = {}
    for entry in standing(log(folder)):
        if entry.correction is not None:
            found.setdefault(entry.sha256, []).append(entry.correction)
    return {sha256: tuple(sorted(rows, key=lambda row: (row.start, row.channel))) for sha256, rows in found.items()}


def _replaces(later: Entry, earlier: Entry) -> bool:
    """Tell whether a correction takes an earlier one's place: over half of the shorter one is shared.

    Two speakers may talk at once, so where both texts have one, it must be the same. One that only names a speaker
    leaves texts alone; a text that has one takes its place.
    """
    new, old = later.correction, earlier.correction
    if new is None or old is None or later.sha256 != earlier.sha256 or new.channel != old.channel:
        return False
    if (new.text is None) != (old.text is None) and (new.text is None or new.speaker is None):
        return False
    both = new.text is not None and old.text is not None and None not in (new.speaker, old.speaker)
    if both and new.speaker != old.speaker:
        return False
    shared = min(new.end, old.end) - max(new.start, old.start)
    return shared > 0.5 * min(new.duration, old.duration)
