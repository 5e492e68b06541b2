# SPDX-License-Identifier: Apache-2.0
"""What the report says, gathered from a workspace column by column.

Segments are never rows here: a million of them are a few arrays. Nothing is estimated; a figure that a
workspace doesn't hold is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import WorkspaceError
from speechmill.pipeline.arrow_numpy import integers, offsets_of
from speechmill.pipeline.events import EventFiles, FailedItem, Summary, read_summary
from speechmill.pipeline.expressions import Floats, Truths, names_in
from speechmill.pipeline.filter import Funnel, Point, curve, drop_codes, funnel, round_thresholds
from speechmill.pipeline.reasons import meaning
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.report.recordings import Recordings
from speechmill.pipeline.scores import Score, describe
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store.made import Made
from speechmill.store.workspace import Workspace

_HOUR = 3600.0
_BINS = 36
_UNSCORED = ("duration",)  # columns that are drawn like scores


class Histogram(Struct, frozen=True):
    """Hours by value: `edges` (num_bins + 1,), `kept` and `dropped` (num_bins,) in hours.

    The outer bins hold what lies beyond them too.
    """

    edges: tuple[float, ...]
    kept: tuple[float, ...]
    dropped: tuple[float, ...]


class Distribution(Struct, frozen=True):
    """One column of the segments: where it lies, and what its threshold costs."""

    name: str
    unit: str
    source: str
    higher_is_better: bool
    missing: int
    histogram: Histogram
    curve: tuple[Point, ...]


class Group(Struct, frozen=True):
    """Hours of segments that share a label."""

    label: str
    hours: float
    kept_hours: float
    segments: int


class Speed(Struct):
    """What a stage cost, over every run."""

    stage: str
    results: int = 0
    failed: int = 0
    audio_s: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Gap(Struct, frozen=True):
    """A column or stage that has no value for some segments, and why."""

    name: str
    reason: str
    segments: int
    hours: float


class Attribution(Struct, frozen=True):
    """Whom to name for a recording."""

    recording_id: str
    title: str
    author: str  # or the whole attribution, where that is all that is known
    licence: str
    uri: str


class Facts(Struct, frozen=True):
    """Everything the report shows but the samples."""

    name: str
    run: Summary | None
    recordings: int
    decoded: int
    hours: float
    speech_hours: float | None
    funnel: Funnel
    rules: tuple[str, ...]  # in force, whether or not they dropped anything
    distributions: tuple[Distribution, ...]
    groups: Mapping[str, tuple[Group, ...]]
    speeds: tuple[Speed, ...]
    failures: tuple[FailedItem, ...]
    aliases: tuple[tuple[str, str, str], ...]  # id, id of the one that has the content, uri
    warnings: tuple[tuple[str, str], ...]  # id, what was odd about its audio
    gaps: tuple[Gap, ...]
    attributions: tuple[Attribution, ...] = ()
    models: tuple[Made, ...] = ()  # made from the corpus, that the newest run worked with


def gather(workspace: Path, segments: SegmentColumns | None, recordings: Recordings) -> Facts:
    """Gather the facts of a workspace; `segments` is None where no segments were made."""
    run = latest_run(workspace)
    if run is None and segments is None and recordings.num_rows == 0:
        raise WorkspaceError(f"{workspace} holds no run to report on. Make one with: speechmill run CORPUS --out DIR")
    speech = recordings.column("speech_s")
    mine = [row for row, is_mine in enumerate(recordings.decoded()) if is_mine]
    durations = recordings.column("duration")
    known = [speech[row] for row in mine if speech[row] is not None]
    table = _Segments(segments) if segments is not None else None
    return Facts(
        name=_name(workspace),
        run=run,
        recordings=max(recordings.num_rows, run.recordings if run else 0),
        decoded=len(mine),
        hours=sum(durations[row] or 0.0 for row in mine) / _HOUR,
        speech_hours=sum(known) / _HOUR if known else None,
        funnel=table.funnel if table else Funnel(0, 0.0, 0, 0.0, ()),
        rules=_rules(workspace, table.rules if table else []),
        distributions=table.distributions() if table else (),
        groups=table.groups(recordings) if table else {},
        speeds=_speeds(workspace),
        failures=_failures(run, recordings),
        aliases=_aliases(recordings),
        attributions=_attributions(recordings),
        warnings=_warnings(recordings),
        gaps=table.gaps() if table else (),
        models=_models(workspace),
    )


def _name(workspace: Path) -> str:
    """The corpus file's name for it, as the newest plan has it; else the folder's."""
    plans = sorted((workspace / "runs").glob("*/plan.json"))
    named = msgspec.json.decode(plans[-1].read_bytes()).get("corpus", {}).get("name") if plans else None
    return named or workspace.resolve().name


def _models(workspace: Path) -> tuple[Made, ...]:
    from speechmill.pipeline.overview import models_of

    folder = Workspace(workspace).latest_run()
    return tuple(models_of(folder)) if folder else ()


class _Segments:
    """Segments with what the filter said of them."""

    def __init__(self, columns: SegmentColumns) -> None:
        self.columns = columns
        self.seconds = columns.numbers("duration")
        drops = columns.drops()
        self.counts, self.codes, self.rules = drop_codes(drops)
        self.kept: Truths = self.counts == 0
        self.funnel = funnel(self.seconds, drops)

    def distributions(self) -> tuple[Distribution, ...]:
        if len(self.seconds) == 0:
            return ()
        known = describe()
        return tuple(self._distribution(name, known.get(name)) for name in (*_UNSCORED, *self.columns.scores))

    def _distribution(self, name: str, score: Score | None) -> Distribution:
        values = self.columns.numbers(name)
        higher = score.column.higher_is_better if score else True
        thresholds = round_thresholds(values)
        points = curve(values, self.seconds, self._kept_but_for(name), thresholds, higher_is_better=higher)
        return Distribution(
            name=name,
            unit="s" if name in _UNSCORED else score.column.unit if score else "",
            source=score.column.source if score else "",
            higher_is_better=higher,
            missing=int(np.isnan(values).sum()),
            histogram=_histogram(values, self.seconds, self.kept),
            curve=() if name in _UNSCORED else tuple(points),
        )

    def _kept_but_for(self, column: str) -> Truths:
        """Tell which rows are kept by every rule that doesn't read a column."""
        reads = np.array([meaning(rule) is None and column in names_in(rule) for rule in self.rules], dtype=bool)
        if not reads.any():
            return self.kept
        rows = np.repeat(np.arange(len(self.counts)), self.counts)
        others = np.bincount(rows[~reads[self.codes]], minlength=len(self.counts))
        return np.asarray(others == 0)

    def groups(self, recordings: Recordings) -> dict[str, tuple[Group, ...]]:
        coded = self.columns.coded("recording_id")
        rows = np.append(recordings.places(coded.values), -1)[coded.codes]
        rights = zip(recordings.rights("licence"), recordings.rights("state"), strict=True)
        licences = [licence or state or "unstated" for licence, state in rights]
        return self._splits() | {
            "speaker": self._own_or_recordings("speaker", recordings.column("speaker"), rows),
            "language": self._own_or_recordings("language", recordings.column("language"), rows),
            "source": self._grouped(*_labelled(recordings.column("origin"), rows)),
            "licence": self._grouped(*_labelled(licences, rows)),
        }

    def _splits(self) -> dict[str, tuple[Group, ...]]:
        """Hours by split, where there is more than one; what is dropped is of none."""
        if not self.columns.has("split"):
            return {}
        coded = self.columns.coded("split")
        used = np.unique(coded.codes[coded.codes >= 0])
        codes = np.where(coded.codes < 0, len(coded.values), coded.codes)
        return {"split": self._grouped(codes, [*coded.values, "none"])} if len(used) > 1 else {}

    def _own_or_recordings(self, name: str, fallback: list[str | None], rows: NDArray[np.int64]) -> tuple[Group, ...]:
        own = self.columns.coded(name)
        codes, labels = _labelled(fallback, rows)
        merged = [*own.values, *labels]
        return self._grouped(np.where(own.codes >= 0, own.codes, codes + len(own.values)), merged)

    def _grouped(self, codes: NDArray[np.int64], labels: Sequence[str]) -> tuple[Group, ...]:
        hours = np.bincount(codes, weights=self.seconds, minlength=len(labels)) / _HOUR
        kept = np.bincount(codes[self.kept], weights=self.seconds[self.kept], minlength=len(labels)) / _HOUR
        segments = np.bincount(codes, minlength=len(labels))
        merged: dict[str, Group] = {}
        for code in np.flatnonzero(segments).tolist():
            label = labels[code]
            so_far = merged.get(label, Group(label, 0.0, 0.0, 0))
            merged[label] = Group(
                label,
                so_far.hours + float(hours[code]),
                so_far.kept_hours + float(kept[code]),
                so_far.segments + int(segments[code]),
            )
        return tuple(sorted(merged.values(), key=lambda group: (-group.hours, group.label)))

    def gaps(self) -> tuple[Gap, ...]:
        segments: Counter[tuple[str, str]] = Counter()
        seconds: Counter[tuple[str, str]] = Counter()
        first = 0
        for chunk in self.columns.gaps():
            offsets = offsets_of(chunk)
            rows = first + np.repeat(np.arange(len(chunk)), np.diff(offsets))
            names = chunk.keys.slice(offsets[0], offsets[-1] - offsets[0]).dictionary_encode()
            reasons = chunk.items.slice(offsets[0], offsets[-1] - offsets[0]).dictionary_encode()
            pair = integers(names.indices) * max(1, len(reasons.dictionary)) + integers(reasons.indices)
            for code in np.unique(pair):
                name, reason = divmod(int(code), max(1, len(reasons.dictionary)))
                key = (names.dictionary[name].as_py(), reasons.dictionary[reason].as_py() or "no reason given")
                segments[key] += int((pair == code).sum())
                seconds[key] += self.seconds[rows[pair == code]].sum()
            first += len(chunk)
        found = [Gap(*key, number, seconds[key] / _HOUR) for key, number in segments.items()]
        return tuple(sorted(found, key=lambda gap: (-gap.segments, gap.name, gap.reason)))


def _labelled(values: Sequence[str | None], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """Turn a value per recording into a code per segment (`rows`: its recording's row, or -1), and labels."""
    labels: dict[str, int] = {}
    codes = [labels.setdefault(value or "unknown", len(labels)) for value in (*values, None)]
    return np.array(codes, dtype=np.int64)[rows], list(labels)


def _histogram(values: Floats, seconds: Floats, kept: Truths) -> Histogram:
    edges = round_thresholds(values, _BINS)
    if len(edges) == 0:
        return Histogram((), (), ())
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0] + 1])
    known = ~np.isnan(values)
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)

    def hours(rows: Truths) -> tuple[float, ...]:
        return tuple(np.bincount(at[rows], weights=seconds[rows] / _HOUR, minlength=len(edges) - 1).tolist())

    return Histogram(tuple(edges.tolist()), hours(known & kept), hours(known & ~kept))


def _rules(workspace: Path, dropping: Sequence[str]) -> tuple[str, ...]:
    """Return the rules that the dataset was made with, and any other that dropped something."""
    try:
        known = read_index(Workspace(workspace)).rules
    except WorkspaceError:  # written by hand or by an older speechmill: what dropped something is all there is
        known = ()
    return tuple(dict.fromkeys([*known, *dropping]))


def latest_run(workspace: Path) -> Summary | None:
    """Return the summary of the run that started last, of those that wrote one."""
    folders = (workspace / "runs").glob("*/")
    summaries = [summary for folder in folders if (summary := read_summary(folder)) is not None]
    return max(summaries, key=lambda summary: summary.started, default=None)


def _speeds(workspace: Path) -> tuple[Speed, ...]:
    totals: dict[str, Speed] = {}
    for folder in sorted((workspace / "runs").glob("*/")):
        for event in EventFiles(folder).new():
            total = totals.setdefault(event.stage, Speed(event.stage))
            total.results += 1
            total.failed += event.failed is not None
            total.audio_s += event.audio_s
            total.cpu_s += event.cpu_s
            total.wall_s += event.wall_s
    return tuple(totals.values())


def _failures(run: Summary | None, recordings: Recordings) -> tuple[FailedItem, ...]:
    """Return the last run's failures, and those that only the dataset knows."""
    found = {(item.recording_id, item.stage): item for item in (run.failures if run else [])}
    names = ("id", "uri", "failed_stage", "reason", "detail")
    for name, uri, stage, reason, detail in zip(*(recordings.column(column) for column in names), strict=True):
        if stage is not None:
            found.setdefault((name, stage), FailedItem(name, uri, stage, reason or "", detail or ""))
    return tuple(sorted(found.values(), key=lambda item: (item.stage, item.reason, item.uri)))


def _aliases(recordings: Recordings) -> tuple[tuple[str, str, str], ...]:
    columns = (recordings.column(name) for name in ("id", "alias_of", "uri"))
    return tuple((name, other, uri) for name, other, uri in zip(*columns, strict=True) if other)


def _attributions(recordings: Recordings) -> tuple[Attribution, ...]:
    fields = ("attribution", "title", "author", "licence", "state", "url")
    columns = (recordings.column("id"), recordings.column("uri"), *(recordings.rights(field) for field in fields))
    return tuple(
        Attribution(name, title or "", author or attribution, licence or state or "", url or uri)
        for name, uri, attribution, title, author, licence, state, url in zip(*columns, strict=True)
        if attribution
    )


def _warnings(recordings: Recordings) -> tuple[tuple[str, str], ...]:
    names = ("id", "truncated", "warnings")
    found = []
    for name, truncated, warnings in zip(*(recordings.column(column) for column in names), strict=True):
        what = ["shorter than its container promises"] * bool(truncated) + list(warnings or ())
        if what:
            found.append((name, "; ".join(what)))
    return tuple(found)
