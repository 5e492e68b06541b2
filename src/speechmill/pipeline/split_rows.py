# SPDX-License-Identifier: Apache-2.0
"""Splits of segments: those of their recordings, but for what would leak from one split into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechmill.core.types import SPLITS
from speechmill.measures.near_text import MIN_WORDS, Bags, against, bags, taken
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.dropped import Dropped
from speechmill.pipeline.expressions import Floats, Truths
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.pipeline.split_groups import Indices, recordings_of, strata
from speechmill.pipeline.splits import assign
from speechmill.store import assigned

BETWEEN, LEAK_TEXT = "between-splits", "leak-text"  # rules of the drops
_TRAIN, _DEV, _TEST = (SPLITS.index(name) for name in ("train", "dev", "test"))


class SplitRows(NamedTuple):
    """What became of the segments."""

    codes: Indices  # (num_segments,) place in SPLITS; of dropped ones too, but those between splits (-1)
    dropped: list[Dropped]  # no entry for what found nothing
    notes: tuple[str, ...]


def split_rows(
    columns: SegmentColumns,
    left: Truths,
    recordings: Path,
    clusters: Mapping[str, str],
    asked: Splits,
    folder: Path | None,
) -> SplitRows:
    """Split what is left; remember in `folder` what is of which split.

    clusters: recordings that sound alike, by id: recording -> name of the cluster. It is remembered before anything is
    made of it: cut off after that, the same is found again.
    """
    found = recordings_of(columns, recordings, clusters)
    known = assigned.read(folder)
    made = assign(found, _milliseconds(columns, left, found.rows, len(found.names)), known, asked)
    if folder is not None:
        assigned.remember(folder, known, made.new)
    codes = made.splits[found.rows]
    between = np.flatnonzero(codes < 0)
    nothing = np.full(len(between), np.nan)
    dropped = [Dropped(BETWEEN, between, nothing, nothing)] if len(between) else []
    if asked.text is not None:
        dropped += _leaks(columns, codes, left & (codes >= 0), asked.text)
    return SplitRows(codes, dropped, made.notes)


def _milliseconds(columns: SegmentColumns, left: Truths, rows: Indices, num_recordings: int) -> Floats:
    """Return what is left of each recording, in whole milliseconds: of all, then by class of each stratum.

    Whole numbers add up to the same in any order.
    """
    length = np.round(columns.numbers("duration")[left] * 1000)
    sums = [np.bincount(rows[left], length, num_recordings)]
    for _name, classes in strata(columns, left):
        for value in np.unique(classes[left]).tolist():
            mine = classes[left] == value
            sums.append(np.bincount(rows[left][mine], length[mine], num_recordings))
    return np.stack(sums, axis=1)


def _leaks(columns: SegmentColumns, codes: Indices, left: Truths, threshold: float) -> list[Dropped]:
    """Return the segments of dev whose text is near to one of test, and those of train near to one of either."""
    rows = np.flatnonzero(left)
    said, split = bags(texts(columns, left)), codes[rows]
    values = np.full(len(rows), np.nan)
    _add_near(values, said, split == _DEV, split == _TEST, threshold)
    _add_near(values, said, split == _TRAIN, (split != _TRAIN) & np.isnan(values), threshold)
    near = ~np.isnan(values)
    return [Dropped(LEAK_TEXT, rows[near], values[near], np.full(near.sum(), threshold))] if near.any() else []


def _add_near(values: Floats, said: Bags, mine: Truths, others: Truths, threshold: float) -> None:
    """Set how near those of `mine` are that are near to one of `others`, until there is no more.

    Of very many like texts not each is compared with each: one more look, without those that were found, may find more.
    Texts of a word or three are no leak.
    """
    long = np.diff(said.offsets) >= MIN_WORDS
    held_out = taken(said, np.flatnonzero(others & long))
    while True:
        looked_at = np.flatnonzero(mine & long & np.isnan(values))
        nearest = against(taken(said, looked_at), held_out, threshold)
        near = nearest.other >= 0
        if not near.any():
            return
        values[looked_at[near]] = nearest.similarity[near]


def texts(columns: SegmentColumns, wanted: Truths) -> Iterator[str | None]:
    """Yield the texts of those rows, in their order."""
    first = 0
    for batch in columns.file.iter_batches(16_384, columns=["text"]):
        here = np.flatnonzero(wanted[first : first + len(batch)]).tolist()
        if here:
            column = batch.column(0)
            yield from (column[place].as_py() for place in here) if len(here) < 100 else _some(column.to_pylist(), here)
        first += len(batch)


def _some(values: list[str | None], places: list[int]) -> Iterator[str | None]:
    return (values[place] for place in places)
