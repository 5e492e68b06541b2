# SPDX-License-Identifier: Apache-2.0
"""What is written for the services before they start: their configurations, and PostgreSQL's data."""

from __future__ import annotations

import configparser
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator

from _platform.home import DATABASES, ROOT, Home, PlatformError, opened, postgres, write
from _platform.processes import as_user, once


def prepare(home: Home) -> None:
    """Write configurations, and make PostgreSQL's folder where there is none."""
    _write_redis(home)
    _write_prometheus(home)
    _write_airflow(home)
    if not (home.folder / "postgres/PG_VERSION").exists():
        _make_postgres(home)


def environment(home: Home) -> dict[str, str]:
    """Return what services and tasks get in their environment; passwords of databases are in airflow.cfg alone."""
    return {
        "AIRFLOW_HOME": str(home.folder / "airflow"),
        "AIRFLOW_CONFIG": str(home.folder / "airflow/airflow.cfg"),
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ.get('PATH', os.defpath)}",  # tasks run its speechmill
        "AWS_ENDPOINT_URL": home.url("s3"),
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "speechmill",
        "AWS_SECRET_ACCESS_KEY": home.secrets["s3"],
        "SPEECHMILL_STATSD": f"127.0.0.1:{home.port('statsd')}",
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1"))),
    }


def _write_redis(home: Home) -> None:
    folder = home.folder / "redis"
    lines = ["bind 127.0.0.1", f"port {home.port('redis')}", f"requirepass {home.secrets['redis']}"]
    lines += [f'dir "{folder}"', "appendonly yes", "daemonize no"]
    write(folder / "redis.conf", "\n".join(lines) + "\n")


def _write_prometheus(home: Home) -> None:
    folder = home.folder / "prometheus"
    shutil.copyfile(ROOT / "deploy/prometheus/prometheus.yml", folder / "prometheus.yml")
    here = [{"targets": [f"127.0.0.1:{home.port('metrics')}"], "labels": {"via": "statsd"}}]
    write(folder / "targets/here.json", json.dumps(here))


def _write_airflow(home: Home) -> None:
    """Write airflow.cfg: that of the project, what depends on this machine, and what was asked for."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "deploy/airflow/airflow.cfg")
    for section, key, value in [*_settings(home), *(setting(one) for one in home.state["set"])]:
        if not parser.has_section(section):
            parser.add_section(section)
        parser.set(section, key, value)
    with opened(home.folder / "airflow/airflow.cfg") as file:
        parser.write(file)


def _settings(home: Home) -> Iterator[tuple[str, str, str]]:
    airflow, hidden = home.folder / "airflow", home.secrets
    database = f"airflow:{hidden['airflow']}@127.0.0.1:{home.port('postgres')}/airflow"
    yield "core", "executor", "CeleryExecutor" if home.celery else "LocalExecutor"
    yield "core", "dags_folder", home.state["dags"]
    yield "core", "fernet_key", hidden["fernet"]
    yield "core", "execution_api_server_url", f"{home.url('airflow')}/execution/"
    if not home.celery:
        yield "core", "parallelism", str(home.state["workers"])
    yield "database", "sql_alchemy_conn", f"postgresql+psycopg2://{database}"
    yield "api", "host", "127.0.0.1"
    yield "api", "port", str(home.port("airflow"))
    yield "api", "base_url", home.url("airflow")
    yield "api", "secret_key", hidden["api"]
    yield "api_auth", "jwt_secret", hidden["jwt"]
    yield "celery", "broker_url", f"redis://:{hidden['redis']}@127.0.0.1:{home.port('redis')}/0"
    yield "celery", "result_backend", f"db+postgresql+psycopg2://{database}"
    yield "logging", "base_log_folder", str(airflow / "logs")
    yield "logging", "dag_processor_child_process_log_directory", str(airflow / "logs/dag_processor")
    yield "fab", "config_file", str(ROOT / "deploy/airflow/webserver_config.py")
    yield "metrics", "statsd_host", "127.0.0.1"
    yield "metrics", "statsd_port", str(home.port("statsd"))


def setting(written: str) -> tuple[str, str, str]:
    """Read SECTION.KEY=VALUE. Raises PlatformError."""
    place, equals, value = written.partition("=")
    section, dot, key = place.partition(".")
    if not (equals and dot):
        raise PlatformError(f"--set {written}: it is SECTION.KEY=VALUE, such as scheduler.scheduler_heartbeat_sec=2")
    return section, key, value


def _make_postgres(home: Home) -> None:
    data, user = home.folder / "postgres", None
    data.mkdir(mode=0o700, exist_ok=True)
    read, end = os.pipe()  # initdb reads the password from here: no file, no command line
    os.write(end, home.secrets["postgres"].encode() + b"\n")
    os.close(end)
    if os.geteuid() == 0:  # which it refuses to run as
        user = "postgres"
        identity = as_user(user)
        shutil.chown(data, user, user)
        if subprocess.run(["test", "-w", str(data)], cwd="/", check=False, **identity).returncode:
            raise PlatformError(f"the user {user} can't get at {data}; choose a --folder in /var/tmp")
        os.fchown(read, pwd.getpwnam(user).pw_uid, -1)  # it opens it anew, by name
    words = [postgres("initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
    words += ["--locale=C.UTF-8", "--pwfile=/dev/stdin", "-N"]
    once(home, "postgres", words, {"PATH": os.defpath}, user, read)
    os.close(read)


def make_databases(home: Home) -> None:
    """Make a database and its owner for Airflow, and for speechmill's catalogs. Raises PlatformError."""
    lines = []
    for name in DATABASES:
        role = f"CREATE ROLE {name} LOGIN PASSWORD ''{home.secrets[name]}''"
        lines.append(f"SELECT '{role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec")
        made = f"CREATE DATABASE {name} OWNER {name}"
        lines.append(f"SELECT '{made}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec")
    words = [postgres("psql"), "-q", "-h", "127.0.0.1", "-p", str(home.port("postgres")), "-U", "postgres"]
    words += ["-v", "ON_ERROR_STOP=1", "-d", "postgres"]
    known = {"PGPASSWORD": home.secrets["postgres"], "PATH": os.defpath}
    text = "\n".join(lines)
    done = subprocess.run(words, cwd="/", env=known, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlatformError(f"PostgreSQL made no databases; read {home.log('postgres')}")
