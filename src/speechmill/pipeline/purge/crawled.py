# SPDX-License-Identifier: Apache-2.0
"""Takes crawled items out of the catalog, and their originals out of the store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.store.blobs import open_blobs
from speechmill.store.blobs.keys import content_hash
from speechmill.store.takedowns import FOLDER, crawled_id
from speechmill.store.workspace import Workspace


class Places(Struct, frozen=True):
    """Where a workspace's crawl keeps what it has."""

    catalog: str | None  # SQLAlchemy's address; None: there is none
    blobs: str


def places(workspace: Workspace) -> Places:
    """Read from the newest run's plan where catalog and originals are; as by default where there was no run."""
    raw, base = _corpus(workspace)
    local = workspace.root / "catalog.db"
    catalog = raw.get("catalog", "sqlite")
    options = raw.get("crawl") or {}
    asked = options.get("originals")
    if asked is None:
        blobs = str((workspace.root / FOLDER / "store").resolve())
    else:
        blobs = asked if "://" in asked else str((base / Path(asked).expanduser()).resolve())
    if catalog == "sqlite":
        return Places(f"sqlite:///{local.resolve()}" if local.exists() else None, blobs)
    return Places(catalog, blobs)


def _corpus(workspace: Workspace) -> tuple[dict[str, Any], Path]:
    run = workspace.latest_run()
    if run is None:
        return {}, workspace.root
    plan = msgspec.json.decode((run / "plan.json").read_bytes())
    return plan.get("corpus") or {}, Path(plan.get("base") or workspace.root)


def purge_items(workspace: Workspace, ids: Collection[str], hashes: Collection[str]) -> tuple[int, int]:
    """Delete rows and objects of crawled items, by their recordings' ids. Returns how many items and objects.

    An object that another item has too stays that item's. Rows are overwritten on disk, and the file is made anew.
    """
    where = places(workspace)
    if where.catalog is None:
        return 0, 0
    from sqlalchemy import create_engine, delete, select, text

    from speechmill.store.catalog import schema
    from speechmill.store.catalog.assets import objects_of, unneeded

    engine = create_engine(where.catalog, hide_parameters=True)
    keys: list[str] = []
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA secure_delete = ON"))
        found = connection.execute(select(schema.items.c.id, schema.items.c.platform, schema.items.c.name)).all()
        mine = [row.id for row in found if crawled_id(row.platform, row.name) in ids]
        for item in mine:
            keys += unneeded(connection, objects_of(connection, item), item, itself=False)
        for table in (schema.finds, schema.jobs, schema.attempts, schema.captions, schema.assets, schema.intents):
            connection.execute(delete(table).where(table.c.item.in_(mine)))
        connection.execute(delete(schema.items).where(schema.items.c.id.in_(mine)))
        gone = connection.execute(select(schema.takedowns.c.platform, schema.takedowns.c.name, schema.takedowns.c.id))
        for row in gone.all():
            if crawled_id(row.platform, row.id) in ids:
                same = (schema.takedowns.c.platform == row.platform) & (schema.takedowns.c.name == row.name)
                connection.execute(delete(schema.takedowns).where(same))
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    if mine or hashes:
        _delete(where.blobs, keys, hashes)
    return len(mine), len(keys)


def _delete(address: str, keys: Collection[str], hashes: Collection[str]) -> None:
    """Delete objects of the crawl's, and what else bears one of these hashes: a purge cut off forgets its keys."""
    blobs = open_blobs(address)
    ours = {key for key in keys if content_hash(key) is not None and "://" not in key}
    for sha256 in filter(None, hashes):
        ours |= {blob.key for blob in blobs.list(f"originals/{sha256[:2]}/{sha256}")}
    for key in sorted(ours):
        blobs.delete(key)
