# SPDX-License-Identifier: Apache-2.0
"""The services of a platform, in the order in which they are started, and how each is asked whether it lives."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from _platform.home import ROOT, Home, postgres, program
from _platform.processes import Service

SLOW_S = 60.0  # Airflow's api-server makes some of itself only when it is first asked


def services(home: Home) -> list[Service]:
    """Return the services, those of Airflow last."""
    return [*_stores(home), *_metrics(home), *_airflow(home)]


def _stores(home: Home) -> Iterator[Service]:
    port = str(home.port("postgres"))
    words = [postgres("postgres"), "-D", str(home.folder / "postgres"), "-p", port]
    words += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    words += ["-c", "max_connections=150", "-c", "shared_buffers=64MB"]
    asked = [postgres("pg_isready"), "-q", "-h", "127.0.0.1", "-p", port]
    user = "postgres" if os.geteuid() == 0 else None
    # SIGTERM would wait for the last client.
    yield Service("postgres", words, lambda _: _succeeds(asked), "postgres", user, signal.SIGINT)
    if home.celery:
        redis = [program("redis-server"), str(home.folder / "redis/redis.conf")]
        yield Service("redis", redis, lambda _: ask_redis(home, "PING") == "+PONG", "redis")
    moto = [program(".venv/bin/moto_server"), "-H", "127.0.0.1", "-p", str(home.port("s3"))]
    yield Service("s3", moto, lambda _: get(home.url("s3") + "/moto-api/") is not None, "s3")


def _metrics(home: Home) -> Iterator[Service]:
    found = shutil.which("statsd_exporter")  # Prometheus's own; ours takes the same options
    words = [found] if found else [program(".venv-airflow/bin/python"), str(ROOT / "deploy/statsd/exporter.py")]
    words += [f"--web.listen-address=127.0.0.1:{home.port('metrics')}"]
    words += [f"--statsd.listen-udp=127.0.0.1:{home.port('statsd')}", "--statsd.listen-tcp="]
    words += [f"--statsd.mapping-config={ROOT / 'deploy/statsd/mapping.yml'}"]
    yield Service("statsd", words, lambda _: get(home.url("metrics") + "/metrics") is not None, "statsd")
    words = [program("prometheus"), f"--web.listen-address=127.0.0.1:{home.port('prometheus')}"]
    words += [f"--config.file={home.folder / 'prometheus/prometheus.yml'}", "--log.level=warn"]
    words += [f"--storage.tsdb.path={home.folder / 'prometheus/data'}", "--storage.tsdb.retention.time=15d"]
    yield Service("prometheus", words, lambda _: get(home.url("prometheus") + "/-/ready") is not None, "prometheus")


def _airflow(home: Home) -> Iterator[Service]:
    airflow = program(".venv-airflow/bin/airflow")
    yield Service("api-server", [airflow, "api-server"], lambda _: _serves(home), "airflow", airflow=True)
    # The servers of logs would listen on every address; here the api-server reads the files itself.
    for name, options in (("scheduler", ["--skip-serve-logs"]), ("dag-processor", []), ("triggerer", ["-s"])):
        yield Service(name, [airflow, name, *options], _beats(home, name.replace("-", "_")), airflow=True)
    if home.celery:
        words = [airflow, "celery", "worker", "--skip-serve-logs", "--concurrency", str(home.state["workers"])]
        yield Service("worker", words, lambda _: ask_redis(home, "PUBSUB", "NUMPAT") not in ("", ":0"), airflow=True)


def _serves(home: Home) -> bool:
    """Tell whether people and tasks are served: the first task would else wait for what is made when it asks."""
    if get(home.url("airflow") + "/api/v2/monitor/health") is None:
        return False
    return get(home.url("airflow") + "/execution/health/ping", SLOW_S) is not None


def _beats(home: Home, name: str) -> Callable[[float], bool]:
    """Return what tells whether a part of Airflow has said that it lives since it was started."""

    def ready(started: float) -> bool:
        answer = json.loads(get(home.url("airflow") + "/api/v2/monitor/health") or b"{}").get(name) or {}
        beat = answer.get(f"latest_{name}_heartbeat")
        if not isinstance(beat, str):
            return False
        return datetime.fromisoformat(beat.replace("Z", "+00:00")).timestamp() >= started - 1

    return ready


def ask_redis(home: Home, *words: str) -> str:
    """Ask Redis; "" where it doesn't answer. The password goes by the connection, never by a command line."""
    command = f"AUTH {home.secrets['redis']}\r\n{' '.join(words)}\r\nQUIT\r\n"
    try:
        with socket.create_connection(("127.0.0.1", home.port("redis")), 2) as connection:
            connection.sendall(command.encode())
            lines = connection.makefile("rb").read().decode().splitlines()
    except OSError:
        return ""
    return lines[1] if len(lines) > 1 and lines[0] == "+OK" else ""


def get(url: str, timeout_s: float = 5.0) -> bytes | None:
    """Return what an address of this machine answers with 200; None where it doesn't."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as response:
            return bytes(response.read())
    except (OSError, http.client.HTTPException):  # the latter: what answers there speaks something else
        return None


def _succeeds(words: Sequence[str]) -> bool:
    return subprocess.run(words, cwd="/", capture_output=True, check=False).returncode == 0
