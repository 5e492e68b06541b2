# SPDX-License-Identifier: Apache-2.0
"""A real platform, started by `scripts/platform`: Airflow with PostgreSQL, Redis, Celery and Prometheus.

    with running(dags, settings=["scheduler.scheduler_idle_sleep_time=0.2"]) as platform:
        run = platform.trigger("talks_label")
        platform.wait("talks_label", run)

A process beside it watches over whoever started it, and stops everything when that one is gone, however it went.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/platform"
MARK = "SPEECHMILL_PLATFORM"  # what the script puts into every process's environment
ENDED = ("success", "failed")
PATIENCE_S = 400.0  # on a machine with much else to do; usually some seconds
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Absent(Exception):
    """There is no Airflow here, or nothing that it needs."""


class Platform:
    """A platform that is up when made."""

    def __init__(
        self, dags: Path, *, executor: str, settings: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        _check(executor)
        self.folder = Path(tempfile.mkdtemp(prefix="speechmill-airflow-"))
        self._environment = dict(environment or {})
        self._asked = ["--executor", executor, "--dags", str(dags)]
        self._asked += [word for setting in settings for word in ("--set", setting)]
        self._watch = subprocess.Popen(
            [sys.executable, __file__, str(os.getpid()), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # what is meant for a test's group must not reach it
        )
        self._tokens: dict[str, str] = {}
        try:
            self.up()
        except BaseException:
            self.close()
            raise

    def up(self) -> str:
        """Start what is not running. Returns what the script said."""
        # Marked as one of its own: `down` ends it too, where the test was killed while it was at work.
        known = {**os.environ, **self._environment, MARK: str(self.folder)}
        return self._script("up", *self._asked, environment=known)

    def status(self) -> dict[str, str]:
        """Return up or DEAD by service."""
        lines = [line.split() for line in self._script("status", expect=None).splitlines()]
        return {words[0]: words[1] for words in lines if words[1] in ("up", "DEAD")}

    def _script(self, *words: str, environment: Mapping[str, str] | None = None, expect: int | None = 0) -> str:
        command = [sys.executable, str(SCRIPT), *words, "--folder", str(self.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if expect is not None and done.returncode != expect:
            raise RuntimeError(f"scripts/platform {words[0]} ended {done.returncode}: {done.stderr}")
        return done.stdout

    def close(self) -> None:
        """Stop everything and delete the folder."""
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait(120)

    # -- what it has written for people

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    @property
    def secrets(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "secrets.json").read_text())
        return found

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.state['ports'][name]}"

    def pid(self, name: str) -> int:
        return int((self.folder / f"pids/{name}").read_text().split()[0])

    def processes(self) -> list[psutil.Process]:
        """Return every process of it that lives."""
        services = {self.pid(record.name) for record in (self.folder / "pids").glob("*")}
        return [one for one in psutil.process_iter() if _mark_of(one) == str(self.folder) or _session(one) in services]

    # -- Airflow's API

    def ask(self, method: str, path: str, body: Any = None, user: str = "op") -> Any:
        """Ask as a user; raises AssertionError where the answer is no good one."""
        status, answer = self.answer(method, path, body, user)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def answer(self, method: str, path: str, body: Any = None, user: str = "op") -> tuple[int, Any]:
        """Ask as a user. Returns the status and what was said."""
        if user not in self._tokens:
            secret = {"username": user, "password": self.secrets[user]}
            status, said = _ask("POST", f"{self.url('airflow')}/auth/token", secret)
            assert status == 201, f"{user} can't sign in: {status} {said}"
            self._tokens[user] = said["access_token"]
        return _ask(method, f"{self.url('airflow')}/api/v2/{path}", body, self._tokens[user])

    def add_pools(self, *written: Path) -> None:
        """Make the pools of files that `speechmill render airflow` has written."""
        for path in written:
            for name, pool in json.loads(path.read_text(encoding="utf-8")).items():
                status, said = self.answer("POST", "pools", {"name": name, **pool}, user="admin")
                assert status in (201, 409), said  # 409: another corpus has it too

    def unpause(self, *dags: str) -> None:
        """Let DAGs run; waits until Airflow knows them."""
        for dag in dags:
            wait_for(lambda dag=dag: self.answer("GET", f"dags/{dag}")[0] == 200, f"the DAG {dag}", self._broken)
            self.ask("PATCH", f"dags/{dag}", {"is_paused": False})

    def _broken(self) -> str:
        """Say why a DAG file isn't read."""
        errors = self.ask("GET", "importErrors")["import_errors"]
        return "\n".join(error["stack_trace"] for error in errors) or "no import errors"

    def trigger(self, dag: str, conf: Mapping[str, Any] | None = None, user: str = "op") -> str:
        """Start a DAG by hand. Returns the DAG run's id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.ask("POST", f"dags/{dag}/dagRuns", body, user)["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return found

    def wait(self, dag: str, run: str, *, expect: str = "success", timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for a DAG run's end."""
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}"
        wait_for(lambda: self.ask("GET", path)["state"] in ENDED, f"{dag}'s end", lambda: self.told(dag), timeout_s)
        found: dict[str, Any] = self.ask("GET", path)
        assert found["state"] == expect, f"{dag} ended in {found['state']}\n{self.told(dag)}\n{self.complaints(dag)}"
        return found

    def wait_started(self, dag: str, count: int = 1) -> dict[str, Any]:
        """Wait until a DAG has had so many runs, whoever started them. Returns the newest."""
        wait_for(lambda: len(self.runs(dag)) >= count, f"run {count} of {dag}", lambda: self.told(dag))
        return max(self.runs(dag), key=lambda run: run["run_after"])

    def tasks(self, dag: str, run: str = "~") -> list[dict[str, Any]]:
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances?limit=200"
        found: list[dict[str, Any]] = self.ask("GET", path)["task_instances"]
        return found

    def states(self, dag: str, run: str) -> dict[str, str]:
        """Return the states of a DAG run's tasks; of a mapped one the last."""
        return {task["task_id"]: task["state"] for task in self.tasks(dag, run)}

    def printed(self, dag: str, run: str, task: str, index: int = -1, key: str = "return_value") -> Any:
        """Return what a task passed on."""
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances/{task}/xcomEntries/{key}"
        return self.ask("GET", f"{path}?map_index={index}&deserialize=true")["value"]

    def told(self, dag: str) -> str:
        return "\n".join(
            f"{one['task_id']}[{one['map_index']}] {one['state']} try {one['try_number']}" for one in self.tasks(dag)
        )

    def complaints(self, dag: str) -> str:
        """Return the ends of the task logs of what failed."""
        folder = self.folder / "airflow/logs"
        bad = [one["task_id"] for one in self.tasks(dag) if one["state"] in ("failed", "up_for_retry")]
        logs = [log for task in bad for log in folder.glob(f"dag_id={dag}/*/task_id={task}/**/*.log")]
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)


@contextmanager
def running(
    dags: Path,
    *,
    executor: str = "celery",
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Platform]:
    """Run a platform for as long as the block. Raises Absent."""
    platform = Platform(dags, executor=executor, settings=settings, environment=environment)
    try:
        yield platform
    finally:
        platform.close()


def wait_for(
    happened: Callable[[], Any],
    what: str,
    say: Callable[[], str] = lambda: "",
    timeout_s: float = PATIENCE_S,
    every_s: float = 0.3,
) -> None:
    """Wait until something is so; say: what is told where it never is."""
    end = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}\n{say()}")
        time.sleep(every_s)


def fetch(url: str) -> bytes:
    """Read an address of this machine."""
    with _OPENER.open(url, timeout=30) as response:
        return bytes(response.read())


def _ask(method: str, url: str, body: Any, token: str | None = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _OPENER.open(request, timeout=60) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")[:500]


def _check(executor: str) -> None:
    needed = ["prometheus", *(["redis-server"] if executor == "celery" else [])]
    if not (ROOT / ".venv-airflow/bin/airflow").exists():
        raise Absent("no Airflow here: make setup-airflow")
    if missing := [name for name in needed if shutil.which(name) is None]:
        raise Absent(f"no {missing[0]} here: apt-get install {missing[0]}")
    if not Path("/usr/lib/postgresql/15/bin/initdb").exists() and "SPEECHMILL_POSTGRES_BIN" not in os.environ:
        raise Absent("no PostgreSQL 15 here: apt-get install postgresql-15")


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def _watch(parent: int, folder: Path) -> None:
    # A fork of the parent may hold the pipe open after the parent's death: so both are looked at.
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable:
            break
    command = [sys.executable, str(SCRIPT), "down", "--purge", "--folder", str(folder)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), Path(sys.argv[2]))
