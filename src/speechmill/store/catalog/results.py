# SPDX-License-Identifier: Apache-2.0
"""What came of it: the hand-over, what waits for a decision, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from speechmill.core.remote import Asset, CaptionAsset, Description, Kind, Verdict
from speechmill.store.catalog import Counts, ItemState, JobState, Stored
from speechmill.store.catalog.database import Database
from speechmill.store.catalog.membership import first, home, later, of_queries
from speechmill.store.catalog.schema import assets, captions, items, jobs, takedowns
from speechmill.store.catalog.texts import decode

_PAGE = 500


def hand_over(connection: Connection, queries: Sequence[str]) -> list[Stored]:
    """See Catalog.hand_over."""
    if not queries:
        return []
    gone = exists().where(takedowns.c.platform == items.c.platform, takedowns.c.name == items.c.name)
    mine = of_queries(queries) & (items.c.state == "stored") & ~gone
    texts = _captions(connection, mine)
    columns = (items.c.id, items.c.description, home(queries).label("home"))
    rows = connection.execute(select(*columns, *_asset_columns()).join(assets, assets.c.item == items.c.id).where(mine))
    found = [_stored(row, tuple(texts.get(row.id, ()))) for row in rows]
    return sorted(found, key=lambda stored: (stored.description.platform, stored.description.id))


def _asset_columns() -> tuple[ColumnElement[Any], ...]:
    names = ("key", "sha256", "size", "extension", "dropped")
    return (*(assets.c[name] for name in names), assets.c.duration.label("seconds"))


def _stored(row: Row[Any], texts: tuple[CaptionAsset, ...]) -> Stored:
    return Stored(
        item=row.id,
        query=row.home,
        description=decode(row.description, Description),
        asset=Asset(key=row.key, sha256=row.sha256, size=row.size, extension=row.extension, duration=row.seconds),
        captions=texts,
        dropped=row.dropped,
    )


def _captions(connection: Connection, mine: ColumnElement[bool]) -> dict[int, list[CaptionAsset]]:
    rows = connection.execute(
        select(captions)
        .join(items, items.c.id == captions.c.item)
        .where(mine)
        .order_by(captions.c.item, captions.c.position)
    )
    found: dict[int, list[CaptionAsset]] = {}
    for row in rows:
        caption = CaptionAsset(key=row.key, sha256=row.sha256, language=row.language, kind=row.kind)
        found.setdefault(row.item, []).append(caption)
    return found


def undecided(
    database: Database, queries: Sequence[str], verdicts: Sequence[Verdict]
) -> Iterator[tuple[int, str, Description]]:
    """See Catalog.undecided. By short transactions, so that nobody waits for a slow reader."""
    last = 0
    while True:
        page = database.read(partial(_undecided, queries=queries, verdicts=verdicts, last=last))
        for item, query, description in page:
            yield item, query, decode(description, Description)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def _undecided(
    connection: Connection, queries: Sequence[str], verdicts: Sequence[Verdict], last: int
) -> list[tuple[int, str, str]]:
    rows = connection.execute(
        select(items.c.id, home(queries).label("home"), items.c.description)
        .where(items.c.id > last, items.c.verdict.in_(verdicts), items.c.description.is_not(None))
        .where(of_queries(queries), items.c.state != "taken-down", ~items.c.elsewhere)
        .order_by(items.c.id)
        .limit(_PAGE)
    )
    return [(row.id, row.home, row.description) for row in rows]


def counts(connection: Connection, queries: Sequence[str]) -> Counts:
    """See Catalog.counts."""
    # Grouped by query as well: that is the index's order, in which nothing needs to be sorted.
    states: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    stored_seconds = 0.0
    for which in (first(queries), later(queries)):
        columns = (items.c.state, items.c.licence, func.count().label("items"), func.sum(items.c.duration).label("s"))
        for row in connection.execute(
            select(*columns).where(which).group_by(items.c.query, items.c.state, items.c.licence)
        ):
            states[row.state] += row.items
            if row.licence is not None:
                seconds[row.licence] = seconds.get(row.licence, 0.0) + (row.s or 0.0)
            if row.state == "stored":
                stored_seconds += row.s or 0.0
    jobs_by_state, errors = _job_counts(connection, queries)
    return Counts(
        items=cast("dict[ItemState, int]", dict(sorted(states.items()))),
        hours={licence: total / 3600 for licence, total in sorted(seconds.items())},
        stored_hours=stored_seconds / 3600,
        errors=cast("dict[Kind, int]", errors),
        jobs=cast("dict[JobState, int]", jobs_by_state),
    )


def _job_counts(connection: Connection, queries: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    states: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    grouped = select(jobs.c.state, jobs.c.kind, func.count().label("jobs")).group_by(
        jobs.c.query, jobs.c.state, jobs.c.kind
    )
    shared = jobs.c.item.in_(select(items.c.id).where(later(queries)))
    for which in (jobs.c.query.in_(queries), shared):
        for row in connection.execute(grouped.where(which)):
            states[row.state] += row.jobs
            if row.kind is not None:
                errors[row.kind] += row.jobs
    return dict(sorted(states.items())), dict(sorted(errors.items()))
