# SPDX-License-Identifier: Apache-2.0
"""Takes crawled items out of the catalog, and their originals out of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.store.blobs import open_blobs
from speechmill.store.blobs.keys import content_hash
from speechmill.store.takedowns import FOLDER, crawled_id
from speechmill.store.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Places(Struct, frozen=True):
    """Where a workspace's crawl keeps what it has."""

    catalog: str | None  # SQLAlchemy's address; None: there is none
    blobs: str


def places(workspace: Workspace) -> list[Places]:
    """Read from the plans of runs where catalog and originals are; and where they are as by default."""
    return list(dict.fromkeys(_places(workspace, raw, base) for raw, base in _corpora(workspace)))


def _places(workspace: Workspace, raw: dict[str, Any], base: Path) -> Places:
    local = workspace.root / "catalog.db"
    catalog = raw.get("catalog", "sqlite")
    asked = (raw.get("crawl") or {}).get("originals")
    if asked is None:
        blobs = str((workspace.root / FOLDER / "store").resolve())
    else:
        blobs = asked if "://" in asked else str((base / Path(asked).expanduser()).resolve())
    if catalog == "sqlite":
        return Places(f"sqlite:///{local.resolve()}" if local.exists() else None, blobs)
    return Places(catalog, blobs)


def _corpora(workspace: Workspace) -> Iterator[tuple[dict[str, Any], Path]]:
    """Yield what the newest run was asked that says anything of a crawl, as written; then what holds without it."""
    for path in sorted(workspace.runs.glob("*/plan.json"), reverse=True):
        plan = msgspec.json.decode(path.read_bytes())
        raw = plan.get("corpus") or {}
        if raw.keys() & {"catalog", "crawl"}:
            yield raw, Path(plan.get("base") or workspace.root)
            break
    yield {}, workspace.root


def is_elsewhere(workspace: Workspace) -> bool:
    """Tell whether a crawl's catalog or originals are kept outside of the workspace."""
    inside = str(workspace.root.resolve())
    named = [name for where in places(workspace) for name in (where.blobs, where.catalog) if name]
    return any(inside not in name for name in named)


def purge_items(workspace: Workspace, ids: Collection[str], hashes: Collection[str]) -> tuple[int, int]:
    """Delete objects and rows of crawled items, by their recordings' ids. Returns how many items and objects.

    An object that another item has too stays that item's. Objects go first: cut off after that, the rows still tell
    which they were. Raises WorkspaceError, BlobError where a server doesn't answer; the next call goes on.
    """
    items = objects = 0
    for where in places(workspace):
        if where.catalog is None or not _is_there(where.catalog):
            objects += _delete(where.blobs, (), hashes)
            continue
        from speechmill.store.catalog.opening import open_database

        database = open_database(where.catalog)
        try:
            keys = database.read(lambda connection: _keys(connection, _mine(connection, ids)))
            objects += _delete(where.blobs, keys, hashes)
            items += database.write(lambda connection: _forget(connection, ids))
            path = database.address.path
        finally:
            database.close()
        if path is not None:
            _overwrite(path)
    return items, objects


def check_known(workspace: Workspace, crawled: bool) -> None:
    """See that the catalog of what was crawled is known. Raises ConfigError."""
    if crawled and not any(where.catalog for where in places(workspace)):
        raise ConfigError(
            f"{workspace.root}: it was crawled, and no run says where the catalog is. "
            "Run the corpus first, then purge: speechmill run CORPUS"
        )


def _is_there(catalog: str) -> bool:
    """Tell whether there is anything to ask: a file of SQLite is not made for a purge."""
    from speechmill.store.catalog.address import Address

    path = Address(catalog).path
    return path is None or Path(path).exists()


def _mine(connection: Connection, ids: Collection[str]) -> list[int]:
    """Return the numbers of the items whose recordings these are."""
    from sqlalchemy import select

    from speechmill.store.catalog.schema import items

    rows = connection.execute(select(items.c.id, items.c.platform, items.c.name))
    return [row.id for row in rows if crawled_id(row.platform, _whole(connection, row)) in ids]


def _whole(connection: Connection, row: Any) -> str:
    """Return a platform's id of an item, whose name is shortened where that is very long."""
    from sqlalchemy import select

    from speechmill.store.catalog.schema import items
    from speechmill.store.catalog.texts import named

    name: str = row.name
    if "~" not in name:
        return name
    told = connection.execute(select(items.c.description, items.c.ref).where(items.c.id == row.id)).one()
    ids = [msgspec.json.decode(one).get("id") for one in told if one]
    return next((id for id in ids if id and named(id) == name), name)


def _keys(connection: Connection, mine: list[int]) -> set[str]:
    """Return the objects that no other item needs, of which two of these may have the same."""
    from speechmill.store.catalog.assets import objects_of

    found: dict[str, str] = {}
    for item in mine:
        found |= objects_of(connection, item)
    gone = set(mine)
    return {key for name, key in found.items() if not _users(connection, name) - gone}


def _users(connection: Connection, name: str) -> set[int]:
    """Return which items have an object, but for those that were taken down."""
    from sqlalchemy import select

    from speechmill.store.catalog.schema import assets, captions, intents, items

    users: set[int] = set()
    for table in (assets, captions, intents):
        rows = select(table.c.item).join(items, items.c.id == table.c.item).where(items.c.state != "taken-down")
        users |= set(connection.scalars(rows.where(table.c.name == name)))
    return users


def _forget(connection: Connection, ids: Collection[str]) -> int:
    """Delete the rows of items, and of what was taken down. Returns how many items those were."""
    from sqlalchemy import delete, select

    from speechmill.store.catalog import schema

    mine = _mine(connection, ids)
    for item in mine:
        for table in (schema.finds, schema.jobs, schema.attempts, schema.captions, schema.assets, schema.intents):
            connection.execute(delete(table).where(table.c.item == item))
        connection.execute(delete(schema.items).where(schema.items.c.id == item))
    gone = connection.execute(select(schema.takedowns.c.platform, schema.takedowns.c.name, schema.takedowns.c.id)).all()
    for row in gone:
        if crawled_id(row.platform, row.id) in ids:
            same = (schema.takedowns.c.platform == row.platform) & (schema.takedowns.c.name == row.name)
            connection.execute(delete(schema.takedowns).where(same))
    return len(mine)


def _overwrite(path: str) -> None:
    """Make SQLite's file anew: what was deleted lies in free pages and in the log until then."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _delete(address: str, keys: Collection[str], hashes: Collection[str]) -> int:
    """Delete objects of the crawl's, and what else bears one of these hashes. Returns how many there were."""
    if not keys and not any(hashes):
        return 0
    blobs = open_blobs(address)
    ours = {key for key in keys if content_hash(key) is not None and "://" not in key and blobs.exists(key)}
    for sha256 in filter(None, hashes):
        ours |= {blob.key for blob in blobs.list(f"originals/{sha256[:2]}/{sha256}")}
    for key in sorted(ours):
        blobs.delete(key)
    return len(ours)
