# SPDX-License-Identifier: Apache-2.0
"""The columns of a segment table as numpy arrays, each read when it is first asked for.

A million segments take 8 MB a column. Text and words, which are large, are reduced one row group at
a time to what a rule asks of them (a length, a mean); they are never held as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from speechmill.core.errors import FormatError
from speechmill.formats.manifest import check_version
from speechmill.pipeline.arrow_numpy import floats, integers, offsets_of
from speechmill.pipeline.expressions import NAMES, Coded, Floats, Truths

_ROWS_AT_ONCE = 4096
_CODED = ("recording_id", "language", "speaker", "split")


class SegmentColumns:
    """Columns of a segments table by the names that filter rules use.

    Raises FormatError where the file is no Parquet, WorkspaceError where its schema version differs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            footer = pq.read_metadata(path)
        except pa.ArrowInvalid as error:
            raise FormatError(f"{path}: not a readable Parquet file ({error})") from error
        self._schema = footer.schema.to_arrow_schema()
        check_version(path, self._schema)
        coded = [name for name in _CODED if self.has(name)]  # a table has no split yet
        self.file = pq.ParquetFile(path, metadata=footer, read_dictionary=coded)
        self._numbers: dict[str, Floats] = {}
        self._coded: dict[str, Coded] = {}

    @property
    def num_rows(self) -> int:
        """How many segments there are."""
        return int(self.file.metadata.num_rows)

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores, in the table's order."""
        if "scores" not in self._schema.names:
            return ()
        return tuple(field.name for field in self._schema.field("scores").type)

    def has(self, name: str) -> bool:
        """Tell whether the table has a column."""
        return name in self._schema.names

    def numbers(self, name: str) -> Floats:
        """Return (num_rows,) float64, NaN where missing. Raises KeyError for a name that the table lacks."""
        if name not in self._numbers:
            values = self._read_numbers(name)
            values.flags.writeable = False
            self._numbers[name] = values
        return self._numbers[name]

    def truths(self, name: str) -> Truths:
        """Return (num_rows,) bool of `has_text` or `has_words`."""
        counts = self.numbers({"has_text": "num_chars", "has_words": "num_words"}[name])
        return np.asarray(counts > 0)

    def coded(self, name: str) -> Coded:
        """Return `recording_id`, `language`, `speaker` or a dataset's `split` as codes."""
        if name not in self._coded:
            column = self._column(name)
            chunks = pa.table({name: column}).unify_dictionaries()[name].chunks
            codes = [integers(chunk.indices, missing=-1) for chunk in chunks]
            values = tuple(chunks[0].dictionary.to_pylist()) if chunks else ()
            self._coded[name] = Coded(np.concatenate([np.zeros(0, np.int64), *codes]), values)
        return self._coded[name]

    def ids(self) -> pa.ChunkedArray:
        """Return the segments' ids."""
        return self._column("id")

    def drops(self) -> pa.ChunkedArray:
        """Return the drops of a dataset's segments, with nothing but their rules."""
        return self._column(self._leaf("drops", "rule"))

    def gaps(self) -> Iterator[pa.MapArray]:
        """Yield the gaps in the order of the rows, in pieces."""
        for group in range(self.file.metadata.num_row_groups):
            yield from self.file.read_row_group(group, columns=["gaps"])["gaps"].chunks

    def rows(self, wanted: Sequence[int]) -> list[dict[str, Any]]:
        """Return some whole rows, by ascending number; holds no more than a few thousand others on the way."""
        found: list[dict[str, Any]] = []
        first = 0
        for group in range(self.file.metadata.num_row_groups):
            last = first + self.file.metadata.row_group(group).num_rows
            if any(first <= row < last for row in wanted):
                found += self._rows_of_group(group, [row - first for row in wanted if first <= row < last])
            first = last
        return found

    def _rows_of_group(self, group: int, wanted: Sequence[int]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        first = 0
        for batch in self.file.iter_batches(_ROWS_AT_ONCE, row_groups=[group]):
            here = [row - first for row in wanted if first <= row < first + len(batch)]
            found += [batch.slice(row, 1).to_pylist(maps_as_pydicts="strict")[0] for row in here]
            first += len(batch)
        return found

    def _column(self, path: str) -> pa.ChunkedArray:
        return self.file.read(columns=[path])[path.split(".")[0]]

    def _read_numbers(self, name: str) -> Floats:
        if name in self.scores:
            chunks = self._column(f"scores.{name}").chunks
            return _concatenate([floats(chunk.flatten()[0]) for chunk in chunks])
        match name:
            case "num_chars":
                return self._reduce("text", _num_chars)
            case "seconds_per_char":
                chars = self.numbers("num_chars")
                return np.asarray(self.numbers("duration") / np.where(chars > 0, chars, np.nan))
            case "num_words":
                return self._reduce(self._leaf("words", "duration"), _num_words)
            case "min_word_score":
                return self._reduce(self._leaf("words", "score"), _min_score)
            case "mean_word_score":
                return self._reduce(self._leaf("words", "score"), _mean_score)
        if NAMES.get(name) != "number":
            raise KeyError(name)
        return _concatenate([floats(chunk) for chunk in self._column(name).chunks])

    def _leaf(self, column: str, field: str) -> str:
        """Return the Parquet path of a field inside a list of structs (writers name the levels differently)."""
        schema = self.file.schema
        paths = [schema.column(index).path for index in range(len(schema))]
        return str(next(path for path in paths if path.startswith(f"{column}.") and path.endswith(f".{field}")))

    def _reduce(self, path: str, function: Callable[[pa.Array], Floats]) -> Floats:
        top = path.split(".")[0]
        parts = []
        for group in range(self.file.metadata.num_row_groups):
            parts += [function(chunk) for chunk in self.file.read_row_group(group, columns=[path])[top].chunks]
        return _concatenate(parts)


def _concatenate(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _num_chars(texts: pa.Array) -> Floats:
    import pyarrow.compute as pc

    return integers(pc.utf8_length(pc.utf8_trim_whitespace(texts))).astype(np.float64)


def _num_words(words: pa.ListArray) -> Floats:
    return np.diff(offsets_of(words)).astype(np.float64)


def _word_scores(words: pa.ListArray) -> tuple[Floats, NDArray[np.int64]]:
    """Return the scores that words have, and the row of each."""
    offsets = offsets_of(words)
    values = floats(words.values.field("score"))[offsets[0] : offsets[-1]]
    rows = np.repeat(np.arange(len(words)), np.diff(offsets))
    known = ~np.isnan(values)
    return values[known], rows[known]


def _mean_score(words: pa.ListArray) -> Floats:
    scores, rows = _word_scores(words)
    counts = np.bincount(rows, minlength=len(words))
    sums = np.bincount(rows, weights=scores, minlength=len(words))
    return np.asarray(sums / np.where(counts > 0, counts, np.nan))


def _min_score(words: pa.ListArray) -> Floats:
    scores, rows = _word_scores(words)
    lowest = np.full(len(words), np.nan)
    if len(rows):
        first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        lowest[rows[first]] = np.minimum.reduceat(scores, first)
    return lowest
