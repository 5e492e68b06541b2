# SPDX-License-Identifier: Apache-2.0
"""Manifests: frozen structs as Parquet and JSON lines, each with a schema version.

The Arrow type follows from the msgspec struct, so a column is declared once. Nested structs become
structs, tuples become lists, `dict[str, str]` becomes a map. Scores, whose names depend on the metrics
that ran, are a struct with one nullable double per score (see `segment_schema`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import inspect as mi

from speechmill.core.errors import FormatError, WorkspaceError
from speechmill.core.files import atomic
from speechmill.core.types import Segment

SCHEMA_VERSION = "1"
ROWS_AT_ONCE = 512  # a row takes some KB as Python objects, and a tenth of that as Arrow or as a struct
_VERSION_KEY = b"speechmill.schema"

T = TypeVar("T")


class _Head(msgspec.Struct):
    """The first line of a manifest as JSON lines."""

    speechmill_schema: str = "none"


_SCALARS: dict[type[mi.Type], pa.DataType] = {
    mi.StrType: pa.string(),
    mi.BoolType: pa.bool_(),
    mi.IntType: pa.int64(),
    mi.FloatType: pa.float64(),
    mi.BytesType: pa.binary(),
}


def arrow_type(kind: Any) -> pa.DataType:
    """Return the Arrow type of a Python annotation.

    >>> str(arrow_type(tuple[float, ...]))
    'list<item: double>'
    """
    return _arrow(mi.type_info(kind))


def _arrow(info: mi.Type) -> pa.DataType:
    if isinstance(info, mi.UnionType):  # only "or None" occurs
        return next(_arrow(kind) for kind in info.types if not isinstance(kind, mi.NoneType))
    if isinstance(info, mi.StructType):
        return pa.struct([pa.field(field.encode_name, _arrow(field.type)) for field in info.fields])
    if isinstance(info, mi.VarTupleType | mi.ListType):
        return pa.list_(_arrow(info.item_type))
    if isinstance(info, mi.DictType):
        return pa.map_(_arrow(info.key_type), _arrow(info.value_type))
    try:
        return _SCALARS[type(info)]
    except KeyError:
        raise TypeError(f"no Arrow type for {info}") from None


def arrow_schema(struct: type[msgspec.Struct]) -> pa.Schema:
    """Return the schema of a table with one row per struct."""
    return _versioned(pa.schema(list(arrow_type(struct))))


def segment_schema(score_names: Sequence[str]) -> pa.Schema:
    """Return the schema of segments.parquet: a Segment whose scores are a struct with these names.

    Without any the column is left out: Parquet has no struct without fields.
    """
    schema = arrow_schema(Segment)
    if not score_names:
        return schema.remove(schema.get_field_index("scores"))
    scores = pa.struct([pa.field(name, pa.float64()) for name in score_names])
    return schema.set(schema.get_field_index("scores"), pa.field("scores", scores))


def _versioned(schema: pa.Schema) -> pa.Schema:
    return schema.with_metadata({**(schema.metadata or {}), _VERSION_KEY: SCHEMA_VERSION.encode()})


def table_of(rows: Sequence[msgspec.Struct], schema: pa.Schema) -> pa.Table:
    """Turn structs into a table of that schema."""
    tables = [schema.empty_table()]
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        some = [msgspec.to_builtins(row) for row in rows[begin : begin + ROWS_AT_ONCE]]
        tables.append(pa.Table.from_pylist(some, schema=schema))
    return pa.concat_tables(tables)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table atomically, stamped with the schema version."""
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(_versioned(table.schema).metadata), temporary, compression="zstd")


def check_version(path: Path, schema: pa.Schema) -> None:
    """Raise WorkspaceError where a file was written by another schema version."""
    _check(path, (schema.metadata or {}).get(_VERSION_KEY, b"none").decode())


def _check(path: Path, found: str) -> None:
    if found != SCHEMA_VERSION:
        raise WorkspaceError(
            f"{path} has schema version {found}, this speechmill writes {SCHEMA_VERSION}. "
            "Use the version that made it, or run into a new workspace"
        )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table. Raises FormatError where the file is corrupt, WorkspaceError where its version differs."""
    # Opened by us: pyarrow's own thread pool would outlive a worker that is killed.
    with reading(path), pq.ParquetFile(path) as file:
        check_version(path, file.schema_arrow)
        return file.read(columns=columns)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a broken Parquet file, or of rows of another form, into a FormatError that names it."""
    try:
        yield
    except FormatError as error:
        if str(path) in str(error):
            raise
        raise FormatError(f"{path}: {error}") from error
    except (pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError, KeyError, OverflowError) as error:
        raise FormatError(f"{path}: not a readable Parquet file ({_short(error)})") from error
    except OSError as error:
        # Arrow tells of broken pages by an OSError without a number; one with a number is the disk's trouble.
        if error.errno is not None:
            raise
        raise FormatError(f"{path}: not a readable Parquet file ({_short(error)})") from error


def _short(error: Exception) -> str:
    """Tell what went wrong, where that isn't a page of a file's own bytes."""
    return f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__


def write_rows(path: Path, rows: Sequence[msgspec.Struct], struct: type[msgspec.Struct]) -> None:
    """Write structs as Parquet."""
    write_parquet(path, table_of(rows, arrow_schema(struct)))


def read_rows(path: Path, struct: type[T]) -> list[T]:
    """Read structs from Parquet; maps come back as dicts."""
    rows: list[T] = []
    table = read_parquet(path)
    with reading(path):
        for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
            rows += msgspec.convert(batch.to_pylist(maps_as_pydicts="strict"), list[struct])  # type: ignore[valid-type]
    return rows


def write_jsonl(path: Path, rows: Iterable[msgspec.Struct]) -> None:
    """Write structs as JSON lines; the first line states the schema version."""
    encoder = msgspec.json.Encoder()
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(encoder.encode({"speechmill_schema": SCHEMA_VERSION}) + b"\n")
        for row in rows:
            file.write(encoder.encode(row) + b"\n")


def read_jsonl(path: Path, struct: type[T]) -> Iterator[T]:
    """Yield structs from JSON lines. Raises FormatError with the line's number."""
    decoder = msgspec.json.Decoder(struct)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if number == 1:
                    _check(path, msgspec.json.decode(line, type=_Head).speechmill_schema)
                    continue
                row = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise FormatError(f"{path}:{number}: {error}") from error
            yield row
