# SPDX-License-Identifier: Apache-2.0
"""The two tables a folder of audio may hold: recordings.tsv (metadata) and transcripts.tsv (text).

Plain TSV in UTF-8: a header, tabs, no quoting, so a quote is a quote. A name with a tab or a line break in it
can't be listed.
"""

from __future__ import annotations

import difflib
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.types import Rights
from speechmill.sources._licences import read_licence

COLUMNS = (
    "path",
    "language",
    "speaker",
    "num_speakers",
    "channels",
    "licence",
    "evidence",
    "consent",
    "date",
    "attribution",
    "reference",
)


class Listed(Struct, frozen=True):
    """A row of recordings.tsv. `path` is relative to the table's folder."""

    line: int
    path: str
    language: str | None = None
    speaker: str | None = None
    num_speakers: int | None = None
    channels: str | None = None
    date: str | None = None
    rights: Rights = Rights()
    reference: str | None = None  # relative to the table's folder, as `path` is


def name_key(relative: str) -> str:
    """Return what two spellings of one path share: NFC (macOS writes NFD), no `./`."""
    return posixpath.normpath(unicodedata.normalize("NFC", relative))


def read_recordings(table: Path) -> dict[str, Listed]:
    """Read recordings.tsv by name_key of its paths. Raises ConfigError with the line."""
    header, rows = _read(table)
    for column in header:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(f"{table}:1: unknown column {column!r}; {hint}There are: {', '.join(COLUMNS)}")
    if "path" not in header:
        raise ConfigError(f"{table}:1: no column 'path'")
    listed: dict[str, Listed] = {}
    for line, row in rows:
        entry = _listed(table, line, row)
        first = listed.setdefault(name_key(entry.path), entry)
        if first is not entry:
            raise ConfigError(f"{table}:{line}: {entry.path} is listed before, in line {first.line}")
    return listed


def _listed(table: Path, line: int, row: dict[str, str]) -> Listed:
    if not row["path"]:
        raise ConfigError(f"{table}:{line}: no path")
    if (channels := row.get("channels") or None) not in (None, "mix", "each"):
        raise ConfigError(f"{table}:{line}: channels is {channels!r}; it is mix or each")
    return Listed(
        line,
        row["path"],
        language=row.get("language") or None,
        speaker=row.get("speaker") or None,
        num_speakers=_num_speakers(table, line, row.get("num_speakers", "")),
        channels=channels,
        date=row.get("date") or None,
        rights=_rights(row),
        reference=row.get("reference") or None,
    )


def _num_speakers(table: Path, line: int, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) > 0):
        raise ConfigError(f"{table}:{line}: num_speakers is {text[:40]!r}; it is a whole number from 1 to 9999")
    return int(text)


def _rights(row: dict[str, str]) -> Rights:
    licence = row.get("licence") or None
    return Rights(
        licence,
        read_licence(licence).state,
        evidence=row.get("evidence") or None,
        attribution=row.get("attribution") or None,
        consent=row.get("consent") or None,
    )


def read_transcripts(table: Path) -> dict[str, str]:
    """Read transcripts.tsv: text by name_key of its files, with or without extension.

    Columns `file` (or `path`) and `text` are needed, others ignored. Raises ConfigError with the line.
    """
    header, rows = _read(table)
    column = next((name for name in ("file", "path") if name in header), None)
    if column is None or "text" not in header:
        raise ConfigError(f"{table}:1: the header needs the columns file and text; it has: {', '.join(header)}")
    texts: dict[str, str] = {}
    for line, row in rows:
        key = name_key(row[column])
        if not row[column] or key in texts:
            raise ConfigError(f"{table}:{line}: {'a second text for ' + key if row[column] else 'no file name'}")
        texts[key] = row["text"]
    return texts


def _read(table: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    try:
        raw = table.read_bytes().removeprefix(b"\xef\xbb\xbf")
        text = raw.decode()
    except OSError as error:
        raise ConfigError(f"{table}: unreadable: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{table}:{line}: broken UTF-8; save the table as UTF-8") from error
    lines = text.replace("\r\n", "\n").split("\n")
    header = [name.strip() for name in lines[0].split("\t")]
    if len(set(header)) < len(header) or not all(header):
        raise ConfigError(f"{table}:1: the header has a column twice or without a name: {', '.join(header)}")
    return header, _rows(table, header, lines)


def _rows(table: Path, header: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > len(header):
            raise ConfigError(f"{table}:{number}: {len(cells)} columns, the header has {len(header)}")
        cells += [""] * (len(header) - len(cells))
        yield number, dict(zip(header, cells, strict=True))
