# SPDX-License-Identifier: Apache-2.0
"""Who or what is purged: every recording that the target means, under every name that it has or had here.

A recording is known by id, item key, hash of its bytes and address. Runs, batches and tables are read until no row
shares any of them with what is known: an older key of the same file counts, and so does another file of equal bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.store.takedowns import FOLDER
from speechmill.store.workspace import Workspace

KINDS = ("recording", "speaker", "url")
_COLUMNS = ("id", "key", "sha256", "uri", "sidecars", "reference", "blob", "speaker", "rights", "origin", "audio")


class Known(Struct, frozen=True):
    """A recording as one row of some table names it."""

    id: str
    key: str
    sha256: str
    uri: str
    beside: tuple[str, ...] = ()  # addresses of sidecars, of the clean reference, of the original in a store
    speaker: str | None = None
    url: str | None = None  # the page that it was crawled from
    author: str | None = None  # the channel's or the author's name
    origin: str = "local"
    audio: tuple[str, ...] = ()  # canonical audio, relative to the workspace

    @property
    def names(self) -> frozenset[str]:
        """What makes two rows the same recording."""
        return frozenset(name for name in (self.id, self.key, self.sha256, self.uri) if name)


class Target(Struct, frozen=True):
    """What is purged, and what stays."""

    asked: str
    kind: str  # one of KINDS
    recordings: tuple[Known, ...]  # several rows may be of one
    speakers: tuple[str, ...]  # and authors who go with it: those that no recording that stays has
    stays: tuple[str, ...]  # ids and addresses of all others

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted({one.id for one in self.recordings}))


def resolve(workspace: Workspace, asked: str) -> Target:
    """Find what a target means. Raises ConfigError where it is nothing, or more than one thing."""
    rows = list(known(workspace))
    named = list(speakers(workspace))
    kind, first = _first(asked, rows, named)
    found = _closed(first, rows)
    gone = {row.id for row in found}
    mine = {name for row in found for name in (row.speaker, row.author) if name}
    mine |= {name for name, id in named if id in gone}
    others = {name for row in rows if row.id not in gone for name in (row.speaker, row.author)}
    others |= {name for name, id in named if id not in gone}
    stays = {name for row in rows if row.id not in gone for name in (row.id, row.uri, row.url or "")} - {""}
    return Target(asked, kind, tuple(found), tuple(sorted(mine - others)), tuple(sorted(stays)))


def known(workspace: Workspace) -> Iterator[Known]:
    """Yield every distinct row that any run, batch or table has of a recording."""
    seen = set()
    for path in manifests(workspace):
        with pq.ParquetFile(path) as file:
            columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
            for batch in file.iter_batches(8192, columns=columns):
                for row in batch.to_pylist():
                    one = _known(row)
                    if one not in seen:
                        seen.add(one)
                        yield one


def manifests(workspace: Workspace) -> list[Path]:
    """Return the tables that have recordings' names in them."""
    root = workspace.root
    places = ("runs/*/sources.parquet", f"{FOLDER}/batches/*/[0-9]*.parquet", "tables/recordings-*.parquet")
    found = [path for place in places for path in sorted(root.glob(place))]
    return [*found, *(path for path in [root / "dataset" / "recordings.parquet"] if path.exists())]


def segment_tables(workspace: Workspace) -> list[Path]:
    """Return the tables of segments, the dataset's among them."""
    own = workspace.dataset / "segments.parquet"
    return [*sorted(workspace.tables.glob("segments-*.parquet")), *([own] if own.exists() else [])]


def speakers(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield each pair of a speaker and a recording that he or she speaks in."""
    seen: set[tuple[str, str]] = set()
    for path in segment_tables(workspace):
        with pq.ParquetFile(path) as file:
            table = file.read(columns=["speaker", "recording_id"])
        pairs = table.group_by(["speaker", "recording_id"]).aggregate([]).to_pylist()
        seen |= {(row["speaker"], row["recording_id"]) for row in pairs if row["speaker"]}
    yield from sorted(seen)


def _known(row: dict[str, Any]) -> Known:
    rights = row.get("rights") or {}
    beside = [*(row.get("sidecars") or ()), row.get("reference"), row.get("blob")]
    return Known(
        row["id"],
        row["key"] or "",
        row["sha256"] or "",
        row["uri"],
        tuple(name for name in beside if name),
        row["speaker"],
        rights.get("url"),
        rights.get("author"),
        row["origin"],
        tuple(row.get("audio") or ()),
    )


def _first(asked: str, rows: Sequence[Known], named: Sequence[tuple[str, str]]) -> tuple[str, list[Known]]:
    """Return what kind of thing a target is, and the rows that it names."""
    prefix, colon, rest = asked.partition(":")
    wanted, kinds = (rest, (prefix,)) if colon and prefix in KINDS else (asked, KINDS)
    by_speaker = {id for name, id in named if name == wanted}
    tests: dict[str, Callable[[Known], bool]] = {
        "recording": lambda row: wanted in (row.id, row.uri, os.path.basename(row.uri), row.sha256, row.key),
        "speaker": lambda row: row.speaker == wanted or row.id in by_speaker,
        "url": lambda row: wanted in (row.url, *row.beside) or _is_item(row, asked),
    }
    found = {kind: some for kind in kinds if wanted and (some := [row for row in rows if tests[kind](row)])}
    if not found:
        raise ConfigError(
            f"{asked!r} is no recording (id or file name), speaker or address in this workspace. Ids and speakers are "
            "in its report, and in dataset/recordings.parquet and segments.parquet"
        )
    if len({frozenset(row.id for row in some) for some in found.values()}) > 1:
        choices = ", ".join(f"{kind}:{wanted}" for kind in found)
        raise ConfigError(f"{asked!r} is more than one thing here; write which: {choices}")
    kind, rows_of_it = list(found.items())[-1]  # a crawled recording's own address is its name, too
    several = sorted({row.uri for row in rows_of_it})
    if kind == "recording" and len(several) > 1 and not _is_exact(wanted, rows_of_it):
        raise ConfigError(f"{asked!r} is the name of {len(several)} files; write which: {', '.join(several[:5])}")
    return kind, rows_of_it


def _is_exact(wanted: str, rows: Iterable[Known]) -> bool:
    return any(wanted in row.names for row in rows)


def _is_item(row: Known, asked: str) -> bool:
    """Tell whether a platform and its id, or the id alone, mean a crawled recording."""
    from speechmill.store.takedowns import crawled_id

    platform, colon, id = asked.partition(":")
    if row.origin == "local":
        return False
    return crawled_id(row.origin, id if colon and platform == row.origin else asked) == row.id


def _closed(first: Iterable[Known], rows: Sequence[Known]) -> list[Known]:
    """Add rows until no other shares a name with what is there."""
    by_name: dict[str, list[Known]] = {}
    for row in rows:
        for name in row.names:
            by_name.setdefault(name, []).append(row)
    found: dict[Known, None] = {}
    waiting = list(first)
    while waiting:
        row = waiting.pop()
        if row not in found:
            found[row] = None
            waiting += [other for name in row.names for other in by_name[name]]
    return sorted(found, key=lambda row: (row.id, row.key, row.uri))


def of_recordings(table: pa.Table, column: str, ids: Iterable[str], *, within: bool) -> pa.Table:
    """Return the rows whose column is one of some ids, or is none of them."""
    mask = pc.is_in(table[column], pa.array(sorted(ids), pa.string()))
    return table.filter(mask if within else pc.invert(mask))
