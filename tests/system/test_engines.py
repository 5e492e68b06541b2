# SPDX-License-Identifier: Apache-2.0
"""Dask and Ray whose workers, machines and schedulers are killed while they work: complete, and equal rows."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from tests.engines.faults import NO_FRILLS, RUN, install
from tests.services.ports import free_port

pytestmark = pytest.mark.system

NUM = 10
BIN = Path(sys.executable).parent
PATIENCE_S = 300.0

Rows = dict[str, list[dict[str, Any]]]
Meddle = Callable[["Running"], None]


class Running:
    """A run, and everything that it or its cluster started: known by a mark in the environment."""

    def __init__(self, environment: dict[str, str], corpus: Path, out: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            **environment,
            "SPEECHMILL_TEST_MARK": self.mark,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.out = out
        self.parts: list[subprocess.Popen[bytes]] = []
        self._corpus = corpus

    def start(self, *how: str) -> None:
        command = [sys.executable, "-m", "speechmill", "run", str(self._corpus), "--out", str(self.out), *RUN]
        command += [*NO_FRILLS, "--memory", "1200", *how]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def wait_for_work(self) -> None:
        """Wait until a recording is in the slow metric."""
        until(lambda: self.process.poll() is not None or "quality.faults" in self.at_work())
        assert self.process.poll() is None, self.process.communicate()

    def at_work(self) -> list[str]:
        found = []
        for marker in self.out.glob("runs/*/inflight/*"):
            with contextlib.suppress(OSError):
                found.append(marker.read_text())
        return found

    def processes(self, words: str) -> list[psutil.Process]:
        """Marked processes whose command line or title has these words."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("SPEECHMILL_TEST_MARK") == self.mark and words in " ".join(process.cmdline()):
                    found.append(process)
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def clear(self) -> None:
        """Kill all that is left, and bury it."""
        for process in self.processes(""):
            with contextlib.suppress(psutil.Error):
                process.kill()
        for part in self.parts:
            part.wait(PATIENCE_S)
        if hasattr(self, "process"):
            self.process.communicate()

    def end(self) -> tuple[int, str, str]:
        out, error = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, error


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def rows(out: Path) -> Rows:
    return {
        table: pq.read_table(out / "dataset" / f"{table}.parquet").to_pylist() for table in ("segments", "recordings")
    }


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install(tmp_path_factory.mktemp("site") / "faults")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, make_tone: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(NUM):
        make_tone(folder / f"r{i}.wav", 2.0 + 0.1 * i, 150.0 + 20.0 * i)
        (folder / f"r{i}.txt").write_text(f"slow {i}")
    return folder


@pytest.fixture(scope="module")
def expected(
    speechmill: Callable[..., Any], plugin: dict[str, str], corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Rows:
    out = tmp_path_factory.mktemp("local") / "out"
    speechmill("run", corpus, "--out", out, *RUN, *NO_FRILLS, env=plugin)
    return rows(out)


@pytest.fixture
def running(plugin: dict[str, str], corpus: Path, tmp_path: Path) -> Iterator[Running]:
    running = Running(plugin, corpus, tmp_path / "out")
    yield running
    running.clear()


@pytest.fixture
def scheduler(running: Running) -> str:
    """A Dask scheduler at an address."""
    return start_scheduler(running)


def start(running: Running, *command: str) -> subprocess.Popen[bytes]:
    """Start a part of a cluster as the leader of a process group of its own, as a machine is."""
    arguments = [str(BIN / command[0]), *command[1:]]
    with log_of(running).open("ab") as log:
        part = subprocess.Popen(arguments, env=running.environment, start_new_session=True, stdout=log, stderr=log)
    running.parts.append(part)
    return part


def log_of(running: Running) -> Path:
    """What the parts of the cluster printed."""
    return running.out.parent / "cluster.log"


def start_scheduler(running: Running) -> str:
    port = free_port()
    start(running, "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    return f"tcp://127.0.0.1:{port}"


def start_node(running: Running, address: str) -> subprocess.Popen[bytes]:
    """Start what is a machine to Dask: a nanny and its workers, with one thread."""
    more = ("--host", "127.0.0.1", "--nworkers", "1", "--nthreads", "1", "--no-dashboard")
    return start(running, "dask", "worker", address, *more, "--local-directory", str(running.out.parent))


def check_complete(running: Running, expected: Rows) -> None:
    status, out, error = running.end()
    assert status == 0, error
    assert json.loads(out)["failures"] == []
    assert rows(running.out) == expected


def check_nothing_is_left(running: Running) -> None:
    until(lambda: not running.processes(""))


@pytest.mark.parametrize(("engine", "words"), [("dask", "spawn_main"), ("ray", "ray::Host")])
def test_a_killed_worker_of_our_own_cluster_costs_nothing(
    running: Running, expected: Rows, engine: str, words: str
) -> None:
    running.start("--engine", engine, "--workers", "2")
    running.wait_for_work()
    running.processes(words)[0].kill()
    check_complete(running, expected)
    check_nothing_is_left(running)


def test_a_killed_machine_of_a_dask_cluster_costs_nothing(running: Running, expected: Rows, scheduler: str) -> None:
    first, _second = start_node(running, scheduler), start_node(running, scheduler)
    running.start("--engine", "dask", "--address", scheduler)
    running.wait_for_work()
    os.killpg(first.pid, signal.SIGKILL)
    check_complete(running, expected)
    # Seats go with the run; the cluster, which isn't ours, stays.
    until(lambda: not running.processes("_seat_process"))
    assert running.processes("dask")


def test_machines_that_join_later_are_given_work(running: Running, expected: Rows, scheduler: str) -> None:
    running.start("--engine", "dask", "--address", scheduler)
    until(lambda: any(running.out.glob("runs/*/plan.json")))
    start_node(running, scheduler)
    check_complete(running, expected)


def test_a_killed_dask_scheduler_ends_the_run_and_the_next_goes_on(running: Running, expected: Rows) -> None:
    address = start_scheduler(running)
    start_node(running, address)
    running.start("--engine", "dask", "--address", address)
    running.wait_for_work()
    for process in running.processes("dask scheduler"):
        process.kill()
    status, _out, error = running.end()
    assert status == 2
    assert "the Dask scheduler" in error
    assert "run the same command again" in error
    running.start("--workers", "2")
    check_complete(running, expected)


@pytest.fixture
def ray_head(running: Running) -> Iterator[tuple[str, str]]:
    """A Ray that runs: where its nodes find it, and where its clients do."""
    port, client = free_port(), free_port()
    # Its nodes listen on all of this machine's addresses: with a token nobody else can give them work.
    running.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        head = (
            "--head",
            "--node-ip-address",
            "127.0.0.1",
            "--port",
            str(port),
            "--ray-client-server-port",
            str(client),
        )
        more = ("--include-dashboard", "false", "--num-cpus", "1", "--temp-dir", folder)
        more += ("--object-store-memory", "100000000")
        assert start(running, "ray", "start", *head, *more).wait(PATIENCE_S) == 0, log_of(running).read_text()
        yield f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}"
        running.clear()


def join(running: Running, address: str) -> None:
    """Start another node of a Ray cluster. Ray gives up where its own processes aren't up within half a minute."""
    node = ("ray", "start", "--address", address, "--num-cpus", "1", "--object-store-memory", "100000000")
    deadline = time.monotonic() + PATIENCE_S
    while (end := start(running, *node).wait(PATIENCE_S)) != 0 and time.monotonic() < deadline:
        time.sleep(5.0)
    assert end == 0, log_of(running).read_text(errors="replace")


def test_a_killed_machine_of_a_ray_cluster_costs_nothing(
    running: Running, expected: Rows, ray_head: tuple[str, str]
) -> None:
    address, _client = ray_head
    before = {process.pid for process in running.processes("raylet/raylet")}
    join(running, address)
    (second,) = [process for process in running.processes("raylet/raylet") if process.pid not in before]
    running.start("--engine", "ray", "--address", address)
    running.wait_for_work()
    until(lambda: len(running.processes("ray::Host")) == 2)
    for process in (second, *second.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            process.kill()
    check_complete(running, expected)
    assert running.processes("raylet/raylet")  # not ours: it stays


def test_a_client_of_ray_elsewhere(running: Running, expected: Rows, ray_head: tuple[str, str]) -> None:
    _address, client = ray_head
    running.start("--engine", "ray", "--address", client)
    check_complete(running, expected)
    until(lambda: not running.processes("_seat_process"))


@pytest.mark.parametrize("engine", ["local", "dask", "ray"])
@pytest.mark.parametrize("signals", ["interrupt", "kill"])
def test_ended_from_outside_it_leaves_no_process_and_the_next_goes_on(
    running: Running, expected: Rows, engine: str, signals: str
) -> None:
    running.start("--engine", engine, "--workers", "2")
    running.wait_for_work()
    if signals == "interrupt":
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.end()[0] == 130
    else:
        running.process.kill()  # it alone: what it started has to see by itself that it is gone
        running.end()
    check_nothing_is_left(running)
    running.start("--workers", "2")
    check_complete(running, expected)
