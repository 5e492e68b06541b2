# SPDX-License-Identifier: Apache-2.0
"""The tables as they are now. `migrations/` brings an older database here; a test compares the two.

A job can be had from `free_at` on, which is NULL for one that has ended: so one index answers every lease, the count
of open jobs and when the next is due. `finds.first` marks the few items that another query found first: most
questions about a query are answered by `items.query` and that short list.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

# SQLite numbers rows by itself only where the key's type is INTEGER.
Id: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

queries = Table(
    "queries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cursor", Text),
    Column("done", Boolean, nullable=False, default=False),
)

items = Table(
    "items",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("platform", Text, nullable=False),
    Column("name", Text, nullable=False),  # the platform's id, shortened where it is very long
    Column("query", Text, ForeignKey("queries.id")),  # the first that found it; NULL: only imported so far
    Column("state", Text, nullable=False),
    Column("found_at", Double, nullable=False),
    Column("elsewhere", Boolean, nullable=False, default=False),  # fetched by another program: never visited
    Column("ref", Text),  # JSON
    Column("description", Text),  # JSON; the columns below repeat what is asked for by SQL
    Column("described_at", Double),
    Column("verdict", Text),
    Column("reason", Text, nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("licence", Text),  # its state
    Column("duration", Double),  # seconds
    Column("language", Text),
    Column("channel", Text),
    Column("author", Text),
    Column("category", Text),
    Column("date", Text),
    Column("manual_captions", Boolean),
    Column("automatic_captions", Boolean),
    Column("missing", Integer),  # how many fields
    Column("stored_at", Double),
    Index(None, "platform", "name", unique=True),
    # Covers what `counts` asks, so that it never reads the descriptions.
    Index(None, "query", "state", "licence", "duration"),
)

finds = Table(
    "finds",
    metadata,
    Column("item", Id, ForeignKey("items.id"), primary_key=True),
    Column("query", Text, ForeignKey("queries.id"), primary_key=True),
    Column("at", Double, nullable=False),
    Column("first", Text, ForeignKey("queries.id")),  # the item's query, where that is another one
    Index(None, "query", "first", "item"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("item", Id, ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("query", Text, ForeignKey("queries.id"), nullable=False),  # the item's
    Column("state", Text, nullable=False),
    Column("due", Double, nullable=False),
    Column("free_at", Double),  # `due` where it is ready, the end of the lease where it is leased, else NULL
    Column("owner", Text),
    Column("failures", Integer, nullable=False, default=0),
    Column("kind", Text),  # of the last error, until a success
    Column("reason", Text, nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Index(None, "query", "free_at", "item"),
    Index(None, "query", "state", "kind"),
    Index(None, "owner"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("item", Id, ForeignKey("items.id"), nullable=False),
    Column("verb", Text, nullable=False),
    Column("egress", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("kind", Text),
    Column("reason", Text, nullable=False, default=""),
    Index(None, "item"),
)

assets = Table(
    "assets",
    metadata,
    Column("item", Id, ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),  # the key, shortened where it is very long
    Column("key", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("extension", Text, nullable=False),
    Column("duration", Double),
    Column("dropped", Boolean, nullable=False, default=False),  # deleted on purpose
    Index(None, "name"),
)

captions = Table(
    "captions",
    metadata,
    Column("item", Id, ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("dropped", Boolean, nullable=False, default=False),
    Index(None, "name"),
)

intents = Table(
    "intents",
    metadata,
    Column("item", Id, ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Index(None, "name"),
)

egress = Table(
    "egress",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("until", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("rate_factor", Double, nullable=False),
)

budgets = Table("budgets", metadata, Column("platform", Text, primary_key=True))  # a row to lock

spending = Table(
    "spending",
    metadata,
    Column("platform", Text, ForeignKey("budgets.platform"), primary_key=True),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # times BUCKET_S: when it began
    Column("count", Integer, nullable=False),
)

takedowns = Table(
    "takedowns",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("note", Text, nullable=False),
)

# Which transaction of a writer was the last to be committed: asked where a connection broke during COMMIT.
commits = Table(
    "commits",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)


def is_postgresql(dialect: Dialect) -> bool:
    """Tell the two databases apart."""
    return dialect.name == "postgresql"
