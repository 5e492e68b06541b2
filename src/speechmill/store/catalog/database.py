# SPDX-License-Identifier: Apache-2.0
"""Transactions that survive a busy file, a deadlock and a restarted server: the whole of it runs again.

Where a connection breaks during COMMIT, nobody has said whether it came through. So every writer counts its
transactions in a row of its own, within them: after the break that row tells, and what is done is not done twice.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, delete, event, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from speechmill.core.errors import WorkspaceError
from speechmill.store.catalog.address import Address
from speechmill.store.catalog.schema import commits, is_postgresql

T = TypeVar("T")

FAILURES = (SQLAlchemyError, sqlite3.Error)  # the second while a connection is made, before SQLAlchemy looks after it

PATIENCE_S = 60.0  # a server that restarts is back by then
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_BUSY_MS = 10_000
_VANISHED_S = 30  # of silence within a transaction, which has nothing to wait for
# Connections lost or refused while the server stops and starts, or too idle, or too many; serialization, deadlock.
_TRANSIENT_STATES = ("08", "25P03", "57P01", "57P02", "57P03", "53300", "40001", "40P01")


class Database:
    """An engine and how its transactions are run. Safe to share between threads, not across a fork."""

    def __init__(self, engine: Engine, address: Address, patience_s: float = PATIENCE_S) -> None:
        self.address = address
        self.patience_s = patience_s
        self._engine = engine
        self._counts_commits = is_postgresql(engine.dialect)
        self._writer = uuid.uuid4().hex
        self._local = threading.local()  # its slot: a thread has one transaction at a time, and a row to count it
        self._slots = 0
        # SQLite lets one write at a time; threads that wait here needn't poll the file.
        self._turn = threading.Lock()
        if self._counts_commits:
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            _prepare_postgresql(engine)
        else:
            self._reading = engine.execution_options(deferred=True)
            _prepare_sqlite(engine)

    def close(self) -> None:
        """Give the connections back and forget this writer's counters, where the database still answers."""
        if self._counts_commits and self._slots:
            try:
                with self._engine.begin() as connection:
                    connection.execute(delete(commits).where(commits.c.writer.like(f"{self._writer}-%")))
            except SQLAlchemyError:
                pass  # a row of 50 bytes stays; what was worked for is committed
        self._engine.dispose()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run queries that see one state of the database."""

        def attempt() -> T:
            with self._reading.connect() as connection, connection.begin():
                return work(connection)

        return self._patiently(attempt)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, again where it did not come through; `work` must do nothing else than use the database."""
        if not self._counts_commits:
            return self._patiently(lambda: self._write_alone(work))
        slot, number = self._slot(), self._next_number()
        result: list[T] = []  # of a transaction whose COMMIT was sent

        def attempt() -> T:
            with self._engine.connect() as connection, connection.begin() as transaction:
                if result and _last_number(connection, slot) == number:
                    return result[0]
                result.clear()
                value = work(connection)
                connection.execute(update(commits).where(commits.c.writer == slot).values(number=number))
                result.append(value)
                transaction.commit()
                return value

        return self._patiently(attempt)

    @contextmanager
    def once(self) -> Iterator[Connection]:
        """Give a transaction that is not run again, whatever happens."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def once_read(self) -> Iterator[Connection]:
        """Give a transaction that reads, and is not run again."""
        with self._reading.connect() as connection, connection.begin():
            yield connection

    def switch_to_wal(self) -> None:
        """Let readers go on beside a writer (SQLite). The file remembers it."""

        def attempt() -> None:
            # Outside of a transaction, where alone it can be switched.
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL").close()
            finally:
                connection.close()

        self._patiently(attempt)

    def named(self, error: Exception) -> WorkspaceError:
        """Turn what a driver says into what an operator may read."""
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        return WorkspaceError(f"{self.address.shown}: {self.address.redacted(' '.join(cause.split()))}")

    def _write_alone(self, work: Callable[[Connection], T]) -> T:
        with self._turn, self._engine.begin() as connection:
            return work(connection)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        end = time.monotonic() + self.patience_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except FAILURES as error:
                if not is_transient(error) or time.monotonic() + pause > end:
                    raise self.named(error) from None
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _slot(self) -> str:
        """Return the name of this thread's row, which is there before the first transaction that it counts."""
        if not hasattr(self._local, "slot"):
            with self._turn:
                self._slots += 1
                slot = f"{self._writer}-{self._slots}"
            self._patiently(lambda: self._add_slot(slot))
            self._local.slot, self._local.number = slot, 0
        name: str = self._local.slot
        return name

    def _add_slot(self, slot: str) -> None:
        with self._engine.begin() as connection:
            upsert(connection, commits, [{"writer": slot, "number": 0}], ("writer",))

    def _next_number(self) -> int:
        self._local.number += 1
        number: int = self._local.number
        return number


def _last_number(connection: Connection, slot: str) -> int | None:
    """Return what was committed last. Waits for a COMMIT that the server still works on: it holds this row."""
    row = select(commits.c.number).where(commits.c.writer == slot).with_for_update()
    number: int | None = connection.scalar(row)
    return number


def is_transient(error: Exception) -> bool:
    """Whether the same transaction may succeed soon."""
    if isinstance(cause := getattr(error, "orig", error), sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # psycopg says so where the connection itself failed
        return error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
    return str(state).startswith(_TRANSIENT_STATES)


def upsert(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    key: tuple[str, ...],
    replaced: tuple[str, ...] = (),
) -> None:
    """Insert rows; of those whose key is there already, replace these columns (none: leave them as they are)."""
    if not rows:
        return
    statement = insert_for(connection)(table)
    if replaced:
        new = {name: statement.excluded[name] for name in replaced}
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(statement, rows)


def insert_for(connection: Connection) -> Any:
    """Return the INSERT that knows ON CONFLICT."""
    return postgresql.insert if is_postgresql(connection.dialect) else sqlite.insert


def _prepare_postgresql(engine: Engine) -> None:
    """Let the server end what a crawler that vanished from the network has begun: others wait for its locks."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_VANISHED_S}s'")
        connection.commit()


def _prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy, not the driver, begin transactions: a writer takes its lock at once, and never in the middle."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        # Nothing is lost when a process dies. After a power cut the last visits may be: they are then made again.
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        deferred = connection.get_execution_options().get("deferred", False)
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
