# SPDX-License-Identifier: Apache-2.0
"""The first tables."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "budgets", Column("platform", Text(), nullable=False), PrimaryKeyConstraint("platform", name="pk_budgets")
    )
    op.create_table(
        "commits",
        Column("writer", Text(), nullable=False),
        Column("number", BigInteger(), nullable=False),
        PrimaryKeyConstraint("writer", name="pk_commits"),
    )
    op.create_table(
        "egress",
        Column("platform", Text(), nullable=False),
        Column("name", Text(), nullable=False),
        Column("until", Double(), nullable=False),
        Column("reason", Text(), nullable=False),
        Column("failures", Integer(), nullable=False),
        Column("rate_factor", Double(), nullable=False),
        PrimaryKeyConstraint("platform", "name", name="pk_egress"),
    )
    op.create_table(
        "queries",
        Column("id", Text(), nullable=False),
        Column("platform", Text(), nullable=False),
        Column("kind", Text(), nullable=False),
        Column("cursor", Text()),
        Column("done", Boolean(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_queries"),
    )
    op.create_table(
        "takedowns",
        Column("platform", Text(), nullable=False),
        Column("name", Text(), nullable=False),
        Column("id", Text(), nullable=False),
        Column("at", Double(), nullable=False),
        Column("note", Text(), nullable=False),
        PrimaryKeyConstraint("platform", "name", name="pk_takedowns"),
    )
    op.create_table(
        "items",
        Column("id", _ID, autoincrement=True, nullable=False),
        Column("platform", Text(), nullable=False),
        Column("name", Text(), nullable=False),
        Column("query", Text()),
        Column("state", Text(), nullable=False),
        Column("found_at", Double(), nullable=False),
        Column("elsewhere", Boolean(), nullable=False),
        Column("ref", Text()),
        Column("description", Text()),
        Column("described_at", Double()),
        Column("verdict", Text()),
        Column("reason", Text(), nullable=False),
        Column("detail", Text(), nullable=False),
        Column("licence", Text()),
        Column("duration", Double()),
        Column("language", Text()),
        Column("channel", Text()),
        Column("author", Text()),
        Column("category", Text()),
        Column("date", Text()),
        Column("manual_captions", Boolean()),
        Column("automatic_captions", Boolean()),
        Column("missing", Integer()),
        Column("stored_at", Double()),
        ForeignKeyConstraint(["query"], ["queries.id"], name="fk_items_query_queries"),
        PrimaryKeyConstraint("id", name="pk_items"),
    )
    op.create_index("ix_items_platform_name", "items", ["platform", "name"], unique=True)
    op.create_index("ix_items_query_state_licence_duration", "items", ["query", "state", "licence", "duration"])
    op.create_table(
        "spending",
        Column("platform", Text(), nullable=False),
        Column("bucket", BigInteger(), autoincrement=False, nullable=False),
        Column("count", Integer(), nullable=False),
        ForeignKeyConstraint(["platform"], ["budgets.platform"], name="fk_spending_platform_budgets"),
        PrimaryKeyConstraint("platform", "bucket", name="pk_spending"),
    )
    op.create_table(
        "assets",
        Column("item", _ID, autoincrement=False, nullable=False),
        Column("name", Text(), nullable=False),
        Column("key", Text(), nullable=False),
        Column("sha256", Text(), nullable=False),
        Column("size", BigInteger(), nullable=False),
        Column("extension", Text(), nullable=False),
        Column("duration", Double()),
        Column("dropped", Boolean(), nullable=False),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_assets_item_items"),
        PrimaryKeyConstraint("item", name="pk_assets"),
    )
    op.create_index("ix_assets_name", "assets", ["name"])
    op.create_table(
        "attempts",
        Column("id", _ID, autoincrement=True, nullable=False),
        Column("item", _ID, nullable=False),
        Column("verb", Text(), nullable=False),
        Column("egress", Text(), nullable=False),
        Column("started", Double(), nullable=False),
        Column("seconds", Double(), nullable=False),
        Column("requests", Integer(), nullable=False),
        Column("bytes", BigInteger(), nullable=False),
        Column("kind", Text()),
        Column("reason", Text(), nullable=False),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_attempts_item_items"),
        PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_item", "attempts", ["item"])
    op.create_table(
        "captions",
        Column("item", _ID, autoincrement=False, nullable=False),
        Column("position", Integer(), autoincrement=False, nullable=False),
        Column("name", Text(), nullable=False),
        Column("key", Text(), nullable=False),
        Column("sha256", Text(), nullable=False),
        Column("language", Text(), nullable=False),
        Column("kind", Text(), nullable=False),
        Column("dropped", Boolean(), nullable=False),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_captions_item_items"),
        PrimaryKeyConstraint("item", "position", name="pk_captions"),
    )
    op.create_index("ix_captions_name", "captions", ["name"])
    op.create_table(
        "finds",
        Column("item", _ID, nullable=False),
        Column("query", Text(), nullable=False),
        Column("at", Double(), nullable=False),
        Column("first", Text()),
        ForeignKeyConstraint(["first"], ["queries.id"], name="fk_finds_first_queries"),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_finds_item_items"),
        ForeignKeyConstraint(["query"], ["queries.id"], name="fk_finds_query_queries"),
        PrimaryKeyConstraint("item", "query", name="pk_finds"),
    )
    op.create_index("ix_finds_query_first_item", "finds", ["query", "first", "item"])
    op.create_table(
        "intents",
        Column("item", _ID, autoincrement=False, nullable=False),
        Column("name", Text(), nullable=False),
        Column("key", Text(), nullable=False),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_intents_item_items"),
        PrimaryKeyConstraint("item", "name", name="pk_intents"),
    )
    op.create_index("ix_intents_name", "intents", ["name"])
    op.create_table(
        "jobs",
        Column("item", _ID, autoincrement=False, nullable=False),
        Column("query", Text(), nullable=False),
        Column("state", Text(), nullable=False),
        Column("due", Double(), nullable=False),
        Column("free_at", Double()),
        Column("owner", Text()),
        Column("failures", Integer(), nullable=False),
        Column("kind", Text()),
        Column("reason", Text(), nullable=False),
        Column("detail", Text(), nullable=False),
        ForeignKeyConstraint(["item"], ["items.id"], name="fk_jobs_item_items"),
        ForeignKeyConstraint(["query"], ["queries.id"], name="fk_jobs_query_queries"),
        PrimaryKeyConstraint("item", name="pk_jobs"),
    )
    op.create_index("ix_jobs_owner", "jobs", ["owner"])
    op.create_index("ix_jobs_query_free_at_item", "jobs", ["query", "free_at", "item"])
    op.create_index("ix_jobs_query_state_kind", "jobs", ["query", "state", "kind"])
