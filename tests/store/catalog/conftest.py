# SPDX-License-Identifier: Apache-2.0
"""A catalog in both databases, opened once and emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.services.postgres import Server, postgres
from tests.store.catalog.actors import Troupe

from speechmill.store.catalog import Catalog
from speechmill.store.catalog.schema import metadata

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Catalog]]:
    address = f"sqlite:///{tmp_path_factory.mktemp('catalog')}/catalog.db"
    with Catalog.open(address) as catalog:
        yield address, catalog


@pytest.fixture(scope="session")
def in_postgresql(postgres: Server) -> Iterator[tuple[str, Catalog]]:
    address = postgres.new_database()
    with Catalog.open(address) as catalog:
        yield address, catalog


@pytest.fixture(scope="session")
def migrated(in_postgresql: tuple[str, Catalog]) -> str:
    """The address of a PostgreSQL database with tables."""
    return in_postgresql[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest) -> tuple[str, Catalog]:
    """An empty database's address and its catalog."""
    address, catalog = request.getfixturevalue(f"in_{request.param}")
    # `commits` stays: a writer's own row is there as long as it is.
    tables = [table.name for table in reversed(metadata.sorted_tables) if table.name != "commits"]
    with catalog._database.once() as connection:
        for name in tables:
            connection.exec_driver_sql(f"DELETE FROM {name}")
    return address, catalog


@pytest.fixture
def address(opened: tuple[str, Catalog]) -> str:
    return opened[0]


@pytest.fixture
def catalog(opened: tuple[str, Catalog]) -> Catalog:
    return opened[1]


@pytest.fixture(scope="session")
def troupe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troupe]:
    """Starts processes that use a catalog."""
    troupe = Troupe(tmp_path_factory.mktemp("actors"))
    yield troupe
    troupe.close()
