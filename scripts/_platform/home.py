# SPDX-License-Identifier: Apache-2.0
"""The folder of a platform: what it was asked for, its ports, and its secrets in files that nobody else may read."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("airflow", "postgres", "redis", "s3", "statsd", "metrics", "prometheus")
DATABASES = ("airflow", "speechmill")  # each with a user of its own; speechmill's is for catalogs
SECRETS = ("postgres", *DATABASES, "redis", "s3", "jwt", "api", "admin", "op", "viewer")
FOLDERS = ("logs", "pids", "airflow/dags", "prometheus/targets", "redis")
OWN = {"airflow", "logs", "pids", "postgres", "prometheus", "redis", ".gitignore", "secrets.json", "secrets.json.new"}


class PlatformError(Exception):
    """Something is missing, or a service does not live. Says what to do or which log to read."""


class Home:
    """A platform's folder: `state.json`, `secrets.json`, and a folder of data for each service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.state: dict[str, Any] = _read(self.folder / "state.json")
        self.secrets: dict[str, str] = _read(self.folder / "secrets.json")

    @property
    def exists(self) -> bool:
        return bool(self.state)

    @property
    def celery(self) -> bool:
        return bool(self.state["executor"] == "celery")

    def port(self, name: str) -> int:
        return int(self.state["ports"][name])

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port(name)}"

    def log(self, name: str) -> Path:
        return self.folder / f"logs/{name}.log"

    def changed(self, asked: dict[str, Any]) -> list[str]:
        """Return what is asked for and is otherwise so far."""
        return [key for key, value in asked.items() if value is not None and value != self.state.get(key)]

    def configure(self, asked: dict[str, Any], ports: dict[str, int]) -> None:
        """Take what is asked for, choose ports and make secrets where there are none yet."""
        if unknown := set(ports) - set(PORTS):
            raise PlatformError(f"--port {unknown.pop()}: the ports are {', '.join(PORTS)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.exists and any(path.name not in OWN for path in self.folder.iterdir()):
            raise PlatformError(f"{self.folder} holds other things, which down --purge would delete; name a new folder")
        self.folder.chmod(0o711)  # PostgreSQL's user must get at its own folder
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            (self.folder / name).chmod(0o700)
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
        dags = str(self.folder / "airflow/dags")
        state = {"executor": "celery", "dags": dags, "workers": 2, "set": [], "ports": {}, **self.state}
        state |= {key: value for key, value in asked.items() if value is not None}
        taken = {**state["ports"], **ports}
        state["ports"] = {**taken, **free_ports([name for name in PORTS if name not in taken])}
        self.state = state
        self._make_secrets()
        write(self.folder / "state.json", json.dumps(state, indent=2))

    def _make_secrets(self) -> None:
        made = {name: secrets.token_urlsafe(24) for name in SECRETS}
        made["fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.secrets = made | self.secrets
        write(self.folder / "secrets.json", json.dumps(self.secrets, indent=2))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a file for writing that nobody else may read, and put it in place when it is whole."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        yield file
    new.rename(path)


def write(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    with opened(path) as file:
        file.write(text)


def program(name: str) -> str:
    """Return the path of a program of this machine, or of one of the project's environments. Raises PlatformError."""
    found = str(ROOT / name) if name.startswith(".") else shutil.which(name)
    if not found or not Path(found).exists():
        how = {".venv": "make test", ".venv-airflow": "make setup-airflow"}.get(Path(name).parts[0])
        raise PlatformError(f"no {name} here; first: {how or f'apt-get install {name}'}")
    return found


def postgres(name: str) -> str:
    """Return the path of one of PostgreSQL 15's programs. Raises PlatformError."""
    for folder in (os.environ.get("SPEECHMILL_POSTGRES_BIN"), "/usr/lib/postgresql/15/bin"):
        if folder and (Path(folder) / name).exists():
            return str(Path(folder) / name)
    raise PlatformError("no PostgreSQL 15 here; first: apt-get install postgresql-15, or set SPEECHMILL_POSTGRES_BIN")


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Choose ports that nobody has."""
    with contextlib.ExitStack() as held:  # all at once, or two could be the same
        return {name: _held_port(held) for name in names}


def _held_port(held: contextlib.ExitStack) -> int:
    """Choose one below those of outgoing connections (from 32768 on Linux), which may have it before a service does."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError):
            held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return port


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
