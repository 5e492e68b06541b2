# SPDX-License-Identifier: Apache-2.0
"""`speechmill crawl stats`: what each kind of query gave and cost, and what there is by category, channel and language.

A figure without anything to be counted is None, never 0. Seconds are of visits, which run side by side: as many at once
as there are connections pass in a second of the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from speechmill.store.catalog import Costs, Group, GroupedBy

NOT_STATED = "(not stated)"
NOTHING = "-"

Cell = str | int | float


class QueryStatistics(Struct, frozen=True, kw_only=True):
    """What one kind of query gave and cost. An item counts for the query that found it first."""

    kind: str  # "search", "channel", "playlist", "video", "feed", ...; "all"
    items: int  # that its listings hold
    asked: int  # that were visited
    described: int
    stored: int
    hours: float  # of described items
    stored_hours: float
    seconds_an_item: float | None  # of visits, for an item that was asked for; with what was tried again
    requests_an_item: float | None
    success_percent: float | None  # of items that were asked for: described
    complete_percent: float | None  # of described items: with every field that their platform usually states
    missing_an_item: float | None  # such fields that a described item lacks


class GroupStatistics(Struct, frozen=True, kw_only=True):
    """Described items that have one thing in common."""

    name: str | None  # None: not stated
    items: int
    hours: float
    stored: int
    stored_hours: float
    manual_percent: float  # of items that have captions by people
    automatic_percent: float  # of items that have a recogniser's captions alone


class CrawlStatistics(Struct, frozen=True, kw_only=True):
    """All of it; groups are sorted by their items, the largest first."""

    queries: tuple[QueryStatistics, ...]
    total: QueryStatistics
    categories: tuple[GroupStatistics, ...]
    channels: tuple[GroupStatistics, ...]
    languages: tuple[GroupStatistics, ...]
    licences: tuple[GroupStatistics, ...]


class Table(Struct, frozen=True):
    """Rows to be printed under a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Sums(Protocol):
    """What is asked of a catalog."""

    def costs(self, queries: Sequence[str]) -> list[Costs]: ...

    def groups(self, queries: Sequence[str], by: GroupedBy) -> list[Group]: ...


def statistics(catalog: Sums, queries: Sequence[str]) -> CrawlStatistics:
    """Read the statistics of some queries."""
    costs = catalog.costs(queries)

    def grouped(by: GroupedBy) -> tuple[GroupStatistics, ...]:
        return tuple(map(_of_group, catalog.groups(queries, by)))

    return CrawlStatistics(
        queries=tuple(map(_of_costs, costs)),
        total=_of_costs(_summed(costs)),
        categories=grouped("category"),
        channels=grouped("channel"),
        languages=grouped("language"),
        licences=grouped("licence"),
    )


def tables(found: CrawlStatistics, top: int = 15) -> list[Table]:
    """Lay the statistics out; `top` groups of each kind are shown, and how many others there are."""
    return [
        _query_table([*found.queries, *([found.total] if len(found.queries) > 1 else [])]),
        _group_table("category", found.categories, top),
        _group_table("channel", found.channels, top),
        _group_table("language", found.languages, top),
        _group_table("licence", found.licences, top),
    ]


def _of_costs(costs: Costs) -> QueryStatistics:
    asked = max(costs.visited, costs.described)  # a crawl that was killed may not have written its last visits
    return QueryStatistics(
        kind=costs.kind,
        items=costs.items,
        asked=asked,
        described=costs.described,
        stored=costs.stored,
        hours=costs.hours,
        stored_hours=costs.stored_hours,
        seconds_an_item=_ratio(costs.seconds, costs.visited),
        requests_an_item=_ratio(costs.requests, costs.visited),
        success_percent=_ratio(100 * costs.described, asked),
        complete_percent=_ratio(100 * costs.complete, costs.described),
        missing_an_item=_ratio(costs.missing_fields, costs.described),
    )


def _summed(costs: Sequence[Costs]) -> Costs:
    names = [name for name in Costs.__struct_fields__ if name != "kind"]
    return Costs(kind="all", **{name: sum(getattr(one, name) for one in costs) for name in names})


def _of_group(group: Group) -> GroupStatistics:
    return GroupStatistics(
        name=group.name or group.value,
        items=group.items,
        hours=group.hours,
        stored=group.stored,
        stored_hours=group.stored_hours,
        manual_percent=100 * group.manual_captions / group.items,
        automatic_percent=100 * group.automatic_captions / group.items,
    )


def _ratio(amount: float, count: int) -> float | None:
    return amount / count if count else None


def _query_table(rows: Sequence[QueryStatistics]) -> Table:
    header = (
        *("query", "items", "asked", "described", "stored", "hours", "stored h"),
        *("s an item", "requests an item", "success %", "complete %", "missing an item"),
    )
    return Table("by kind of query", header, tuple(_query_row(row) for row in rows))


def _query_row(row: QueryStatistics) -> tuple[Cell, ...]:
    return (
        *(row.kind, row.items, row.asked, row.described, row.stored, row.hours, row.stored_hours),
        *(_shown(row.seconds_an_item), _shown(row.requests_an_item), _shown(row.success_percent)),
        *(_shown(row.complete_percent), _shown(row.missing_an_item)),
    )


def _shown(value: float | None) -> Cell:
    return NOTHING if value is None else value


def _group_table(name: str, groups: Sequence[GroupStatistics], top: int) -> Table:
    header = (name, "items", "hours", "stored", "stored h", "manual captions %", "automatic only %")
    shown = [_group_row(group) for group in groups[:top]]
    if len(groups) > top:
        shown.append(_group_row(_others(groups[top:])))
    return Table(f"by {name}", header, tuple(shown))


def _group_row(group: GroupStatistics) -> tuple[Cell, ...]:
    return (
        *(group.name or NOT_STATED, group.items, group.hours, group.stored, group.stored_hours),
        *(group.manual_percent, group.automatic_percent),
    )


def _others(groups: Sequence[GroupStatistics]) -> GroupStatistics:
    items = sum(group.items for group in groups)
    return GroupStatistics(
        name=f"({len(groups)} others)",
        items=items,
        hours=sum(group.hours for group in groups),
        stored=sum(group.stored for group in groups),
        stored_hours=sum(group.stored_hours for group in groups),
        manual_percent=sum(group.manual_percent * group.items for group in groups) / items,
        automatic_percent=sum(group.automatic_percent * group.items for group in groups) / items,
    )
