# SPDX-License-Identifier: Apache-2.0
"""A small server that says what a test tells it to, byte by byte, and names that lead to it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from speechmill.sources import Connection, _http_guard

sys.path.append(str(Path(__file__).resolve().parents[1]))

from replica.fixtures import replica, replica_server  # noqa: F401


class Asked(Struct):
    """A request as it came."""

    path: str
    headers: dict[str, str]


Play = Callable[[Asked, socket.socket], None]


def answer(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Write an answer; content_type="text/plain" becomes Content-Type."""
    given = {name.replace("_", "-").title(): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in given.items())]
    if "Content-Length" not in given and "Transfer-Encoding" not in given:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Site(socketserver.ThreadingTCPServer):
    """Serves `pages` by path (with query): bytes to send, several in turn, or a function that plays them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, bytes | list[bytes | Play] | Play] = {}
        self.asked: list[Asked] = []
        self.num_connections = 0
        self.context = context
        self.port: int = self.server_address[1]

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(socketserver.BaseRequestHandler):
    server: Site

    def handle(self) -> None:
        self.server.num_connections += 1
        self.request.settimeout(20)
        sock = self.request
        if self.server.context is not None:
            sock = self.server.context.wrap_socket(sock, server_side=True)
        with sock, sock.makefile("rb") as file:
            while (asked := _read_request(file)) is not None:
                self.server.asked.append(asked)
                page = self.server.pages.get(asked.path, answer(b"none", 404))
                if isinstance(page, list):
                    page = page.pop(0)
                if isinstance(page, bytes):
                    sock.sendall(page)
                else:
                    page(asked, sock)
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_WR)
                    return


def _read_request(file: object) -> Asked | None:
    lines: list[str] = []
    while line := file.readline().decode("latin-1").strip():  # type: ignore[attr-defined]
        lines.append(line)
    if not lines:
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Asked(lines[0].split(" ")[1], headers)


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses by name, in place of the resolver's. 127.0.0.1 counts as public; other addresses as they are.

    Only tests can do this: nothing that a user sets reaches either function.
    """
    known = {"files.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    really_public = _http_guard.is_public

    def look_up(host: str, port: int) -> list[str]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return known[host]

    monkeypatch.setattr(_http_guard, "look_up", look_up)
    monkeypatch.setattr(_http_guard, "is_public", lambda address: address == "127.0.0.1" or really_public(address))
    return known


@pytest.fixture
def site(names: dict[str, list[str]]) -> Iterator[Site]:
    """http://files.example:PORT and http://other.example:PORT."""
    with serving(Site()) as running:
        yield running


@pytest.fixture
def secure_site(names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """https://files.example:PORT, with a certificate that SSL_CERT_FILE makes known."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("files.example").configure_cert(context)
    with serving(Site(context)) as running:
        yield running


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    return Connection(folder=tmp_path / "fetched", timeout_s=5.0)
