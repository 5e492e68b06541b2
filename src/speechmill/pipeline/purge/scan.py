# SPDX-License-Identifier: Apache-2.0
"""Looks into every file of a workspace for traces: names, raw bytes, and what is packed in them.

Parquet (every string and binary column), gzip, tar, zip and npz, SQLite, and base64 inside text are opened. What can't
be opened is searched as it lies.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import html
import io
import itertools
import json
import mmap
import re
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.pipeline.purge.leaves import rows_with
from speechmill.pipeline.purge.needles import Needles

DEPTH = 4  # a clip in a tar in a gzip in a tar; what is deeper is nobody's format
_BASE64 = re.compile(rb"base64,([A-Za-z0-9+/]+)")
SHORT = 3  # bytes; shorter names ("1") are looked for in columns of speakers alone
_BEFORE, _AFTER = (b'"', b"'", b"\t", b">", b"=", b":", b" "), (b'"', b"'", b"\t", b"<", b"\n", b"\r", b",", b"")
_KEY = rb"(?:speaker|participant|author|tier)[\w-]{0,20}[\"']?\s{0,2}"
_IS_OF = re.compile(  # what stands before a speaker's name: `"speaker": "`, `"speakers": ["x", "`, `TIER_ID="`
    rb"(?i)" + _KEY + rb"(?:[:=>]\s{0,2}[\"']?|[:=]\s{0,2}[\[{][^\[\]{}]*[\"'])\Z"
)
_CONTEXT = 2048  # bytes before a name in which it must be said that it is one
_ROWS = 8192  # read at once: words and phones of more take hundreds of MB
_PLACES = 3  # named of one file


class Wanted(Struct, frozen=True):
    """What is looked for: byte strings anywhere, and names of speakers, which are words, too ("may", "anna").

    A name counts in a column of speakers, and where a key, a tag or the head of a table says that it is a speaker's.
    """

    needles: Needles
    values: frozenset[bytes] = frozenset()

    def first(self, content: bytes | memoryview) -> bool:
        """Tell whether there is a trace in some bytes."""
        return self.needles.first(content) is not None or self.has_name(content)

    def has_name(self, content: bytes | memoryview) -> bool:
        """Tell whether there is a speaker's name that stands for itself, and for a speaker."""
        view = memoryview(content).cast("B")
        table = _is_table_of_speakers(bytes(view[:_CONTEXT]))
        written = {form for value in self.values if len(value) >= SHORT for form in _forms(value)}
        return any(
            _stands_for_itself(view, *found.span(), table)
            for value in sorted(written)
            for found in re.finditer(re.escape(value), view)
        )


def _forms(value: bytes) -> set[bytes]:
    """Return a name as it is, and escaped as JSON and HTML have it."""
    name = value.decode(errors="replace")
    plain, ascii_only = (json.dumps(name, ensure_ascii=only)[1:-1].encode() for only in (False, True))
    return {value, plain, ascii_only, html.escape(name).encode()}


def _is_table_of_speakers(head: bytes) -> bool:
    columns = head.partition(b"\n")[0].split(b"\t")
    return len(columns) > 1 and any(b"speaker" in column.lower() for column in columns)


def _stands_for_itself(view: memoryview, begin: int, end: int, table: bool) -> bool:
    before, after = bytes(view[max(0, begin - 1) : begin]), bytes(view[end : end + 1])
    if after not in _AFTER:
        return False
    if table and before in (b"\t", b"\n") and after in (b"\t", b"\n", b"\r", b""):
        return True
    return before in _BEFORE and _IS_OF.search(bytes(view[max(0, begin - _CONTEXT) : begin])) is not None


class Trace(Struct, frozen=True):
    """Where something was found. `what`: in which part of the file; never the text itself."""

    path: str  # relative to the workspace
    what: str


def scan(root: Path, wanted: Wanted, skip: Collection[str] = ()) -> list[Trace]:
    """Return the files below a folder that hold a trace, each with where. skip: relative paths left out."""
    found = []
    for path in files(root):
        name = path.relative_to(root).as_posix()
        if name not in skip:
            found += [Trace(name, what) for what in traces(path, name, wanted)]
    return found


def files(root: Path) -> list[Path]:
    """Return every file below a folder, in order; links are not followed."""
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def traces(path: Path, name: str, wanted: Wanted) -> list[str]:
    """Say where in a file there are traces; empty where there are none."""
    places = ["name"] if wanted.needles.first(name.encode()) else []
    if path.stat().st_size:
        with path.open("rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        found = _inside(content, wanted, 0)
        places += dict.fromkeys(itertools.islice(found, _PLACES))
    if not places and path.suffix == ".db":
        places += _in_sqlite(path, wanted)
    return places


def _inside(content: memoryview, wanted: Wanted, depth: int) -> Iterator[str]:
    if wanted.first(content):
        yield "bytes"
    name, opened = _kind(bytes(content[:512]))
    if depth < DEPTH and opened is not None:
        try:
            for part, inner in opened(content, wanted):
                yield from (f"{name}: {place}" for place in _part(part, inner, wanted, depth))
        except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, pa.ArrowInvalid):
            return  # broken: nobody else can open it either, and its bytes were searched
    for packed in _BASE64.finditer(content):
        with contextlib.suppress(binascii.Error):
            if wanted.needles.first(base64.b64decode(packed.group(1) + b"==")):
                yield "base64"


def _part(part: str, inner: bytes | None, wanted: Wanted, depth: int) -> Iterator[str]:
    if inner is None:
        yield part
        return
    if wanted.needles.first(part.encode()):
        yield "a name"
    yield from _inside(memoryview(inner), wanted, depth + 1)


Opened = Iterator[tuple[str, bytes | None]]


def _kind(head: bytes) -> tuple[str, Callable[[memoryview, Wanted], Opened] | None]:
    if head[:4] == b"PAR1":
        return "parquet", _parquet
    if head[:2] == b"\x1f\x8b":
        return "gzip", _gzip
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip", _zip
    return "tar", _tar if head[257:262] == b"ustar" else None


def _parquet(content: memoryview, wanted: Wanted) -> Opened:
    with pq.ParquetFile(pa.BufferReader(pa.py_buffer(content))) as file:
        for batch in file.iter_batches(_ROWS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if len(rows_with(column, wanted.needles, wanted.values if is_of_speakers(name) else frozenset())):
                    yield f"column {name}", None


def is_of_speakers(column: str) -> bool:
    """Tell whether a column holds names of speakers."""
    return "speaker" in column or column in ("name", "value", "group")


def _gzip(content: memoryview, _wanted: Wanted) -> Opened:
    yield "", gzip.decompress(content)


def _zip(content: memoryview, _wanted: Wanted) -> Opened:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            yield entry.filename, archive.read(entry)


def _tar(content: memoryview, _wanted: Wanted) -> Opened:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            yield entry.name, file.read() if file else b""


def _in_sqlite(path: Path, wanted: Wanted) -> list[str]:
    """Look into every value of a database: a long one may be cut up between pages."""
    found = []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                values = [value.encode() if isinstance(value, str) else value for value in row]
                texts = [value for value in values if isinstance(value, bytes)]
                if any(wanted.first(value) for value in texts):
                    found.append(f"sqlite: table {table}")
                    break
    except sqlite3.DatabaseError:
        return found  # not a database: its bytes were searched
    finally:
        connection.close()
    return found
