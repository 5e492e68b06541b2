# SPDX-License-Identifier: Apache-2.0
"""Two versions compared: recordings and segments added, removed and changed, and the cause of each.

A segment is in a version where it is kept. Columns are compared, by id; no segment is ever an object, but for the few
that are shown.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core.columns import SCORES
from speechmill.pipeline.expressions import Truths
from speechmill.pipeline.filter import TAKEN_DOWN
from speechmill.pipeline.versions import causes
from speechmill.pipeline.versions.causes import Cause, Causes, Masks, columns_read, rule_changes
from speechmill.pipeline.versions.columns import Contents, Decided, Rows, matched, same_names
from speechmill.pipeline.versions.drift import Drift, drift_of
from speechmill.pipeline.versions.manifest import Manifest
from speechmill.pipeline.versions.recordings import (
    ADDED,
    CHANGED,
    REMOVED,
    ByRecording,
    RecordingChange,
    compare,
    facts_of,
)
from speechmill.pipeline.versions.shelf import Version
from speechmill.pipeline.versions.steps import Root, behind, roots

_HOUR = 3600.0
_DUPLICATE = "duplicate-"  # how drops of what is there twice begin; all others that are no rules are of splits


class Effect(Struct, frozen=True):
    """What causes did together; segments in the version that has them."""

    causes: tuple[Cause, ...]
    added: int = 0
    added_hours: float = 0.0
    removed: int = 0
    removed_hours: float = 0.0
    changed: int = 0
    changed_hours: float = 0.0


class Shown(Struct, frozen=True):
    """A segment that isn't as it was."""

    id: str
    change: str
    fields: tuple[str, ...]  # of a changed one, those that differ
    causes: tuple[Cause, ...]
    duration: float


class Reason(Struct, frozen=True):
    """Hours that a reason leaves out, before and after."""

    rule: str
    before_hours: float
    after_hours: float


class Diff(Struct, frozen=True):
    """How a version differs from one before."""

    before: int
    after: int
    compared: bool  # whether the segments of both are still there
    kept_before: float  # hours
    kept_after: float
    recordings: tuple[RecordingChange, ...]
    stages: tuple[Root, ...]  # that differ by themselves
    rules: tuple[str, ...]  # that differ
    effects: tuple[Effect, ...] = ()  # by hours
    fields: dict[str, int] = {}  # segments in which each field differs, of those in both
    reasons: tuple[Reason, ...] = ()
    drift: tuple[Drift, ...] = ()
    segments: tuple[Shown, ...] = ()
    notes: tuple[str, ...] = ()


def diff(before: Version, after: Version, withdrawn: Collection[str] = (), shown: int = 0) -> Diff:
    """Compare two versions. withdrawn: recordings that are taken down now. shown: how many segments to list."""
    old, new = before.manifest, after.manifest
    if old.takedowns == new.takedowns:
        withdrawn = ()  # what is withdrawn now was so before, or is in neither
    facts = facts_of(before), facts_of(after)
    found = compare(*facts, withdrawn)
    stages, rules = roots(old, new), rule_changes(old, new)
    result = Diff(
        before=old.number,
        after=new.number,
        compared=before.has_rows and after.has_rows,
        kept_before=old.counts.kept_hours,
        kept_after=new.counts.kept_hours,
        recordings=tuple(found),
        stages=tuple(stages.values()),
        rules=tuple(dict.fromkeys(rules.values())),
        reasons=_reasons(old, new),
        notes=_notes(before, after),
    )
    if not result.compared:
        return result
    known = Causes()
    pair = _Pair(before, after, ByRecording(found, *facts, known), known, stages)
    return pair.described(result, shown)


def _reasons(old: Manifest, new: Manifest) -> tuple[Reason, ...]:
    before = {loss.rule: loss.hours for loss in old.counts.losses}
    after = {loss.rule: loss.hours for loss in new.counts.losses}
    return tuple(Reason(rule, before.get(rule, 0.0), after.get(rule, 0.0)) for rule in dict.fromkeys((*before, *after)))


def _notes(*both: Version) -> tuple[str, ...]:
    found = []
    for version in both:
        purged = sum(one.recordings for one in version.manifest.purged)
        if purged:
            found.append(f"of version {version.manifest.number}, {purged} recordings were purged since")
        if not version.has_rows:
            found.append(f"the segments of version {version.manifest.number} are gone: `speechmill gc` deleted them")
    old, new = (version.manifest for version in both)
    shared = sorted(old.versions.keys() & new.versions.keys())
    differing = [name for name in shared if old.versions[name] != new.versions[name]]
    if differing:
        found.append(f"other versions of {', '.join(differing)}")
    return tuple(found)


class _Pair:
    """The segments of two versions, side by side."""

    def __init__(
        self, before: Version, after: Version, by_recording: ByRecording, known: Causes, stages: dict[str, Root]
    ) -> None:
        self._old, self._new = before.manifest, after.manifest
        self._same = self._old.table == self._new.table
        self._by_recording, self._known, self._stages = by_recording, known, stages
        self._before = Contents(before)
        self._after = self._before if self._same else Contents(after)
        self._decided = Decided(before), Decided(after)
        self._row_before = (  # of each segment after; -1: it is not there
            np.arange(self._after.num_rows) if self._same else matched(self._before, self._after)
        )
        self._row_after = np.full(self._before.num_rows, -1, dtype=np.int64)
        here = np.flatnonzero(self._row_before >= 0)
        self._row_after[self._row_before[here]] = here
        self._changes = rule_changes(self._old, self._new)

    def described(self, result: Diff, shown: int) -> Diff:
        """Fill in what the segments tell."""
        added, removed = self._added(), self._removed()
        changed, fields = self._changed()
        groups = ((ADDED, self._after, added), (REMOVED, self._before, removed), (CHANGED, self._after, changed))
        effects: dict[int, dict[str, Any]] = {}
        examples: list[Shown] = []
        for change, contents, masks in groups:
            rows = np.flatnonzero(masks)
            for mask in np.unique(masks[rows]):
                mine = rows[masks[rows] == mask]
                effect = effects.setdefault(int(mask), {"causes": self._known.of(mask)})
                effect[change] = len(mine)
                effect[f"{change}_hours"] = float(contents.seconds[mine].sum() / _HOUR)
            examples += self._shown(change, contents, rows, masks, fields, shown - len(examples))
        listed = [Effect(**effect) for effect in effects.values()]
        listed.sort(key=lambda one: -(one.added_hours + one.removed_hours + one.changed_hours))
        return msgspec.structs.replace(
            result,
            effects=tuple(listed),
            fields={name: int(differs.sum()) for name, differs in fields.items() if differs.any()},
            drift=() if self._same else tuple(self._drift()),
            segments=tuple(examples),
        )

    def _shown(
        self, change: str, contents: Contents, rows: Rows, masks: Masks, fields: dict[str, Truths], most: int
    ) -> list[Shown]:
        rows = rows[: max(0, most)]
        if len(rows) == 0:
            return []
        ids = contents.ids()
        return [
            Shown(
                ids[int(row)].as_py(),
                change,
                tuple(name for name, differs in fields.items() if differs[row]) if change == CHANGED else (),
                self._known.of(masks[row]),
                float(contents.seconds[row]),
            )
            for row in rows
        ]

    def _added(self) -> Masks:
        """Return for each segment after why it is kept now; 0 where it isn't, or was before."""
        was, now = self._decided
        kept_before = np.zeros(self._after.num_rows, dtype=bool)
        there = self._row_before >= 0
        kept_before[there] = was.kept[self._row_before[there]]
        rows = np.flatnonzero(now.kept & ~kept_before)
        masks = self._lacking(self._after, rows[~there[rows]])
        return masks | self._lifted(was, self._before, self._row_before, rows[there[rows]])

    def _removed(self) -> Masks:
        """Return for each segment before why it isn't kept any more; 0 where it is, or wasn't."""
        was, now = self._decided
        kept_after = np.zeros(self._before.num_rows, dtype=bool)
        there = self._row_after >= 0
        kept_after[there] = now.kept[self._row_after[there]]
        rows = np.flatnonzero(was.kept & ~kept_after)
        masks = self._lacking(self._before, rows[~there[rows]])
        return masks | self._lifted(now, self._after, self._row_after, rows[there[rows]])

    def _lacking(self, contents: Contents, rows: Rows) -> Masks:
        """Return why segments are in this table and not in the other."""
        masks = np.zeros(contents.num_rows, dtype=np.uint64)
        masks[rows] = self._values(contents, rows, ["segments"])
        return masks

    def _lifted(self, decided: Decided, contents: Contents, counterparts: Rows, rows: Rows) -> Masks:
        """Return why segments that are in both tables are kept in one only, by the drops that the other has.

        decided, contents: of the other. counterparts: the row there of each row here.
        """
        masks = np.zeros(len(counterparts), dtype=np.uint64)
        others = np.zeros(contents.num_rows, dtype=bool)
        others[counterparts[rows]] = True
        back = np.zeros(contents.num_rows, dtype=np.int64)
        back[counterparts[rows]] = rows
        for rule in decided.rules:
            dropped = decided.dropped_by(rule)
            dropped = dropped[others[dropped]]
            masks[back[dropped]] |= self._of_drop(rule, contents, dropped)
        return masks

    def _of_drop(self, rule: str, contents: Contents, rows: Rows) -> Masks:
        """Return why a rule drops rows in one version and not in the other."""
        if rule == TAKEN_DOWN:
            return np.full(len(rows), self._known.bit(causes.TAKEDOWN))
        if rule in self._changes:
            return np.full(len(rows), self._known.bit(causes.RULES, self._changes[rule]))
        if rule in self._new.rules:
            return self._values(contents, rows, columns_read(rule))
        kind = causes.DUPLICATES if rule.startswith(_DUPLICATE) else causes.SPLITS
        return self._together(kind, contents, rows)

    def _together(self, kind: str, contents: Contents, rows: Rows) -> Masks:
        """Return the cause of what follows from all segments together."""
        field = "deduplicate" if kind == causes.DUPLICATES else "splits"
        before, after = getattr(self._old, field), getattr(self._new, field)
        if before != after:
            return np.full(len(rows), self._known.bit(kind, f"{_options(before)} -> {_options(after)}"))
        found = self._by_recording.whole(contents.recordings, rows)
        found[found == 0] = self._known.bit(kind, "other recordings or segments are beside it")
        return found

    def _values(self, contents: Contents, rows: Rows, columns: Collection[str]) -> Masks:
        """Return why columns of rows have other values than in the other version, or rows aren't there at all."""
        masks = self._by_recording.whole(contents.recordings, rows)
        numbers = [contents.columns.numbers(name) for name in ("start", "duration", "channel")]
        near = self._by_recording.near_corrected(contents.recordings, rows)
        corrected = self._by_recording.corrected(contents.recordings, rows, *numbers) & (masks == 0)
        masks[corrected] = near[corrected]
        open_ = masks == 0
        masks[open_] = self._known.bits(behind(columns, self._old, self._new, self._stages))
        for others in (near, self._by_recording.failed(contents.recordings, rows)):
            open_ = masks == 0
            masks[open_] = others[open_]
        masks[masks == 0] = self._known.bit(causes.UNEXPLAINED)
        return masks

    def _changed(self) -> tuple[Masks, dict[str, Truths]]:
        """Return for each segment that both have why it differs (0: it doesn't), and the fields that do."""
        was, now = self._decided
        there = np.flatnonzero((self._row_before >= 0) & now.kept)
        there = there[was.kept[self._row_before[there]]]
        masks = np.zeros(self._after.num_rows, dtype=np.uint64)
        fields: dict[str, Truths] = {}
        for name, column in _FIELDS.items():
            differs = np.zeros(self._after.num_rows, dtype=bool)
            differs[there] = self._differs(name, there)
            fields[name] = differs
            rows = np.flatnonzero(differs)
            if name == "split":
                masks[rows] |= self._together(causes.SPLITS, self._after, rows)
            elif len(rows):
                masks[rows] |= self._values(self._after, rows, [column])
        return masks, fields

    def _differs(self, name: str, rows: Rows) -> Truths:
        """Tell of segments that both have whether a field differs."""
        back = self._row_before[rows]
        if name == "split":
            return ~same_names(self._decided[0].split, self._decided[1].split, back, rows)
        if self._same:
            return np.zeros(len(rows), dtype=bool)
        if name in ("speaker", "language"):
            return ~same_names(self._before.columns.coded(name), self._after.columns.coded(name), back, rows)
        old, new = (one.texts() if name == "text" else one.timed(name) for one in (self._before, self._after))
        return np.asarray(old[back] != new[rows])

    def _drift(self) -> list[Drift]:
        rows = np.flatnonzero(self._row_before >= 0)
        found = []
        for name in self._after.columns.scores:
            if name not in self._before.columns.scores:
                continue
            old = self._before.columns.numbers(name)[self._row_before[rows]]
            new = self._after.columns.numbers(name)[rows]
            reached = behind([SCORES + name], self._old, self._new, self._stages)
            found.append(drift_of(name, old, new, tuple(f"{root.stage}: {root.what}" for root in reached)))
        return found


_FIELDS = {  # field -> the column of a stage that it is
    "text": "segments",
    "language": "segments",
    "speaker": "segments",
    "words": "segments.words",
    "phones": "segments.phones",
    "split": "",
}


def _options(value: Any) -> str:
    return "null" if value is None else ", ".join(f"{name}: {one}" for name, one in msgspec.to_builtins(value).items())
