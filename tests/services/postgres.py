# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL 15 in a temporary folder, on a free port of this machine.

In a conftest.py: `from tests.services.postgres import postgres` (a fixture of the session). In a script:

    with running() as server:
        address = server.new_database()

PostgreSQL refuses to run as root: then it runs as the user `postgres`. A process beside it watches over whoever
started it, and stops the server and deletes the folder when that one is gone, however it went.
"""

from __future__ import annotations

import os
import pwd
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "crawler"
PASSWORD = "canary-postgres-password"  # planted: tests look for it where it must not be
FOLDERS = ("/usr/lib/postgresql/15/bin", "/usr/local/opt/postgresql@15/bin", "/opt/homebrew/opt/postgresql@15/bin")
SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=120",
    "shared_buffers=64MB",
    "deadlock_timeout=100ms",
)
_ROOT_USER = "postgres"


class Absent(Exception):
    """There is no PostgreSQL 15 here, or nobody to run it as."""


def binaries() -> Path:
    """Return the folder of PostgreSQL 15's programs; SPEECHMILL_POSTGRES_BIN names another. Raises Absent."""
    for folder in (os.environ.get("SPEECHMILL_POSTGRES_BIN"), *FOLDERS):
        if folder and (Path(folder) / "initdb").exists():
            return Path(folder)
    raise Absent("no PostgreSQL 15 (apt-get install postgresql-15, or set SPEECHMILL_POSTGRES_BIN)")


class Server:
    """One PostgreSQL server. `start`, `stop`, `restart` and `crash` it as a test needs."""

    def __init__(self) -> None:
        from tests.services.ports import free_port  # here: the watcher is this file alone

        self.programs = binaries()
        self._as_user = _as_user()
        self.folder = Path(tempfile.mkdtemp(prefix="speechmill-postgres-"))
        self._data = self.folder / "data"
        self.port = free_port()
        self._watch = _watcher(self.folder, self.programs)
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    def address(self, database: str = "postgres", *, password: str | None = PASSWORD) -> str:
        """A SQLAlchemy URL; password None: left to PGPASSWORD."""
        who = USER if password is None else f"{USER}:{password}"
        return f"postgresql+psycopg://{who}@127.0.0.1:{self.port}/{database}"

    def new_database(self, *, password: str | None = PASSWORD) -> str:
        """Make an empty database and return its address."""
        name = f"test_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.address(name, password=password)

    def sql(self, statement: str) -> None:
        """Run one statement."""
        import psycopg

        conninfo = f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        options += f" -p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop. mode: "fast" breaks connections off, "immediate" is as if the server was killed."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def restart(self, mode: str = "fast", down_s: float = 0.0) -> None:
        """Stop, stay away for a while, and start."""
        self.stop(mode)
        time.sleep(down_s)
        self.start()

    def crash(self) -> None:
        """Stop as by kill -9, and start again: it recovers from its log."""
        self.restart("immediate")

    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Stop it and delete everything."""
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait(60)

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if self._as_user:
            for path in (self.folder, password):
                shutil.chown(path, _ROOT_USER)
        self._run(
            "initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}", "-N", "-E", "UTF8", "--locale=C.UTF-8"
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self.programs / program), "-D", str(self._data), *arguments]
        # To a file: a server inherits what it is started with, and a pipe to it would never end.
        with (self.folder / f"{program}.out").open("w+") as output:
            done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} {arguments[0]} ended {done.returncode}: {output.read()[-2000:]}")


@contextmanager
def running() -> Iterator[Server]:
    """Run a server for as long as the block. Raises Absent."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL 15 server; the test is skipped, and says so, where there is none."""
    try:
        server = Server()
    except Absent as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(_ROOT_USER)
    except KeyError:
        raise Absent(f"PostgreSQL refuses root, and there is no user {_ROOT_USER}") from None
    return ["runuser", "-u", _ROOT_USER, "--"]


def _watcher(root: Path, programs: Path) -> subprocess.Popen[bytes]:
    """Start what cleans up. It has its own session: what is meant for a test's group must not reach it."""
    command = [sys.executable, __file__, str(os.getpid()), str(root), str(programs)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _watch(parent: int, root: Path, programs: Path) -> None:
    # A fork of the parent may hold the pipe open after the parent's death: so both are looked at.
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable:
            break
    data = root / "data"
    if (data / "postmaster.pid").exists():
        command = [*_as_user(), str(programs / "pg_ctl"), "-D", str(data), "stop", "-w", "-m", "immediate"]
        subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
