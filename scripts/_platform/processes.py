# SPDX-License-Identifier: Apache-2.0
"""Processes that stay when who started them has ended, and how the last of them is found."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _platform.home import Home, PlatformError, write

MARK = "SPEECHMILL_PLATFORM"  # in the environment of every process, with the folder


class Service(NamedTuple):
    """A process that stays."""

    name: str
    command: Sequence[str]
    ready: Callable[[float], bool]  # given when it was started
    port: str | None = None
    user: str | None = None  # whom it runs as, where that is not whoever runs this
    stop: signal.Signals = signal.SIGTERM
    airflow: bool = False


def start(home: Home, service: Service, environment: Mapping[str, str]) -> float:
    """Start a service unless it runs. Returns since when it does."""
    record = home.folder / f"pids/{service.name}"
    if pid_of(home, service.name):
        return record.stat().st_mtime
    now = time.time()
    with home.log(service.name).open("ab") as log:
        process = subprocess.Popen(
            service.command,
            cwd="/",
            env={**environment, MARK: str(home.folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            **as_user(service.user),
        )
    write(record, f"{process.pid} {_born(process.pid)} {_here()}")
    return now


def pid_of(home: Home, name: str) -> int | None:
    """Return the process of a service; None where it has ended, or its number is another's by now."""
    pid, born = _recorded(home.folder / f"pids/{name}")
    return pid if born and _born(pid) == born else None


def all_of(home: Home) -> list[int]:
    """Return every process that a service of this folder has left, children and grandchildren too.

    A process that gives itself a title (PostgreSQL, Airflow) may write it over its environment: such a one is found by
    its session, which is its service's, and one in a session of its own (a task's command) by its environment.
    """
    mark, found = f"{MARK}={home.folder}".encode(), []
    sessions = _sessions(home)
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        with contextlib.suppress(OSError):
            marked = mark in (path / "environ").read_bytes().split(b"\0")
            if pid != os.getpid() and (marked or os.getsid(pid) in sessions):
                found.append(pid)
    return [pid for pid in found if _born(pid)]


def _sessions(home: Home) -> set[int]:
    """Return the sessions of services; of one that has ended too, as long as its number is not another's."""
    found = set()
    for record in (home.folder / "pids").glob("*"):
        pid, born = _recorded(record)
        if born and _born(pid) in (born, ""):
            found.add(pid)
    return found


def _recorded(record: Path) -> tuple[int, str]:
    """Return a service's process and when it was started; no time where numbers have been given anew since."""
    try:
        pid, born, where = record.read_text(encoding="utf-8").split()
    except (FileNotFoundError, ValueError):
        return 0, ""
    return int(pid), born if where == _here() else ""


def _here() -> str:
    """Return what names this start of the machine and of the container: another one has other processes."""
    booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return f"{booted}/{os.readlink('/proc/self/ns/pid')}"


def stop(home: Home, services: Sequence[Service], grace_s: float) -> None:
    """Ask services to end, and wait for them a while."""
    pids = [(pid, service) for service in services if (pid := pid_of(home, service.name))]
    for pid, service in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, service.stop)
    _wait([pid for pid, _ in pids], grace_s)


def kill(pids: Sequence[int]) -> None:
    """End processes at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait(pids, 10)


def family(pid: int) -> set[int]:
    """Return the group and the parent of a process; nothing where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return set()
    return {int(fields[1]), int(fields[2])}


def memory_mb(pid: int) -> float:
    """Return a process's own share of memory: what processes share is shared out among them."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0.0)


def as_user(user: str | None) -> dict[str, Any]:
    """Return what makes subprocess run as somebody. Raises PlatformError."""
    if user is None:
        return {}
    try:
        return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    except KeyError:
        raise PlatformError(f"PostgreSQL refuses root, and there is no user {user}") from None


def once(
    home: Home,
    name: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    user: str | None = None,
    stdin: int = subprocess.DEVNULL,
) -> None:
    """Run a command to its end, with its output in a service's log. Raises PlatformError."""
    with home.log(name).open("ab") as log:
        done = subprocess.run(
            words, cwd="/", env=dict(environment), stdin=stdin, stdout=log, stderr=log, check=False, **as_user(user)
        )
    if done.returncode:
        raise PlatformError(f"{Path(words[0]).name} failed; read {home.log(name)}\n{tail(home.log(name))}")


def tail(log: Path, lines: int = 8) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _born(pid: int) -> str:
    """Return when a process was started, in ticks since boot: with its number that names it. "" of an ended one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _wait(pids: Sequence[int], most_s: float) -> None:
    end = time.monotonic() + most_s
    while any(_born(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
