# SPDX-License-Identifier: Apache-2.0
"""Open a catalog and bring its tables up to date. Alembic is loaded only where they aren't."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text

from speechmill.core.errors import ConfigError, MissingDependency, WorkspaceError

# What `Catalog` calls: importing them makes them names of the package.
from speechmill.store.catalog import assets, budgets, discovery, jobs, results, statistics, takedowns, ways  # noqa: F401
from speechmill.store.catalog.address import Address
from speechmill.store.catalog.database import FAILURES, Database, is_transient
from speechmill.store.catalog.schema import is_postgresql

HEAD = "0001"  # the newest revision in `migrations/`
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 0x5370_6D6C  # PostgreSQL's number for the lock of whoever migrates
_STARTING_S = 30.0
# A server that falls silent without closing is given up after a minute, as one that closes is.
_CONNECTING = {
    "application_name": "speechmill",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def open_database(address: str) -> Database:
    """See Catalog.open."""
    where = Address(address)
    database = Database(_engine(where), where)
    try:
        if where.path is not None:
            _prepare_file(database, Path(where.path))
        _when_started(database)
    except BaseException:
        database.close()
        raise
    return database


def _engine(where: Address) -> Engine:
    if where.path is not None:
        if not where.path or where.path == ":memory:":
            raise ConfigError("catalog: sqlite needs a file, as in sqlite:///catalog.db")
        # Threads come and go: as many connections as are asked for, of which five are kept.
        return create_engine(where.url, hide_parameters=True, pool_size=5, max_overflow=-1, pool_timeout=60)
    try:
        return create_engine(
            where.url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=27,
            pool_timeout=60,
            connect_args=_CONNECTING,
        )
    except ImportError as error:
        raise MissingDependency(
            f"{where.shown} needs {error.name or 'psycopg'}. Install it with: pip install 'speechmill[postgresql]'"
        ) from None


def _prepare_file(database: Database, path: Path) -> None:
    """Make the file, readable by its owner alone, and switch it to write-ahead logging, which it remembers."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise WorkspaceError(f"{path}: {error.strerror or error}") from None
    database.switch_to_wal()


def _when_started(database: Database) -> None:
    """Migrate; wait for a server that says that it starts, but not for one that isn't there."""
    end = time.monotonic() + _STARTING_S
    while True:
        try:
            return _migrate(database)
        except FAILURES as error:
            if not _is_starting(error) or time.monotonic() > end:
                raise database.named(error) from None
        time.sleep(0.2)


def _is_starting(error: Exception) -> bool:
    """Whether somebody is there. libpq gives no code while connecting, only a text."""
    cause = getattr(error, "orig", error)
    known = isinstance(cause, sqlite3.Error) or getattr(cause, "sqlstate", None) is not None
    return is_transient(error) and (known or "the database system is" in str(cause))


def _migrate(database: Database) -> None:
    with database.once_read() as connection:
        revision = current_revision(connection)
    if revision != HEAD:
        with database.once() as connection:
            if is_postgresql(connection.dialect):
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
            upgrade(connection, MIGRATIONS, database.address.shown)


def current_revision(connection: Connection) -> str | None:
    """Return what the tables are at; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def upgrade(connection: Connection, scripts: Path, shown: str = "catalog") -> None:
    """Run what is missing, within the transaction of the connection. Raises WorkspaceError for a newer database."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    directory = ScriptDirectory(str(scripts))
    environment = EnvironmentContext(
        Config(), directory, fn=lambda revision, _context: directory._upgrade_revs("head", revision)
    )
    try:
        with environment:
            environment.configure(connection=connection)
            environment.run_migrations()
    except CommandError:
        raise WorkspaceError(
            f"{shown}: its tables are at revision {current_revision(connection)}, which this version of speechmill "
            "doesn't know. Use the version that made them, or a newer one"
        ) from None
