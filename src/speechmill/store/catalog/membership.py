# SPDX-License-Identifier: Apache-2.0
"""Which items are a query's: those that it found first, and those that it shares with the query that did."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, Select, case, select

from speechmill.store.catalog.schema import finds, items


def of_queries(queries: Sequence[str]) -> ColumnElement[bool]:
    """Condition on `items`: some of these queries found it."""
    return items.c.query.in_(queries) | later(queries)


def first(queries: Sequence[str]) -> ColumnElement[bool]:
    """Condition on `items`: one of these queries was the first to find it. Answered by an index."""
    return items.c.query.in_(queries)


def later(queries: Sequence[str]) -> ColumnElement[bool]:
    """Condition on `items`: some of these queries found it, but another did before."""
    return items.c.id.in_(found_later(queries))


def home(queries: Sequence[str]) -> ColumnElement[str]:
    """The query whose policy decides: the first that found the item, of those that are asked for."""
    earliest: ScalarSelect[str] = (
        select(finds.c.query)
        .where(finds.c.item == items.c.id, finds.c.query.in_(queries))
        .order_by(finds.c.at, finds.c.query)
        .limit(1)
        .scalar_subquery()
    )
    return case((items.c.query.in_(queries), items.c.query), else_=earliest)


def found_later(queries: Sequence[str]) -> Select[tuple[int]]:
    """Items that some of these queries found, and none of them first."""
    found = select(finds.c.item).where(finds.c.query.in_(queries))
    return found.where(finds.c.first.is_not(None), finds.c.first.not_in(queries))
