# SPDX-License-Identifier: Apache-2.0
"""The recordings of a dataset as columns, of which no more is in memory than what was asked for last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from speechmill.pipeline.arrow_numpy import integers


class Recordings:
    """The recordings of a dataset, by column, each read when it is asked for; empty where nothing was decoded."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path) if path.exists() else None
        self._schema = self._file.schema_arrow if self._file else pa.schema([])
        self._ids = self._column("id").combine_chunks() if self._file else pa.array([], pa.string())
        self.num_rows: int = len(self._ids)

    def column(self, name: str) -> list[Any]:
        """Return a column's values; None for each row where the dataset doesn't have it."""
        return list(self._column(name).to_pylist()) if name in self._schema.names else [None] * self.num_rows

    def rights(self, field: str) -> list[str | None]:
        """Return a field of the rights of each recording."""
        if "rights" not in self._schema.names or self._schema.field("rights").type.get_field_index(field) < 0:
            return [None] * self.num_rows
        return list(pc.struct_field(self._column(f"rights.{field}"), field).to_pylist())

    def decoded(self) -> list[bool]:
        """Tell which recordings have audio of their own: decoded, and no copy of another."""
        if "audio" not in self._schema.names:
            return [False] * self.num_rows
        some = pc.fill_null(pc.greater(pc.list_value_length(self._column("audio")), 0), False)
        return [is_some and not other for is_some, other in zip(some.to_pylist(), self.column("alias_of"), strict=True)]

    def row(self, recording_id: str) -> dict[str, Any]:
        """Return a whole row. Raises KeyError where there is none."""
        place = self.at(recording_id)
        if place < 0 or self._file is None:
            raise KeyError(recording_id)
        for group in range(self._file.num_row_groups):
            length = self._file.metadata.row_group(group).num_rows
            if place < length:
                return dict(self._file.read_row_group(group).slice(place, 1).to_pylist()[0])
            place -= length
        raise KeyError(recording_id)

    def at(self, recording_id: str) -> int:
        """Return the number of a recording's row, or -1."""
        return int(self.places([recording_id])[0])

    def places(self, recording_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of recordings' rows, -1 where there is none."""
        return integers(pc.index_in(pa.array(recording_ids, pa.string()), value_set=self._ids), missing=-1)

    def _column(self, path: str) -> pa.ChunkedArray:
        return self._file.read(columns=[path])[path.split(".")[0]] if self._file else pa.chunked_array([], pa.string())
