# SPDX-License-Identifier: Apache-2.0
"""What becomes of every segment: kept, for which split; or dropped, for which reasons and in whose place.

Rules decide first, over each segment alone. Then what is there twice, then which split what is left belongs to; both
look at all segments together. `decisions/decisions-<fingerprint>.parquet` has a `Decision` a row, in the table's order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.files import atomic, digest
from speechmill.core.types import SPLITS, Drop
from speechmill.formats.manifest import arrow_schema
from speechmill.pipeline.arrow_numpy import coded_array, float_array, integer_array, string_array
from speechmill.pipeline.dataset_options import Deduplicate, Splits
from speechmill.pipeline.dropped import Dropped, kept
from speechmill.pipeline.expressions import Rule, Truths
from speechmill.pipeline.filter import TAKEN_DOWN, dropped_by
from speechmill.pipeline.segment_columns import SegmentColumns

if TYPE_CHECKING:
    from speechmill.pipeline.duplicates import Duplicates
    from speechmill.pipeline.split_rows import SplitRows

VERSION = "2"  # raise it when the same rules, options and table give other decisions
_NOTES = b"speechmill.notes"


class Decision(Struct, frozen=True):
    """A row of the decisions: a segment's id and why it is left out; kept where there is no reason."""

    id: str
    drops: tuple[Drop, ...] = ()
    duplicate_of: str | None = None
    split: str | None = None


class Places(Struct, frozen=True):
    """Where what is decided on lies."""

    segments: Path  # tables/segments-<fingerprint>.parquet
    recordings: Path | None = None  # tables/recordings-<fingerprint>.parquet
    landmarks: Path | None = None  # tables/landmarks-<fingerprint>.parquet
    splits: Path | None = None  # folder in which it is remembered what is of which split


def fingerprint(
    rules: Sequence[Rule],
    upstream: str,
    taken_down: Collection[str] = (),
    deduplicate: Deduplicate | None = None,
    splits: Splits | None = None,
    remembered: str = "",
) -> str:
    """Name the decisions over the table of that fingerprint: 16 hex digits.

    A rule's reason doesn't count; the order of rules does, for it is the order of drops. taken_down: ids of recordings
    that may not be used any more, whatever the rules say. remembered: names the memory of splits by its first rows, for
    who deletes it wants other splits. What was added to it since doesn't count: nothing moves by that.
    """
    withdrawn = (TAKEN_DOWN, *sorted(taken_down)) if taken_down else ()
    together = msgspec.json.encode([deduplicate, splits])
    memory = (remembered,) if splits is not None else ()
    return digest("decide", VERSION, upstream, together, *memory, *(rule.expression for rule in rules), *withdrawn)[:16]


def decide(
    places: Places,
    rules: Sequence[Rule],
    taken_down: Collection[str] = (),
    deduplicate: Deduplicate | None = None,
    splits: Splits | None = None,
) -> pa.Table:
    """Decide on every segment of a table. Returns one Decision a row, in the table's order; see `notes_of`.

    Reads only the columns that the rules name, and what the options need. With splits it is remembered in
    `places.splits` what is of which. Raises ConfigError where a rule names a column that is not in the table.
    """
    columns = SegmentColumns(places.segments)
    found = dropped_by(columns, rules, taken_down)
    num_rows = columns.num_rows
    duplicate_of, clusters = coded_array(np.full(num_rows, -1), ()), dict[str, str]()
    if deduplicate is not None:
        twice = _find_twice(columns, kept(num_rows, found), places, deduplicate)
        found = [*found, *twice.dropped]
        duplicate_of, clusters = coded_array(twice.duplicate_of.codes, twice.duplicate_of.values), twice.clusters
    if splits is not None and not (deduplicate and deduplicate.audio):
        # What sounds alike may be kept twice then, but in one split.
        clusters = _find_twice(columns, kept(num_rows, found), places, Deduplicate()).clusters if _heard(places) else {}
    codes, notes = np.zeros(num_rows, np.int64), tuple[str, ...]()
    if splits is not None:
        codes, leaks, notes = _split(columns, kept(num_rows, found), places, clusters, splits)
        found = [*found, *leaks]
    split = coded_array(np.where(kept(num_rows, found), codes, -1), SPLITS)
    arrays = [columns.ids(), drops_of(found, num_rows), duplicate_of, split]
    schema = arrow_schema(Decision)
    metadata = {**schema.metadata, **({_NOTES: msgspec.json.encode(notes)} if notes else {})}
    return pa.table(arrays, schema=schema.with_metadata(metadata))


def _heard(places: Places) -> bool:
    return places.landmarks is not None and places.landmarks.exists()


def _find_twice(columns: SegmentColumns, left: Truths, places: Places, asked: Deduplicate) -> Duplicates:
    from speechmill.pipeline.duplicates import find  # only where it is asked for: a filter starts in a second

    return find(columns, left, places, asked)


def _split(
    columns: SegmentColumns, left: Truths, places: Places, clusters: Mapping[str, str], splits: Splits
) -> SplitRows:
    from speechmill.pipeline.split_rows import split_rows

    if places.recordings is None:
        raise ValueError("splits need the table of recordings: give Places.recordings")
    return split_rows(columns, left, places.recordings, clusters, splits, places.splits)


def notes_of(decisions: Path) -> tuple[str, ...]:
    """Return what a person should know of decisions: that a split is empty, or that recordings are between splits."""
    with pq.ParquetFile(decisions) as file:
        raw = (file.schema_arrow.metadata or {}).get(_NOTES)
    return msgspec.json.decode(raw, type=tuple[str, ...]) if raw else ()


def drops_of(found: Sequence[Dropped], num_rows: int) -> pa.ListArray:
    """Turn columns (reason -> rows it leaves out) into a list of Drop per row, in the order of the reasons."""
    counts = np.zeros(num_rows, dtype=np.int64)
    for dropped in found:
        counts[dropped.rows] += 1
    offsets = np.concatenate([[0], np.cumsum(counts)])
    code = np.zeros(offsets[-1], dtype=np.int32)
    value, threshold = np.full(offsets[-1], np.nan), np.full(offsets[-1], np.nan)
    free = offsets[:-1].copy()  # where a row's next drop goes
    for index, dropped in enumerate(found):
        place = free[dropped.rows]
        code[place], value[place], threshold[place] = index, dropped.values, dropped.thresholds
        free[dropped.rows] += 1
    kind = arrow_schema(Decision).field("drops").type
    reasons = string_array([dropped.rule for dropped in found])
    children = [reasons.take(integer_array(code)), float_array(value), float_array(threshold)]
    structs = pa.StructArray.from_arrays(children, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(integer_array(offsets), structs, type=kind)


def write_decisions(path: Path, table: pa.Table) -> None:
    """Write decisions atomically, as Parquet."""
    with atomic(path) as temporary:
        # Ids differ and values mostly do: a dictionary of them takes a third of the time and saves nothing.
        repeated = ["drops.list.element.rule", "drops.list.element.threshold", "split"]
        pq.write_table(table, temporary, compression="zstd", use_dictionary=repeated)
