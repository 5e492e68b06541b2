# SPDX-License-Identifier: Apache-2.0
"""What must never be fetched or exported again."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from speechmill.store.catalog import Takedown
from speechmill.store.catalog.assets import objects_of, unneeded
from speechmill.store.catalog.database import upsert
from speechmill.store.catalog.discovery import end_jobs
from speechmill.store.catalog.schema import items, jobs
from speechmill.store.catalog.schema import takedowns as table
from speechmill.store.catalog.texts import named, storable


def take_down(connection: Connection, platform: str, id: str, note: str, now: float) -> list[str]:
    """See Catalog.take_down."""
    name = named(id)
    row = {"platform": platform, "name": name, "id": storable(id), "at": now, "note": storable(note)}
    upsert(connection, table, [row], ("platform", "name"))
    item = connection.scalar(select(items.c.id).where(items.c.platform == platform, items.c.name == name))
    if item is None:
        return []
    connection.execute(select(jobs.c.item).where(jobs.c.item == item).with_for_update())
    end_jobs(connection, [item], "done")
    connection.execute(update(items).where(items.c.id == item).values(state="taken-down"))
    return unneeded(connection, objects_of(connection, item), item, itself=False)


def takedowns(connection: Connection) -> list[Takedown]:
    """See Catalog.takedowns."""
    rows = connection.execute(select(table))
    found = [Takedown(platform=row.platform, id=row.id, at=row.at, note=row.note) for row in rows]
    return sorted(found, key=lambda takedown: (takedown.platform, takedown.id))
