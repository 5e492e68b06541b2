# SPDX-License-Identifier: Apache-2.0
"""A catalog in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from tests.services.postgres import Server, postgres
from tests.store.catalog.actors import Troupe

from speechmill.store.catalog import Catalog
from speechmill.store.catalog.schema import metadata

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> str:
    """The address of a PostgreSQL database with tables, which tests empty one after the other."""
    address = postgres.new_database()
    Catalog.open(address).close()
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database with tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalog.db"
    migrated: str = request.getfixturevalue("migrated")
    engine = create_engine(migrated)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()
    return migrated


@pytest.fixture
def catalog(address: str) -> Iterator[Catalog]:
    with Catalog.open(address) as opened:
        yield opened


@pytest.fixture(scope="session")
def troupe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troupe]:
    """Starts processes that use a catalog."""
    troupe = Troupe(tmp_path_factory.mktemp("actors"))
    yield troupe
    troupe.close()
