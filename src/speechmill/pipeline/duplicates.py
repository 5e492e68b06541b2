# SPDX-License-Identifier: Apache-2.0
"""What is in a corpus twice: recordings that sound alike, segments that say the same. One is kept, the others go.

Of recordings that sound alike the one with most kept seconds stays, of segments of like text the longest; among equals
the smallest id, so that the order of rows decides nothing. What goes is near enough to what stays in its place, not
only to something between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speechmill.measures.near_audio import MIN_COVERAGE, near_duplicates
from speechmill.measures.near_text import near_texts
from speechmill.pipeline.arrow_numpy import integers
from speechmill.pipeline.dataset_options import Deduplicate
from speechmill.pipeline.dropped import Dropped
from speechmill.pipeline.expressions import Coded, Truths
from speechmill.pipeline.landmarks_table import read_landmarks
from speechmill.pipeline.segment_columns import SegmentColumns

if TYPE_CHECKING:
    from speechmill.pipeline.decide import Places

AUDIO, TEXT = "duplicate-audio", "duplicate-text"  # rules of the drops

_Indices = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Duplicates(NamedTuple):
    """What goes, in whose place something else stays, and which recordings sound alike."""

    dropped: list[Dropped]  # no entry for what found nothing
    duplicate_of: Coded  # per row: id of the recording (AUDIO) or segment (TEXT) that stays in its place
    clusters: dict[str, str]  # recording that sounds like another -> one recording of them all, the first by id


def find(columns: SegmentColumns, kept: Truths, places: Places, asked: Deduplicate) -> Duplicates:
    """Find what is there twice among the kept rows. Rows that a rule left out are neither dropped nor stay for others.

    Recordings without kept rows are in clusters all the same. Without landmarks no recordings are compared.
    Dropped.values are the coverage or the similarity.
    """
    dropped, of, names = [], np.full(columns.num_rows, -1), list[str]()
    clusters: dict[str, str] = {}
    if asked.audio and places.landmarks is not None and places.landmarks.exists():
        found, in_place, names, clusters = _audio(columns, kept, places.landmarks)
        dropped += [found] if len(found.rows) else []
        of[found.rows] = in_place
        kept = kept.copy()
        kept[found.rows] = False
    if asked.text is not None:
        found, rows = _text(columns, kept, asked.text)
        dropped += [found] if len(found.rows) else []
        of[found.rows] = np.arange(len(rows)) + len(names)
        names = [*names, *columns.ids().take(pa.array(rows)).to_pylist()]
    return Duplicates(dropped, Coded(of, tuple(names)), clusters)


def _audio(columns: SegmentColumns, kept: Truths, path: Path) -> tuple[Dropped, _Indices, list[str], dict[str, str]]:
    """Return the rows that go, for each the index of what stays, names of recordings, and clusters."""
    recordings = columns.coded("recording_id")
    seconds = np.bincount(recordings.codes[kept], columns.numbers("duration")[kept], minlength=len(recordings.values))
    # Those of which nothing is kept are compared too: what sounds like them belongs to their split.
    codes, prints = _landmarks(path, {name: code for code, name in enumerate(recordings.values)})
    pairs = near_duplicates(prints)
    left, right = codes[pairs.left], codes[pairs.right]
    both = (seconds[left] > 0) & (seconds[right] > 0)
    ids = np.argsort(np.argsort(np.array(recordings.values, dtype=object), kind="stable"), kind="stable")
    # To the millisecond: the last bits of a sum depend on the order of what is summed.
    rank = np.lexsort((ids, -np.round(seconds, 3))).argsort()
    stays, coverage = one_kept(rank, left[both], right[both], pairs.coverage[both])
    rows = np.flatnonzero(kept & (stays[recordings.codes] >= 0))
    of_rows = recordings.codes[rows]
    found = Dropped(AUDIO, rows, coverage[of_rows], np.full(len(rows), MIN_COVERAGE))
    return found, stays[of_rows], list(recordings.values), _clusters(recordings.values, left, right)


def _landmarks(path: Path, code_of: dict[str, int]) -> tuple[_Indices, list[bytes]]:
    """Read the landmarks of those recordings."""
    codes, prints = [], []
    for name, landmarks in read_landmarks(path):
        if name in code_of:
            codes.append(code_of[name])
            prints.append(landmarks)
    return np.array(codes, dtype=np.int64), prints


def _text(columns: SegmentColumns, kept: Truths, threshold: float) -> tuple[Dropped, _Indices]:
    """Return the rows that go, and the rows that stay in their places."""
    near = near_texts(_texts(columns, kept), threshold)
    num_rows = columns.num_rows
    ids = np.empty(num_rows, np.int64)
    ids[integers(pc.sort_indices(columns.ids()))] = np.arange(num_rows)
    # No text: alone in its group, in no pair.
    order = np.lexsort((ids, -columns.numbers("duration"), near.group))
    first = np.concatenate([[True], near.group[order][1:] != near.group[order][:-1]])[:num_rows]
    head = np.full(num_rows, -1)  # by name of the group: the row that would stay
    head[near.group[order[first]]] = order[first]
    rank = np.lexsort((ids, -columns.numbers("duration"))).argsort()
    stays, similarity = one_kept(rank, head[near.left], head[near.right], near.similarity)
    mine = head[near.group]
    instead = np.where(stays[mine] >= 0, stays[mine], mine)
    value = np.where(stays[mine] >= 0, similarity[mine], 1.0)
    rows = np.flatnonzero(kept & (instead != np.arange(num_rows)))
    return Dropped(TEXT, rows, value[rows], np.full(len(rows), threshold)), instead[rows]


def _texts(columns: SegmentColumns, kept: Truths) -> Iterator[str | None]:
    first = 0
    for batch in columns.file.iter_batches(16_384, columns=["text"]):
        wanted = kept[first : first + len(batch)].tolist()
        yield from (text if one else None for text, one in zip(batch[0].to_pylist(), wanted, strict=True))
        first += len(batch)


def one_kept(rank: _Indices, left: _Indices, right: _Indices, nearness: _Floats) -> tuple[_Indices, _Floats]:
    """Decide who stays, those of the smallest rank first: who is near one that stays, goes.

    rank: (n,) no two alike. Returns for each who stays in its place, -1 where it stays itself, and how near that is.
    """
    stays, value = np.full(len(rank), -1), np.zeros(len(rank))
    one, two = np.concatenate([left, right]), np.concatenate([right, left])
    near = np.concatenate([nearness, nearness])
    earlier = rank[two] < rank[one]
    one, two, near = one[earlier], two[earlier], near[earlier]
    # By who is decided on; for each the nearest first, of equally near ones that of the smaller rank.
    for edge in np.lexsort((rank[two], -near, rank[one])).tolist():
        who, other = one[edge], two[edge]
        if stays[who] < 0 and stays[other] < 0:
            stays[who], value[who] = other, near[edge]
    return stays, value


def _clusters(names: tuple[str, ...], left: _Indices, right: _Indices) -> dict[str, str]:
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for one, two in zip(left.tolist(), right.tolist(), strict=True):
        first, second = sorted((top(names[one]), top(names[two])))
        above[second] = first
    return {name: top(name) for name in sorted(above)}
