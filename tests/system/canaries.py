# SPDX-License-Identifier: Apache-2.0
"""Planted secrets, and the looking for them in whatever spelling they may have been left."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
from tests.services.postgres import PASSWORD, Server, binaries
from tests.services.s3 import SECRET, TOKEN
from tests.system.projects import Crawling

COOKIE = "canary-Cookie/value+93=="
PROXY_PASSWORD = "canary-Proxy/pass@word+71"
WRONG_PASSWORD = "canary-Wrong/pass@word+38"
API_KEY = "canary-api-key-52"
CANARIES = {
    "cookie": COOKIE,
    "proxy password": PROXY_PASSWORD,
    "wrong proxy password": WRONG_PASSWORD,
    "API key": API_KEY,
    "PostgreSQL password": PASSWORD,
    "S3 secret": SECRET,
    "S3 token": TOKEN,
}


def spellings(secret: str) -> set[bytes]:
    """Return how a secret may be written: as it is, in URLs, in JSON, in base64 wherever it begins there."""
    found = {secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}
    found |= {one.lower() for one in (quote(secret, safe=""), quote_plus(secret))}
    for before in range(3):
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            whole = code(bytes(before) + secret.encode()).decode().rstrip("=")
            found.add(whole[4 if before else 0 : -2])  # without the letters that share bits with their neighbours
    return {one.encode() for one in found}


SPELT = {name: spellings(secret) for name, secret in CANARIES.items()}


def canaries_in(content: bytes) -> set[str]:
    """Return the names of the secrets that stand in some content."""
    return {name for name, spelt in SPELT.items() if any(one in content for one in spelt)}


def canaries_below(folder: Path) -> dict[str, set[str]]:
    """Return the files below a folder that hold some, in their content or their path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"{folder} is empty"
    found = {str(path): canaries_in(path.read_bytes() + str(path).encode()) for path in files}
    return {path: names for path, names in found.items() if names}


def dump_of(postgres: Server, database: str) -> bytes:
    """Return a database as text."""
    command = [str(binaries() / "pg_dump"), f"--dbname={postgres.address(database).replace('+psycopg', '')}"]
    dumped = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"COPY public.items" in dumped
    return dumped


class CommandLines:
    """Reads the command lines of a crawl and its workers for as long as the block."""

    def __init__(self, crawl: Crawling) -> None:
        self.seen: set[str] = set()
        self._crawl = crawl
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            try:
                command = psutil.Process(self._crawl.pid)
                self.seen |= {" ".join(one.cmdline()) for one in (command, *command.children(recursive=True))}
            except psutil.Error:
                continue
