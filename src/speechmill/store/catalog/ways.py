# SPDX-License-Identifier: Apache-2.0
"""What visits cost, and what is remembered of the ways that they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, insert, select

from speechmill.store.catalog import Attempt, EgressState
from speechmill.store.catalog.database import upsert
from speechmill.store.catalog.schema import attempts
from speechmill.store.catalog.schema import egress as egress_table
from speechmill.store.catalog.texts import storable


def attempt(connection: Connection, made: Sequence[Attempt]) -> None:
    """See Catalog.attempt."""
    if made:
        rows = [msgspec.structs.asdict(one) | {"reason": storable(one.reason)} for one in made]
        connection.execute(insert(attempts), rows)


def egress(connection: Connection, platform: str) -> Mapping[str, EgressState]:
    """See Catalog.egress."""
    rows = connection.execute(select(egress_table).where(egress_table.c.platform == platform))
    return {row.name: EgressState(**row._mapping) for row in rows}


def save_egress(connection: Connection, states: Sequence[EgressState]) -> None:
    """See Catalog.save_egress."""
    rows = [msgspec.structs.asdict(state) for state in states]
    rows.sort(key=lambda row: (row["platform"], row["name"]))  # one order of locks
    replaced = ("until", "reason", "failures", "rate_factor")
    upsert(connection, egress_table, rows, ("platform", "name"), replaced)
