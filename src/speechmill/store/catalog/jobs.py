# SPDX-License-Identifier: Apache-2.0
"""Who visits which item, until when, and how it went."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select, union_all, update

from speechmill.core.remote import Decision, Description, Kind, Ref
from speechmill.store.catalog import Job, LeaseLost
from speechmill.store.catalog.database import upsert
from speechmill.store.catalog.discovery import end_jobs
from speechmill.store.catalog.membership import found_later, home, of_queries
from speechmill.store.catalog.schema import items, jobs, queries, takedowns
from speechmill.store.catalog.texts import decode, encode, finite, storable, storable_or_none

MAX_DETAIL = 2000  # characters of an error that are kept
_ARMS = 100  # sub-selects in one statement; SQLite takes 500
_SPARE = 64  # candidates beyond what is asked for: others may hold locks on the first ones

Candidate = tuple[float, int]  # when it can be had, and its item


# -- leases


def lease(
    connection: Connection,
    owner: str,
    queries: Sequence[str],
    count: int,
    lease_s: float,
    now: float,
    platforms: Sequence[str],
) -> list[Job]:
    """See Catalog.lease."""
    if count <= 0 or not queries:
        return []
    wanted = _asked_on(connection, queries, platforms) if platforms else list(queries)
    candidates = _candidates(connection, wanted, 4 * count + _SPARE, now)
    if len(candidates) < count:
        candidates += _borrowed(connection, wanted, 4 * count + _SPARE, now)
    taken = list(connection.scalars(_lock(candidates, count, now)))
    values = {"state": "leased", "owner": owner, "free_at": now + lease_s}
    connection.execute(update(jobs).where(jobs.c.item.in_(taken)).values(values))
    return _read_jobs(connection, wanted, taken)


def _asked_on(connection: Connection, wanted: Sequence[str], platforms: Sequence[str]) -> list[str]:
    found = select(queries.c.id).where(queries.c.id.in_(wanted), queries.c.platform.in_(platforms))
    return list(connection.scalars(found))


def _candidates(connection: Connection, wanted: Sequence[str], count: int, now: float | None) -> list[Candidate]:
    """Return (free_at, item) of the jobs that come first. now None: due or not.

    One short look into the index for every query: sorting all that wait would take longer the more there are.
    """
    found: list[Candidate] = []
    for start in range(0, len(wanted), _ARMS):
        arms = [_first_jobs(count, now, jobs.c.query == query) for query in wanted[start : start + _ARMS]]
        found += [(row.free_at, row.item) for row in connection.execute(union_all(*arms))]
    return heapq.nsmallest(count, found)


def _borrowed(connection: Connection, wanted: Sequence[str], count: int, now: float | None) -> list[Candidate]:
    """Return the same of items that these queries found after another one did, whose crawler may never run again."""
    arm = _first_jobs(count, now, jobs.c.item.in_(found_later(wanted)))
    return [(row.free_at, row.item) for row in connection.execute(arm)]


def _first_jobs(count: int, now: float | None, *which: ColumnElement[bool]) -> Any:
    due = jobs.c.free_at.is_not(None) if now is None else jobs.c.free_at <= now
    ordered = select(jobs.c.free_at, jobs.c.item).where(*which, due)
    limited = ordered.order_by(jobs.c.free_at, jobs.c.item).limit(count).subquery()
    return select(limited.c.free_at, limited.c.item)


def _lock(candidates: Sequence[Candidate], count: int, now: float) -> Any:
    gone = exists().where(
        items.c.id == jobs.c.item, takedowns.c.platform == items.c.platform, takedowns.c.name == items.c.name
    )
    free = select(jobs.c.item).where(
        jobs.c.item.in_([item for _free_at, item in candidates]), jobs.c.free_at <= now, ~gone
    )
    return free.order_by(jobs.c.free_at, jobs.c.item).limit(count).with_for_update(skip_locked=True, of=jobs)


def _read_jobs(connection: Connection, wanted: Sequence[str], taken: Sequence[int]) -> list[Job]:
    columns = (items.c.id, home(wanted).label("home"), items.c.ref, items.c.description, jobs.c.failures)
    rows = connection.execute(select(*columns).join(jobs, jobs.c.item == items.c.id).where(items.c.id.in_(taken)))
    found = {
        row.id: Job(
            item=row.id,
            query=row.home,
            ref=decode(row.ref, Ref),
            failures=row.failures,
            description=decode(row.description, Description) if row.description else None,
        )
        for row in rows
    }
    return [found[item] for item in taken]


def renew(connection: Connection, owner: str, lease_s: float, now: float) -> int:
    """See Catalog.renew."""
    held = (jobs.c.owner == owner) & (jobs.c.state == "leased")
    return connection.execute(update(jobs).where(held).values(free_at=now + lease_s)).rowcount


def release(connection: Connection, owner: str, released: Sequence[int]) -> None:
    """See Catalog.release."""
    held = (jobs.c.owner == owner) & (jobs.c.state == "leased") & jobs.c.item.in_(released)
    values = {"state": "ready", "owner": None, "free_at": jobs.c.due}
    connection.execute(update(jobs).where(held).values(values))


def hold(connection: Connection, owner: str, item: int) -> int:
    """Lock a job that an owner holds, and return its failures. Raises LeaseLost."""
    found = connection.execute(
        select(jobs.c.state, jobs.c.owner, jobs.c.failures).where(jobs.c.item == item).with_for_update()
    ).one_or_none()
    if found is None or found.state != "leased" or found.owner != owner:
        by = f"{found.owner} holds it" if found is not None and found.state == "leased" else "nobody holds it"
        raise LeaseLost(f"item {item} is no longer {owner}'s: {by}")
    failures: int = found.failures
    return failures


def next_due(connection: Connection, queries: Sequence[str], now: float) -> float | None:
    """See Catalog.next_due."""
    soonest = _candidates(connection, queries, 1, None)
    if not soonest or soonest[0][0] > now:
        soonest += _borrowed(connection, queries, 1, None)
    return max(0.0, min(soonest)[0] - now) if soonest else None


# -- outcomes


def described(
    connection: Connection, owner: str, item: int, description: Description, decision: Decision, now: float
) -> None:
    """See Catalog.described."""
    hold(connection, owner, item)
    values = _described_columns(description) | _decided_columns(decision) | {"described_at": now}
    state = _STATES.get(decision.verdict)
    if state is not None:
        values["state"] = state
        end_jobs(connection, [item], "done")
        connection.execute(update(jobs).where(jobs.c.item == item).values(kind=None))
    connection.execute(update(items).where(items.c.id == item).values(values))


_STATES = {"hold": "held", "skip": "skipped"}


def _described_columns(description: Description) -> dict[str, Any]:
    channel = description.channel_id or description.channel_handle or description.author
    kinds = {track.kind for track in description.tracks}
    return {
        "description": encode(description),
        "licence": storable(description.rights.state),
        "duration": finite(description.duration),
        "language": storable_or_none(description.language),
        "channel": storable_or_none(channel),
        "author": storable_or_none(description.author),
        "category": storable_or_none(description.category),
        "date": storable_or_none(description.date),
        "manual_captions": "manual" in kinds,
        "automatic_captions": "automatic" in kinds,
        "missing": len(description.missing),
    }


def _decided_columns(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "reason": storable(decision.reason),
        "detail": storable(decision.detail)[:MAX_DETAIL],
    }


def failed(
    connection: Connection,
    owner: str,
    item: int,
    kind: Kind,
    reason: str,
    detail: str,
    now: float,
    retry_at: float | None,
) -> None:
    """See Catalog.failed."""
    failures = hold(connection, owner, item) + 1
    values: dict[str, Any] = {"owner": None, "failures": failures, "kind": kind, "reason": storable(reason)}
    values["detail"] = storable(detail)[:MAX_DETAIL]
    if retry_at is not None:
        values |= {"state": "ready", "due": retry_at, "free_at": retry_at}
    else:
        values |= {"state": "failed" if kind == "permanent" else "quarantined", "due": now, "free_at": None}
        connection.execute(update(items).where(items.c.id == item).values(state="failed"))
    connection.execute(update(jobs).where(jobs.c.item == item).values(values))


def retry(connection: Connection, queries: Sequence[str], kinds: Sequence[Kind], now: float) -> int:
    """See Catalog.retry."""
    states = ["ready", "quarantined", *(["failed"] if "permanent" in kinds else [])]
    mine = select(items.c.id).where(of_queries(queries), items.c.state.in_(["found", "failed"]))
    waiting = select(jobs.c.item).where(
        jobs.c.item.in_(mine),
        jobs.c.kind.in_(kinds),
        jobs.c.state.in_(states),
        jobs.c.free_at.is_(None) | (jobs.c.free_at > now),
    )
    chosen = list(connection.scalars(waiting.order_by(jobs.c.item).with_for_update(of=jobs)))
    for part in _parts(chosen):
        values = {"state": "ready", "due": now, "free_at": now, "failures": 0}
        connection.execute(update(jobs).where(jobs.c.item.in_(part)).values(values))
        connection.execute(update(items).where(items.c.id.in_(part)).values(state="found"))
    return len(chosen)


def _parts(chosen: Sequence[int], size: int = 1000) -> list[Sequence[int]]:
    return [chosen[start : start + size] for start in range(0, len(chosen), size)]


def reconsider(connection: Connection, decisions: Mapping[int, Decision], now: float) -> None:
    """See Catalog.reconsider."""
    for part in _parts(sorted(decisions)):
        _reconsider(connection, {item: decisions[item] for item in part}, now)


def _reconsider(connection: Connection, decisions: Mapping[int, Decision], now: float) -> None:
    columns = (items.c.id, items.c.query, items.c.state, jobs.c.state.label("job"))
    rows = connection.execute(
        select(*columns)
        .outerjoin(jobs, jobs.c.item == items.c.id)
        .where(items.c.id.in_(list(decisions)), items.c.description.is_not(None))
        .where(~items.c.elsewhere, items.c.state != "taken-down")
        .order_by(items.c.id)
    ).all()
    for row in rows:
        if row.job == "leased":  # whoever visits it decides
            continue
        decision = decisions[row.id]
        values = _decided_columns(decision)
        if row.state in ("found", "held", "skipped"):
            values["state"] = _STATES.get(decision.verdict, "found")
            _open_or_end(connection, row.id, row.query, row.state, values["state"], now)
        connection.execute(update(items).where(items.c.id == row.id).values(values))


def _open_or_end(connection: Connection, item: int, query: str, before: str, after: str, now: float) -> None:
    if before == "found" and after != "found":
        end_jobs(connection, [item], "done")
    elif before != "found" and after == "found":
        row = {"item": item, "query": query, "state": "ready", "due": now, "free_at": now, "owner": None}
        row |= {"failures": 0, "kind": None, "reason": "", "detail": ""}
        replaced = ("state", "due", "free_at", "owner", "failures", "kind", "reason", "detail")
        upsert(connection, jobs, [row], ("item",), replaced)
