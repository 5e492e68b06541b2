# SPDX-License-Identifier: Apache-2.0
"""The columns that stages read and write, and their types.

"audio" to "turns" belong to a recording. "segments" makes rows; "segments.<name>" adds a column to
them, with one entry per row in the order of "segments".
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from speechmill.core.types import Canonical, Interval, Transcript, Turn, Utterance, Word

SCORES = "segments.scores."  # + name of the score: float, or None where it has no value
GAPS = "segments.gaps."  # + name of the stage: why an entry has no value, or None

_TYPES: dict[str, Any] = {
    "audio": Canonical,
    "speech": tuple[Interval, ...],
    "landmarks": bytes,  # see measures.landmarks
    "transcript": Transcript,
    "second": Transcript,
    "turns": tuple[Turn, ...],
    "segments": tuple[Utterance, ...],
    "segments.words": tuple[tuple[Word, ...] | None, ...],
    "segments.phones": tuple[tuple[Word, ...] | None, ...],
}


class Column(Struct, frozen=True):
    """What a score means; filters, report and documentation follow from it."""

    unit: str
    range: tuple[float, float]
    higher_is_better: bool
    source: str


def column_type(name: str) -> Any:
    """Return a column's Python type. Raises KeyError where nothing is known of it."""
    if name.startswith(SCORES):
        return tuple[float | None, ...]
    if name.startswith(GAPS):
        return tuple[str | None, ...]
    return _TYPES[name]


def adds_rows_or_columns(name: str) -> bool:
    """Tell whether a column belongs to segments (and not to the recording)."""
    return name == "segments" or name.startswith("segments.")
