# SPDX-License-Identifier: Apache-2.0
"""What compose.yaml gives to PostgreSQL and Redis is taken by real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from tests.deploy.files import DEPLOY, load
from tests.services.ports import free_port
from tests.services.postgres import PASSWORD, USER, Server, postgres  # noqa: F401

COMPOSE = DEPLOY / "compose"


class Redis(NamedTuple):
    port: int
    conf: Path


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    subprocess.run([sys.executable, COMPOSE / "make-secrets", folder], check=True, capture_output=True)
    return folder


def connect(server: Server, secrets: Path, role: str, database: str) -> psycopg.Connection:
    password = (secrets / f"postgres_{role}_password").read_text(encoding="utf-8")
    return psycopg.connect(host="127.0.0.1", port=server.port, user=role, password=password, dbname=database)


def test_each_role_owns_its_database_and_sees_no_other(postgres: Server, secrets: Path) -> None:  # noqa: F811
    there = {"POSTGRES_USER": USER, "PGPASSWORD": PASSWORD, "PGHOST": "127.0.0.1", "PGPORT": str(postgres.port)}
    path = f"{postgres.programs}:{os.environ['PATH']}"
    script = COMPOSE / "postgres-roles"
    done = subprocess.run(
        [script], env={**there, "PATH": path, "SECRETS": str(secrets)}, capture_output=True, text=True, check=False
    )
    try:
        assert (done.returncode, done.stderr) == (0, "")
        for role in ("airflow", "speechmill"):
            with connect(postgres, secrets, role, role) as connection:
                connection.execute("CREATE TABLE mine (id int)")
                rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
                assert connection.execute(rights).fetchall() == [(False,)]
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(postgres, secrets, "speechmill", "airflow")
    finally:
        for role in ("airflow", "speechmill"):
            postgres.sql(f"DROP DATABASE IF EXISTS {role}")
            postgres.sql(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def redis(secrets: Path, tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("no Redis (apt-get install redis-server)")
    port = free_port()
    here = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)]
    command = ["redis-server", str(secrets / "redis.conf"), *here]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield Redis(port, secrets / "redis.conf")
    process.terminate()
    process.wait(60)


def ping(redis: Redis) -> int:
    """Ask as compose asks whether Redis is healthy. Returns the status."""
    test: str = load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]["redis"]["healthcheck"][
        "test"
    ][1]
    for old, new in (
        ("$$", "$"),
        ("/run/secrets/redis_conf", str(redis.conf)),
        ("redis-cli", f"redis-cli -p {redis.port}"),
    ):
        assert old in test
        test = test.replace(old, new)
    return subprocess.run(["sh", "-c", test], capture_output=True, check=False).returncode


def test_redis_wants_its_password_and_its_health_is_asked_with_it(redis: Redis, tmp_path: Path) -> None:
    end = time.monotonic() + 60
    while ping(redis):
        assert time.monotonic() < end, "Redis is not healthy"
        time.sleep(0.05)
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("requirepass other\n", encoding="utf-8")
    assert ping(redis._replace(conf=wrong)) == 1
