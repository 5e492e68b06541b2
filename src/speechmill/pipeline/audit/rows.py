# SPDX-License-Identifier: Apache-2.0
"""Checks of the dataset's rows, column by column: a million segments take seconds.

Times may be off by what rounding to milliseconds makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from speechmill.pipeline.arrow_numpy import floats, integers, offsets_of
from speechmill.pipeline.audit.findings import Check, Sheet
from speechmill.store.workspace import Workspace
from speechmill.text.scripts import foreign_letters

TOLERANCE_S = 0.0015  # start and end are rounded to milliseconds each
FOREIGN = 0.1  # share of letters of other scripts from which a text is not of its language
_ROWS = 65_536
_BROKEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")

Column = NDArray[Any]


def check_rows(workspace: Workspace) -> list[Check]:
    """Run every check of segments and recordings."""
    sheets = {
        name: Sheet(name)
        for name in ("segment-times", "word-times", "phone-times", "scores", "texts", "duplicate-segments", "decided")
    }
    durations = dict(_durations(workspace))
    seen = _Seen()
    for batch in _batches(workspace):
        ids = batch.column("id")
        _times(sheets["segment-times"], batch, durations)
        for name in ("words", "phones"):
            _inner(sheets[f"{name[:-1]}-times"], batch, name)
        _scores(sheets["scores"], batch)
        _texts(sheets["texts"], batch)
        seen.add(sheets["duplicate-segments"], batch)
        _decided(sheets["decided"], batch)
        for sheet in sheets.values():
            sheet.saw(len(ids))
    return [*(sheet.done() for sheet in sheets.values()), _recordings(workspace)]


def _durations(workspace: Workspace) -> Iterator[tuple[str, float]]:
    with pq.ParquetFile(workspace.dataset / "recordings.parquet") as file:
        table = file.read(columns=["id", "duration"])
    yield from zip(table["id"].to_pylist(), table["duration"].to_pylist(), strict=True)


def _batches(workspace: Workspace) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(workspace.dataset / "segments.parquet") as file:
        yield from file.iter_batches(_ROWS, use_threads=False)


def _times(sheet: Sheet, batch: pa.RecordBatch, durations: dict[str, float]) -> None:
    """Segments lie inside their recording."""
    start, duration = floats(batch.column("start")), floats(batch.column("duration"))
    coded = batch.column("recording_id").dictionary_encode()
    ends = np.array([durations.get(name, np.nan) for name in coded.dictionary.to_pylist()], dtype=float)
    limit = ends[integers(coded.indices)] if len(ends) else np.zeros(0)
    inside = (start >= 0) & (duration > 0) & (start + duration <= limit + TOLERANCE_S)

    def describe(row: int) -> tuple[str, str]:
        where = batch.column("id")[row].as_py()
        if np.isnan(limit[row]):
            return where, f"its recording {batch.column('recording_id')[row].as_py()!r} is not in recordings.parquet"
        return where, f"{start[row]:.3f} s, {duration[row]:.3f} s long, in a recording of {limit[row]:.3f} s"

    sheet.add_rows(np.flatnonzero(~inside), describe)


def _inner(sheet: Sheet, batch: pa.RecordBatch, name: str) -> None:
    """Words (or phones) are in order and inside their segment."""
    column = batch.column(name)
    offsets = offsets_of(column)
    flat = column.values
    begin, length = (floats(flat.field(part))[offsets[0] : offsets[-1]] for part in ("start", "duration"))
    counts = np.diff(offsets)
    row = np.repeat(np.arange(len(column)), counts)
    start, duration = floats(batch.column("start")), floats(batch.column("duration"))
    after = begin >= start[row] - TOLERANCE_S
    before = begin + length <= (start + duration)[row] + TOLERANCE_S
    fine = after & before & (length >= 0)
    same = row[1:] == row[:-1]
    fine[1:] &= ~same | (begin[1:] >= begin[:-1])
    wrong = np.flatnonzero(~fine)
    first = {int(row[at]): int(at) for at in wrong[::-1]}

    def describe(of: int) -> tuple[str, str]:
        at = first[of]
        reason = "before the one that precedes it" if after[at] and before[at] and length[at] >= 0 else "outside of it"
        of_s = f"the segment is {start[of]:.3f} to {start[of] + duration[of]:.3f} s"
        number = at - (offsets[of] - offsets[0])
        return batch.column("id")[of].as_py(), f"{name[:-1]} {number} is {reason}: {begin[at]:.3f} s; {of_s}"

    sheet.add_rows(sorted(first), describe)


def _scores(sheet: Sheet, batch: pa.RecordBatch) -> None:
    """Scores are numbers, or null; never NaN or infinite."""
    if "scores" not in batch.schema.names:
        return
    scores = batch.column("scores")
    for field, values in zip(scores.type, scores.flatten(), strict=True):
        numbers = floats(values.fill_null(0.0))

        def describe(row: int, name: str = field.name, of: Column = numbers) -> tuple[str, str]:
            return batch.column("id")[row].as_py(), f"{name} is {of[row]}"

        sheet.add_rows(np.flatnonzero(~np.isfinite(numbers)), describe)


def _texts(sheet: Sheet, batch: pa.RecordBatch) -> None:
    """Texts of kept segments are in the scripts of their language, and hold no broken characters."""
    kept = integers(pc.fill_null(pc.list_value_length(batch.column("drops")), 0)) == 0
    texts, languages, ids = batch.column("text"), batch.column("language"), batch.column("id")
    odd = np.asarray(pc.fill_null(pc.invert(pc.string_is_ascii(texts)), False).to_numpy(zero_copy_only=False))
    odd |= np.asarray(pc.fill_null(pc.match_substring_regex(texts, r"[\x00-\x08\x0b-\x1f\x7f]"), False))
    nonlatin = pc.is_in(pc.utf8_slice_codeunits(pc.fill_null(languages, ""), 0, 2), pa.array(_NON_LATIN))
    odd |= np.asarray(nonlatin.to_numpy(zero_copy_only=False))
    for row in np.flatnonzero(odd & kept):
        text, language = texts[int(row)].as_py(), languages[int(row)].as_py()
        if problem := wrong_text(text, language):
            sheet.add(ids[int(row)].as_py(), problem)


_NON_LATIN = ["zh", "ja", "ko", "th", "lo", "km", "my", "ru", "uk", "bg", "el", "ar", "fa", "he", "hi", "bn", "ta"]


def wrong_text(text: str | None, language: str | None) -> str | None:
    """Say what is wrong with the characters of a text, or None.

    >>> wrong_text("Xin chào мир", "vi")
    '3 of 10 letters are of no script that vi is written in: м и р'
    """
    if not text:
        return None
    if broken := _BROKEN.search(text):
        return f"it holds U+{ord(broken.group()):04X}"
    foreign = foreign_letters(text, language)
    letters = sum(one.isalpha() for one in text)
    if foreign and len(foreign) > FOREIGN * letters:
        few = " ".join(foreign[:5])
        return f"{len(foreign)} of {letters} letters are of no script that {language} is written in: {few}"
    return None


class _Seen:
    """What segments there were: ids, and texts with their places."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._places: set[tuple[object, ...]] = set()

    def add(self, sheet: Sheet, batch: pa.RecordBatch) -> None:
        """Note ids that are there twice, and what is said twice at one place."""
        names = ("id", "recording_id", "channel", "start", "duration", "text", "speaker")
        for id, *place in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
            key = tuple(place)
            if id in self._ids:
                sheet.add(id, "two segments have this id")
            elif key in self._places:
                sheet.add(id, "another segment has the same text at the same place")
            self._ids.add(id)
            self._places.add(key)


def _decided(sheet: Sheet, batch: pa.RecordBatch) -> None:
    """A kept segment has a split, a dropped one has none."""
    if "split" not in batch.schema.names:
        return
    kept = integers(pc.fill_null(pc.list_value_length(batch.column("drops")), 0)) == 0
    has_split = np.asarray(pc.is_valid(batch.column("split")).to_numpy(zero_copy_only=False))

    def describe(row: int) -> tuple[str, str]:
        return batch.column("id")[row].as_py(), "kept, of no split" if kept[row] else "dropped, and yet of a split"

    sheet.add_rows(np.flatnonzero(kept != has_split), describe)


def _recordings(workspace: Workspace) -> Check:
    """No two recordings have one id, and none that isn't an alias has another's key."""
    sheet = Sheet("duplicate-recordings")
    with pq.ParquetFile(workspace.dataset / "recordings.parquet") as file:
        rows = file.read(columns=["id", "key", "alias_of", "failed_stage"]).to_pylist()
    sheet.saw(len(rows))
    ids: set[str] = set()
    keys: dict[str, str] = {}
    for row in rows:
        if row["id"] in ids:
            sheet.add(row["id"], "two recordings have this id")
        elif row["alias_of"] is None and row["key"] in keys:
            sheet.add(row["id"], f"equal to {keys[row['key']]}, and not its alias")
        ids.add(row["id"])
        if row["alias_of"] is None:
            keys.setdefault(row["key"], row["id"])
    for row in rows:
        if row["alias_of"] is not None and row["alias_of"] not in ids:
            sheet.add(row["id"], f"an alias of {row['alias_of']!r}, which is not there")
    return sheet.done()
