# SPDX-License-Identifier: Apache-2.0
"""Sums for tables: what each kind of query cost and gave, and what there is by category, channel and language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from speechmill.store.catalog import Costs, Group, GroupedBy
from speechmill.store.catalog.membership import of_queries
from speechmill.store.catalog.schema import attempts, items
from speechmill.store.catalog.schema import queries as queries_table


def costs(connection: Connection, queries: Sequence[str]) -> list[Costs]:
    """See Catalog.costs."""
    found = {row.kind: _items_of(row) for row in connection.execute(_item_sums(queries))}
    for row in connection.execute(_attempt_sums(queries)):
        found[row.kind] |= _attempts_of(row)
    return [Costs(kind=kind, **found[kind]) for kind in sorted(found)]


def _item_sums(queries: Sequence[str]) -> Any:
    described = items.c.described_at.is_not(None)
    columns = (
        queries_table.c.kind,
        func.count().label("items"),
        _number(described).label("described"),
        _number(described & (items.c.missing == 0)).label("complete"),
        func.sum(items.c.missing).label("missing"),
        _number(items.c.state == "stored").label("stored"),
        _seconds(described).label("seconds"),
        _seconds(items.c.state == "stored").label("stored_seconds"),
    )
    joined = items.join(queries_table, queries_table.c.id == items.c.query)
    return select(*columns).select_from(joined).where(of_queries(queries)).group_by(queries_table.c.kind)


def _items_of(row: Row[Any]) -> dict[str, Any]:
    names = ("items", "described", "complete", "stored")
    numbers = {name: int(getattr(row, name) or 0) for name in names}
    hours = {"hours": (row.seconds or 0.0) / 3600, "stored_hours": (row.stored_seconds or 0.0) / 3600}
    return numbers | hours | {"missing_fields": int(row.missing or 0)}


def _attempt_sums(queries: Sequence[str]) -> Any:
    columns = (
        queries_table.c.kind,
        func.count().label("attempts"),
        _number(attempts.c.kind.is_(None)).label("succeeded"),
        func.count(attempts.c.item.distinct()).label("visited"),
        func.sum(attempts.c.seconds).label("seconds"),
        func.sum(attempts.c.requests).label("requests"),
        func.sum(attempts.c.bytes).label("bytes"),
    )
    joined = attempts.join(items, items.c.id == attempts.c.item).join(
        queries_table, queries_table.c.id == items.c.query
    )
    return select(*columns).select_from(joined).where(of_queries(queries)).group_by(queries_table.c.kind)


def _attempts_of(row: Row[Any]) -> dict[str, Any]:
    names = ("attempts", "succeeded", "visited", "requests", "bytes")
    return {name: int(getattr(row, name)) for name in names} | {"seconds": float(row.seconds)}


def groups(connection: Connection, queries: Sequence[str], by: GroupedBy) -> list[Group]:
    """See Catalog.groups."""
    value = _value(by)
    name = func.max(items.c.author) if by == "channel" else func.max(value)
    manual, automatic = items.c.manual_captions, items.c.automatic_captions & ~items.c.manual_captions
    columns = (
        value.label("value"),
        name.label("name"),
        func.count().label("items"),
        _seconds(items.c.id.is_not(None)).label("seconds"),
        _number(items.c.state == "stored").label("stored"),
        _seconds(items.c.state == "stored").label("stored_seconds"),
        _number(manual).label("manual"),
        _number(automatic).label("automatic"),
    )
    described = of_queries(queries) & items.c.described_at.is_not(None)
    rows = connection.execute(select(*columns).where(described).group_by(value))
    return sorted((_group(row) for row in rows), key=lambda group: (-group.items, group.value or ""))


def _value(by: GroupedBy) -> ColumnElement[Any]:
    if by == "captions":
        manual, automatic = items.c.manual_captions, items.c.automatic_captions
        return case((manual, "manual"), (automatic, "automatic"), else_="none")
    if by == "query":
        return items.c.query
    return items.c[by]


def _group(row: Row[Any]) -> Group:
    return Group(
        value=row.value,
        name=row.name,
        items=row.items,
        hours=(row.seconds or 0.0) / 3600,
        stored=int(row.stored or 0),
        stored_hours=(row.stored_seconds or 0.0) / 3600,
        manual_captions=int(row.manual or 0),
        automatic_captions=int(row.automatic or 0),
    )


def _number(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


def _seconds(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, items.c.duration), else_=0.0))
