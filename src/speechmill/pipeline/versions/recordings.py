# SPDX-License-Identifier: Apache-2.0
"""Recordings of two versions: which came, which went, and of which something else is known than before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from speechmill.pipeline.expressions import Coded, Truths
from speechmill.pipeline.versions import causes
from speechmill.pipeline.versions.causes import Cause, Causes, Masks
from speechmill.pipeline.versions.columns import Rows
from speechmill.pipeline.versions.shelf import Version

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


class RecordingChange(Struct, frozen=True):
    """A recording that isn't as it was."""

    id: str
    change: str  # added | removed | changed
    cause: Cause
    duration: float


class Fact(Struct, frozen=True):
    """What of a recording is compared."""

    key: str
    sha256: str
    duration: float
    failed: str
    corrections: frozenset[tuple[Any, ...]]  # (id, start, duration, channel)


def facts_of(version: Version) -> dict[str, Fact]:
    """Return what is known of each recording of a version."""
    found = {}
    for batch in version.facts().to_batches():
        for row in batch.to_pylist():
            marks = frozenset((one["id"], one["start"], one["duration"], one["channel"]) for one in row["corrections"])
            failed = f"{row['failed_stage']}: {row['reason']}" if row["failed_stage"] else ""
            found[row["id"]] = Fact(row["key"], row["sha256"], row["duration"], failed, marks)
    return found


def compare(before: Mapping[str, Fact], after: Mapping[str, Fact], withdrawn: Collection[str]) -> list[RecordingChange]:
    """List the recordings that differ. withdrawn: what was taken down in between."""
    return list(_changes(before, after, withdrawn))


def _changes(
    before: Mapping[str, Fact], after: Mapping[str, Fact], withdrawn: Collection[str]
) -> Iterator[RecordingChange]:
    for name, fact in before.items():
        if name not in after:
            cause = Cause(causes.TAKEDOWN if name in withdrawn else causes.GONE)
            yield RecordingChange(name, REMOVED, cause, fact.duration)
    for name, fact in after.items():
        if name not in before:
            yield RecordingChange(name, ADDED, Cause(causes.NEW_AUDIO), fact.duration)
        elif (other := _cause(before[name], fact)) is not None:
            yield RecordingChange(name, CHANGED, other, fact.duration)


def _cause(before: Fact, after: Fact) -> Cause | None:
    if before.sha256 != after.sha256:  # "": recordings.tsv lists it, but there was no such file
        missing = causes.GONE if not after.sha256 else causes.OTHER_AUDIO
        return Cause(causes.NEW_AUDIO if not before.sha256 else missing)
    if before.key != after.key:
        return Cause(causes.INPUT)
    if before.corrections != after.corrections:
        return Cause(causes.CORRECTION)
    if before.failed != after.failed:
        return Cause(causes.FAILURE, f"{before.failed or 'none'} -> {after.failed or 'none'}")
    return None


class ByRecording:
    """Causes of segments that follow from their recording alone."""

    def __init__(
        self, changes: list[RecordingChange], before: Mapping[str, Fact], after: Mapping[str, Fact], known: Causes
    ) -> None:
        self._known = known
        self._changes = {change.id: change for change in changes}
        self._corrected = {
            change.id: before[change.id].corrections ^ after[change.id].corrections
            for change in changes
            if change.cause.kind == causes.CORRECTION
        }

    def whole(self, recordings: Coded, rows: Rows) -> Masks:
        """Return the causes that hold for all of a recording: that it is new, gone, or another one."""
        kinds = (causes.NEW_AUDIO, causes.GONE, causes.TAKEDOWN, causes.OTHER_AUDIO, causes.INPUT)
        return self._of(recordings, rows, kinds)

    def failed(self, recordings: Coded, rows: Rows) -> Masks:
        """Return the causes that may hold for all of it: that a stage failed, or did so before."""
        return self._of(recordings, rows, (causes.FAILURE,))

    def corrected(self, recordings: Coded, rows: Rows, start: Any, seconds: Any, channel: Any) -> Truths:
        """Tell which segments somebody corrected, or doesn't any more, wholly or in part."""
        hit = np.zeros(len(rows), dtype=bool)
        place = {name: code for code, name in enumerate(recordings.values)}
        for name, stretches in self._corrected.items():
            mine = np.flatnonzero(recordings.codes[rows] == place.get(name, -2))
            for _id, begin, length, of_channel in stretches:
                of = rows[mine]
                overlaps = (start[of] < begin + length) & (start[of] + seconds[of] > begin)
                hit[mine[overlaps & (channel[of] == of_channel)]] = True
        return hit

    def near_corrected(self, recordings: Coded, rows: Rows) -> Masks:
        """Return the cause of segments of a recording in which something was corrected elsewhere."""
        return self._of(recordings, rows, (causes.CORRECTION,))

    def _of(self, recordings: Coded, rows: Rows, kinds: Collection[str]) -> Masks:
        bits = np.zeros(len(recordings.values) + 1, dtype=np.uint64)
        for code, name in enumerate(recordings.values):
            change = self._changes.get(name)
            if change is not None and change.cause.kind in kinds:
                bits[code] = self._known.bit(change.cause.kind, change.cause.what)
        found: Masks = bits[recordings.codes[rows]]
        return found
