# SPDX-License-Identifier: Apache-2.0
"""Listings: their pages become items, finds and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from speechmill.core.errors import WorkspaceError
from speechmill.core.remote import Decision, Page, Ref
from speechmill.store.catalog import Query
from speechmill.store.catalog.database import insert_for, upsert
from speechmill.store.catalog.membership import first, later
from speechmill.store.catalog.schema import finds, items, jobs, queries, takedowns
from speechmill.store.catalog.texts import encode, named, storable, storable_or_none

ELSEWHERE = "fetched-elsewhere"  # the reason of an item that another program has fetched
_CHUNK = 500  # names in one statement


def query(connection: Connection, id: str, platform: str, kind: str) -> Query:
    """See Catalog.query."""
    row = {"id": id, "platform": platform, "kind": kind, "done": False}
    upsert(connection, queries, [row], ("id",))
    found = connection.execute(select(queries).where(queries.c.id == id)).one()
    stored = [count(connection, which, items.c.state == "stored") for which in (first([id]), later([id]))]
    return Query(
        id=id,
        platform=found.platform,
        kind=found.kind,
        cursor=found.cursor,
        done=found.done,
        kept=sum(stored),
        open=_open_jobs(connection, id),
    )


def count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    """Count items."""
    return connection.scalar(select(func.count()).select_from(items).where(*conditions)) or 0


def _open_jobs(connection: Connection, id: str) -> int:
    own = select(func.count()).where(jobs.c.query == id, jobs.c.free_at.is_not(None))
    shared = (
        select(func.count())
        .select_from(items.join(jobs, jobs.c.item == items.c.id))
        .where(later([id]), jobs.c.free_at.is_not(None))
    )
    return (connection.scalar(own) or 0) + (connection.scalar(shared) or 0)


def save_page(
    connection: Connection, query: str, page: Page, skipped: Mapping[str, Decision], now: float, restart: bool
) -> int:
    """See Catalog.save_page."""
    listing = connection.execute(select(queries).where(queries.c.id == query).with_for_update()).one_or_none()
    if listing is None:
        raise WorkspaceError(f"catalog: no query {query!r}; make it by Catalog.query before its pages are saved")
    refs = _by_name(page.refs)
    added = 0
    for (platform, _name), group in _grouped(refs).items():
        added += _save_refs(connection, query, platform, group, skipped, now)
    if restart or not listing.done:  # a page that comes after another crawler's last one moves nothing back
        cursor = storable_or_none(page.cursor)
        connection.execute(update(queries).where(queries.c.id == query).values(cursor=cursor, done=cursor is None))
    return added


def _by_name(refs: Sequence[Ref]) -> dict[tuple[str, str], Ref]:
    """Drop what a page lists twice. The listing's order stays: by it items are visited."""
    found: dict[tuple[str, str], Ref] = {}
    for ref in refs:
        found.setdefault((ref.platform, named(ref.id)), ref)
    return found


def _grouped(refs: Mapping[tuple[str, str], Ref]) -> dict[tuple[str, int], dict[str, Ref]]:
    """Part refs by platform, and each part so that it fits a statement."""
    groups: dict[tuple[str, int], dict[str, Ref]] = {}
    for i, ((platform, name), ref) in enumerate(refs.items()):
        groups.setdefault((platform, i // _CHUNK), {})[name] = ref
    return groups


def _save_refs(
    connection: Connection,
    query: str,
    platform: str,
    refs: Mapping[str, Ref],
    skipped: Mapping[str, Decision],
    now: float,
) -> int:
    gone = _names(connection, takedowns, platform, refs)
    known = _known(connection, platform, refs)
    fresh = [name for name in refs if name not in known]
    rows = [_item(query, platform, name, refs[name], skipped, name in gone, now) for name in fresh]
    ours = add_items(connection, rows)
    # Another crawler may have added one between the look at the table and now: then it is that one's.
    known |= _known(connection, platform, [name for name in fresh if name not in ours])
    found = [{"item": item, "query": query, "at": now, "first": None} for item in ours.values()]
    found += [
        {"item": row.id, "query": query, "at": now, "first": row.query if row.query != query else None}
        for row in known.values()
    ]
    upsert(connection, finds, found, ("item", "query"))
    for name, row in known.items():
        _meet_again(connection, query, row, refs[name], skipped.get(refs[name].id), now)
    ready = [ours[row["name"]] for row in rows if row["name"] in ours and row["state"] == "found"]
    upsert(connection, jobs, [_job(item, query, now) for item in ready], ("item",))
    return len(ours)


def add_items(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert what isn't there. Returns the numbers that they got, by name."""
    if not rows:
        return {}
    statement = insert_for(connection)(items).on_conflict_do_nothing(index_elements=["platform", "name"])
    made = connection.execute(statement.returning(items.c.name, items.c.id), list(rows))
    return {row.name: row.id for row in made}


def _names(connection: Connection, table: Table, platform: str, names: Mapping[str, Ref]) -> set[str]:
    found = select(table.c.name).where(table.c.platform == platform, table.c.name.in_(list(names)))
    return set(connection.scalars(found))


def _known(connection: Connection, platform: str, names: Mapping[str, Ref] | Sequence[str]) -> dict[str, Any]:
    columns = (items.c.id, items.c.name, items.c.query, items.c.state, items.c.found_at, items.c.ref)
    more = (items.c.elsewhere, items.c.described_at)
    found = select(*columns, *more).where(items.c.platform == platform, items.c.name.in_(list(names)))
    return {row.name: row for row in connection.execute(found)}


def _item(
    query: str, platform: str, name: str, ref: Ref, skipped: Mapping[str, Decision], gone: bool, now: float
) -> dict[str, Any]:
    decision = skipped.get(ref.id)
    state = "taken-down" if gone else "skipped" if decision else "found"
    return {
        "platform": platform,
        "name": name,
        "query": query,
        "state": state,
        "found_at": now,
        "elsewhere": False,
        "ref": encode(ref),
        "verdict": decision.verdict if decision else None,
        "reason": storable(decision.reason) if decision else "",
        "detail": storable(decision.detail) if decision else "",
    }


def _job(item: int, query: str, now: float) -> dict[str, Any]:
    empty = {"owner": None, "failures": 0, "kind": None, "reason": "", "detail": ""}
    return {"item": item, "query": query, "state": "ready", "due": now, "free_at": now, **empty}


def _meet_again(connection: Connection, query: str, row: Any, ref: Ref, decision: Decision | None, now: float) -> None:
    """Take in a known item: one that was only imported, or that a listing's hints kept out and no longer do."""
    if row.query is None:
        connection.execute(update(items).where(items.c.id == row.id).values(query=query, ref=encode(ref)))
    let_in = row.state == "skipped" and not row.elsewhere and row.described_at is None and decision is None
    if not let_in:
        return
    # It is this query's from now on, whose policy lets it in.
    values = {"query": query, "state": "found", "verdict": None, "reason": "", "detail": "", "ref": encode(ref)}
    connection.execute(update(items).where(items.c.id == row.id).values(values))
    connection.execute(update(finds).where(finds.c.item == row.id, finds.c.query != query).values(first=query))
    connection.execute(update(finds).where(finds.c.item == row.id, finds.c.query == query).values(first=None))
    upsert(connection, jobs, [_job(row.id, query, now)], ("item",))


def import_archive(connection: Connection, ids: Sequence[tuple[str, str]], now: float) -> int:
    """See Catalog.import_archive."""
    added = 0
    by_platform: dict[str, set[str]] = {}
    for platform, id in ids:
        by_platform.setdefault(platform, set()).add(named(id))
    for platform, wanted in sorted(by_platform.items()):
        names = sorted(wanted)
        for start in range(0, len(names), _CHUNK):
            added += _import(connection, platform, names[start : start + _CHUNK], now)
    return added


def _import(connection: Connection, platform: str, names: Sequence[str], now: float) -> int:
    known = _known(connection, platform, names)
    rows = [
        {
            "platform": platform,
            "name": name,
            "query": None,
            "state": "skipped",
            "found_at": now,
            "elsewhere": True,
            "reason": ELSEWHERE,
            "detail": "",
        }
        for name in names
        if name not in known
    ]
    added = add_items(connection, rows)
    waiting = [row.id for row in known.values() if not row.elsewhere and row.state not in ("stored", "taken-down")]
    if waiting:
        end_jobs(connection, sorted(waiting), "done")
        values = {"state": "skipped", "elsewhere": True, "reason": ELSEWHERE, "detail": ""}
        connection.execute(update(items).where(items.c.id.in_(waiting)).values(values))
    return len(added) + len(waiting)


def end_jobs(connection: Connection, ended: Sequence[int], state: str) -> None:
    """Take items out of everybody's hands."""
    values = {"state": state, "free_at": None, "owner": None}
    connection.execute(update(jobs).where(jobs.c.item.in_(ended)).values(values))
