# SPDX-License-Identifier: Apache-2.0
"""What a card says, added up from the dataset's columns; nothing is held a segment at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.types import Recording, Rights
from speechmill.exporters._attribution import source_of
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.arrow_numpy import integers, offsets_of
from speechmill.pipeline.card.spread import Spread, spread_of
from speechmill.pipeline.expressions import Truths
from speechmill.pipeline.scores import Score, describe
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.pipeline.versions.manifest import Manifest
from speechmill.pipeline.versions.shelf import Version
from speechmill.store.workspace import Workspace

_HOUR = 3600.0
_AT_ONCE = 8192
_DOUBTS = "align.doubts"  # of `gaps`: why words that are there may be wrong
SHOWN_ATTRIBUTIONS = 200  # a card is read by people; ATTRIBUTION.tsv holds them all
NARROW_HZ = 16_000  # below it, an original lacks what 24 kHz promises


class Licence(Struct, frozen=True):
    """How much came under a licence."""

    licence: str | None
    state: str
    recordings: int
    hours: float


class Credit(Struct, frozen=True):
    """Whose recording it is."""

    recording: str
    hours: float
    licence: str
    attribution: str
    source: str


class Speakers(Struct, frozen=True):
    """Who speaks in what is kept."""

    named: int
    local: int  # told apart inside one recording only
    unknown_hours: float
    by_split: dict[str, int]


class Facts(Struct, frozen=True):
    """What a card says."""

    name: str
    manifest: Manifest
    speakers: Speakers
    licences: tuple[Licence, ...]  # by hours
    credits: tuple[Credit, ...]  # the first of them
    credited: int  # how many there are
    seen: tuple[str, str] | None  # first and last day on which a licence was read
    durations: Spread
    scores: tuple[Spread, ...]
    meanings: dict[str, Score]
    texts: dict[str, float]  # hours kept by who wrote the text: a backend; "": there is none
    corrected: int  # kept segments that a person set something of
    without_words: int  # kept segments with text, but no times of words
    doubted: int  # kept segments whose alignment has doubts
    overlapped: int  # kept segments in which somebody else speaks too
    narrow_hours: float  # of recordings whose originals were sampled below NARROW_HZ
    truncated: int
    failures: dict[str, int]  # reason -> recordings


def facts_of(workspace: Workspace, version: Version) -> Facts:
    """Add up the dataset that is there. version: of that dataset."""
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    kept = _no_entries(columns, "drops")
    recordings = _Recordings(workspace, version)
    aligned = columns.numbers("num_words") > 0
    meanings = describe()
    return Facts(
        name=str(version.manifest.corpus.get("name", "corpus")),
        manifest=version.manifest,
        speakers=_speakers(columns, kept),
        licences=recordings.licences(),
        credits=tuple(recordings.credits),
        credited=recordings.credited,
        seen=(min(recordings.seen), max(recordings.seen)) if recordings.seen else None,
        durations=spread_of("duration", "s", columns.numbers("duration")[kept]),
        scores=tuple(
            spread_of(name, meanings[name].column.unit if name in meanings else "", columns.numbers(name)[kept])
            for name in columns.scores
        ),
        meanings={name: meanings[name] for name in columns.scores if name in meanings},
        texts=dict(sorted(recordings.texts.items())),
        corrected=int((kept & ~_no_entries(columns, "corrected")).sum()),
        without_words=int((kept & ~aligned & columns.truths("has_text")).sum()),
        doubted=int((kept & _doubted(columns)).sum()),
        overlapped=int((kept & (columns.numbers("overlap") > 0)).sum()),
        narrow_hours=recordings.narrow_s / _HOUR,
        truncated=recordings.truncated,
        failures=dict(recordings.failures.most_common()),
    )


class _Recordings:
    """Adds up recordings, some thousands at a time."""

    def __init__(self, workspace: Workspace, version: Version) -> None:
        self.credits: list[Credit] = []
        self.credited, self.truncated, self.narrow_s = 0, 0, 0.0
        self.seen: set[str] = set()
        self.texts: defaultdict[str, float] = defaultdict(float)
        self.failures: Counter[str] = Counter()
        self._licences: defaultdict[tuple[str | None, str], list[float]] = defaultdict(lambda: [0, 0.0])
        kept = {row["id"]: row["kept_s"] for row in version.facts().select(["id", "kept_s"]).to_pylist()}
        file = pq.ParquetFile(workspace.dataset / "recordings.parquet")
        wanted = ["id", "uri", "rights", "transcript", "sampling_rate", "truncated", "failed_stage", "reason"]
        for batch in file.iter_batches(_AT_ONCE, columns=wanted):
            for row in batch.to_pylist():
                self._add(row, kept.get(row["id"], 0.0))

    def _add(self, row: Mapping[str, object], seconds: float) -> None:
        if row["failed_stage"]:
            self.failures[f"{row['failed_stage']}: {row['reason']}"] += 1
        if seconds <= 0:
            return
        rights = _rights(row["rights"])
        amount = self._licences[rights.licence, rights.state]
        amount[0] += 1
        amount[1] += seconds
        self.texts[str(row["transcript"] or "")] += seconds / _HOUR
        self.truncated += bool(row["truncated"])
        self.narrow_s += seconds if int(str(row["sampling_rate"])) < NARROW_HZ else 0.0
        self.seen |= {rights.seen} if rights.seen else set()
        if row["rights"]:
            self.credited += 1
            if len(self.credits) < SHOWN_ATTRIBUTIONS:
                self.credits.append(_credit(str(row["id"]), str(row["uri"]), rights, seconds))

    def licences(self) -> tuple[Licence, ...]:
        found = [Licence(*named, int(count), seconds / _HOUR) for named, (count, seconds) in self._licences.items()]
        return tuple(sorted(found, key=lambda one: (-one.hours, one.licence or "", one.state)))


def _rights(row: object) -> Rights:
    return msgspec.convert(row, Rights) if row else Rights()


def _credit(name: str, uri: str, rights: Rights, seconds: float) -> Credit:
    source = source_of(Recording(name, uri, "", 0.0, 0, 0, ()))
    return Credit(name, seconds / _HOUR, rights.licence or "", rights.attribution or "", source)


def _no_entries(columns: SegmentColumns, name: str) -> Truths:
    """Tell which rows have an empty list."""
    chunks = read_parquet(columns.path, [name])[name].chunks
    lengths = [np.diff(offsets_of(chunk)) for chunk in chunks]
    return np.asarray(np.concatenate([np.zeros(0, np.int64), *lengths]) == 0)


def _doubted(columns: SegmentColumns) -> Truths:
    found = [np.zeros(0, dtype=bool)]
    for gaps in columns.gaps():
        offsets = integers(gaps.offsets)
        keys = gaps.keys.dictionary_encode()
        names = keys.dictionary.to_pylist()
        code = names.index(_DOUBTS) if _DOUBTS in names else -1
        hit = np.concatenate([[0], np.cumsum(integers(keys.indices) == code)])
        found.append(hit[offsets[1:]] > hit[offsets[:-1]])
    return np.concatenate(found)


def _speakers(columns: SegmentColumns, kept: Truths) -> Speakers:
    coded = columns.coded("speaker")
    seconds = columns.numbers("duration")
    splits = read_parquet(columns.path, ["split"])["split"].to_pylist() if columns.num_rows else []
    split = np.array([one or "" for one in splits], dtype="U8")
    used = np.unique(coded.codes[kept & (coded.codes >= 0)])
    local = sum("#" in coded.values[code] for code in used)
    by_split = {
        str(name): len(np.unique(coded.codes[kept & (coded.codes >= 0) & (split == name)]))
        for name in np.unique(split[kept])
    }
    return Speakers(
        len(used) - local, local, float(seconds[kept & (coded.codes < 0)].sum() / _HOUR), dict(sorted(by_split.items()))
    )
