# SPDX-License-Identifier: Apache-2.0
"""Which objects belong to which item, and which belong to nobody any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, func, insert, select, union, update

from speechmill.core.errors import WorkspaceError
from speechmill.core.remote import Asset, CaptionAsset
from speechmill.store.catalog.database import Database, upsert
from speechmill.store.catalog.discovery import end_jobs
from speechmill.store.catalog.jobs import hold
from speechmill.store.catalog.schema import assets, captions, intents, items, jobs
from speechmill.store.catalog.texts import finite, named, storable

_PAGE = 1000


def intend(connection: Connection, owner: str, item: int, key: str) -> None:
    """See Catalog.intend."""
    hold(connection, owner, item)
    upsert(connection, intents, [{"item": item, "name": named(key), "key": storable(key)}], ("item", "name"))


def stored(
    connection: Connection, owner: str, item: int, asset: Asset, texts: Sequence[CaptionAsset], now: float
) -> tuple[str, ...]:
    """See Catalog.stored."""
    hold(connection, owner, item)
    if connection.scalar(select(items.c.described_at).where(items.c.id == item)) is None:
        raise WorkspaceError(f"catalog: item {item} was not described, so nobody would know what is stored")
    former = objects_of(connection, item)
    forget(connection, item)
    connection.execute(insert(assets).values(_asset_row(item, asset)))
    rows = [_caption_row(item, position, caption) for position, caption in enumerate(texts)]
    upsert(connection, captions, rows, ("item", "position"))
    duration = func.coalesce(items.c.duration, finite(asset.duration))
    values = {"state": "stored", "stored_at": now, "duration": duration}
    connection.execute(update(items).where(items.c.id == item).values(values))
    end_jobs(connection, [item], "done")
    connection.execute(update(jobs).where(jobs.c.item == item).values(kind=None, reason="", detail=""))
    return tuple(unneeded(connection, former, item, itself=True))


def _asset_row(item: int, asset: Asset) -> dict[str, Any]:
    return {
        "item": item,
        "name": named(asset.key),
        "key": storable(asset.key),
        "sha256": asset.sha256,
        "size": asset.size,
        "extension": storable(asset.extension),
        "duration": finite(asset.duration),
        "dropped": False,
    }


def _caption_row(item: int, position: int, caption: CaptionAsset) -> dict[str, Any]:
    return {
        "item": item,
        "position": position,
        "name": named(caption.key),
        "key": storable(caption.key),
        "sha256": caption.sha256,
        "language": storable(caption.language),
        "kind": caption.kind,
        "dropped": False,
    }


def objects_of(connection: Connection, item: int) -> dict[str, str]:
    """Return the keys of an item's objects that may exist, intended ones too, by name."""
    found: dict[str, str] = {}
    for table in (assets, captions, intents):
        rows = connection.execute(select(table.c.name, table.c.key).where(table.c.item == item, *_kept(table)))
        found |= {row.name: row.key for row in rows}
    return found


def forget(connection: Connection, item: int) -> None:
    """Delete the rows of an item's objects."""
    for table in (assets, captions, intents):
        connection.execute(delete(table).where(table.c.item == item))


def unneeded(connection: Connection, objects: Mapping[str, str], item: int, *, itself: bool) -> list[str]:
    """Return the keys that no item refers to, sorted. itself: this one counts as well as the others."""
    needed: set[str] = set()
    for table in (assets, captions, intents):
        refers = _of_live_items(table).where(table.c.name.in_(list(objects)))
        needed |= set(connection.scalars(refers if itself else refers.where(table.c.item != item)))
    return sorted(key for name, key in objects.items() if name not in needed)


def _of_live_items(table: Table) -> Select[tuple[str]]:
    """Names of the objects in a table that belong to an item, and were not deleted on purpose."""
    live = select(table.c.name).join(items, items.c.id == table.c.item)
    return live.where(items.c.state != "taken-down", *_kept(table))


def _kept(table: Table) -> list[Any]:
    return [~table.c.dropped] if "dropped" in table.c else []


def drop_asset(connection: Connection, key: str) -> None:
    """See Catalog.drop_asset."""
    for table in (assets, captions):
        connection.execute(update(table).where(table.c.name == named(key)).values(dropped=True))


def keys(database: Database) -> Iterator[str]:
    """See Catalog.keys. By short transactions, so that nobody waits for a slow reader."""
    last = ""
    while True:
        page = database.read(partial(_keys_after, last=last))
        yield from page.values()
        if len(page) < _PAGE:
            return
        last = list(page)[-1]


def _keys_after(connection: Connection, last: str) -> dict[str, str]:
    arms = []
    for table in (assets, captions, intents):
        live = _of_live_items(table).add_columns(table.c.key).where(table.c.name > last)
        first = live.distinct().order_by(table.c.name).limit(_PAGE).subquery()
        arms.append(select(first.c.name, first.c.key))
    merged = union(*arms).subquery()
    rows = connection.execute(select(merged.c.name, merged.c.key).order_by(merged.c.name).limit(_PAGE))
    return {row.name: row.key for row in rows}
