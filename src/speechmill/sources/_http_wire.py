# SPDX-License-Identifier: Apache-2.0
"""Connections: to an address that was checked or through a proxy, kept alive, and read against the clock.

A name is resolved once for each connection and the connection goes to the address that was checked; TLS then wants a
certificate of the name. Through a proxy nothing is resolved here: the proxy does that.
"""

from __future__ import annotations

import functools
import http.client
import importlib
import io
import socket
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from speechmill.core.errors import ConfigError
from speechmill.sources import _http_guard
from speechmill.sources._http_guard import Target

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import HTTPResponse

_CONNECT_S = 10.0  # of one address; a host may have several
_MAX_HEADERS = 1 << 16  # bytes, of one answer with all its interim ones
_MAX_OPEN = 8  # connections kept alive; feeds point to many hosts


def broken_errors() -> tuple[type[Exception], ...]:
    """What a dead or hostile peer makes of a request."""
    from urllib3.exceptions import HTTPError

    return (HTTPError, http.client.HTTPException, OSError, ValueError)


class Watch:
    """When an answer must be there, and how much may come before its body. For reads that each take only a little."""

    def __init__(self) -> None:
        self._deadline = 0.0
        self._left: int | None = None

    def start(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds that are left. Raises TimeoutError where none are."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        return left

    def limit_headers(self) -> None:
        self._left = _MAX_HEADERS

    def lift_limit(self) -> None:
        self._left = None

    def count(self, size: int) -> None:
        """Count what was read. Raises http.client.LineTooLong where headers don't end."""
        if self._left is None:
            return
        self._left -= size
        if self._left < 0:
            raise http.client.LineTooLong("headers")


class _TimedFile(io.RawIOBase):
    """The reading side of a socket, whose every read ends when the whole answer must have come."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._watch.remaining())
        size = self._raw.readinto(buffer)
        self._watch.count(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What http.client reads an answer from."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedFile(self._sock, self._watch))


def _answer(watch: Watch, sock: socket.socket, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(_TimedSocket(sock, watch), *arguments, **options)  # type: ignore[arg-type]


class Proxy:
    """A proxy by its address. Its credentials are in no repr."""

    def __init__(self, address: str) -> None:
        """Raise ConfigError where it is no http:// or socks5h:// address."""
        parts = urlsplit(address)
        self.scheme = parts.scheme
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if parts.scheme not in ("http", "socks5", "socks5h") or not host or not port:
            raise ConfigError("a proxy is http://host:port or socks5h://host:port")
        self.host, self.port = host, port
        self.username = None if parts.username is None else unquote(parts.username)
        self.password = None if parts.password is None else unquote(parts.password)

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def headers(self) -> dict[str, str]:
        from urllib3.util import make_headers

        if self.username is None:
            return {}
        return dict(make_headers(proxy_basic_auth=f"{self.username}:{self.password or ''}"))


class Wire:
    """The connections of one client."""

    def __init__(self, proxy: str | None) -> None:
        self.proxy = None if proxy is None else Proxy(proxy)
        self.watch = Watch()
        self.num_requests = 0
        self._open: dict[str, HTTPConnection] = {}  # by origin; the longest unused first

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()  # the system's store, or SSL_CERT_FILE
        context.set_alpn_protocols(["http/1.1"])
        return context

    def ask(self, target: Target, headers: Mapping[str, str], seconds: float) -> HTTPResponse:
        """Send a GET and return its answer with the body unread. Raises FetchError, or one of broken_errors()."""
        self.watch.start(seconds)
        connection = self._open.pop(target.origin, None)
        if connection is not None:
            if connection.is_connected:
                try:
                    return self._exchange(connection, target, headers)
                except (ConnectionError, ssl.SSLEOFError):
                    pass  # closed by the server while idle, which it may: asked again below
            connection.close()
        return self._exchange(self._connect(target), target, headers)

    def _exchange(self, connection: HTTPConnection, target: Target, headers: Mapping[str, str]) -> HTTPResponse:
        forwarded = target.scheme == "http" and self.proxy is not None and self.proxy.scheme == "http"
        if forwarded and self.proxy is not None:
            headers = {**headers, **self.proxy.headers()}
        self.num_requests += 1
        try:
            self.watch.limit_headers()
            connection.timeout = self.watch.remaining()
            host = target.origin.partition("://")[2]
            connection.request(
                "GET",
                target.url if forwarded else target.path,
                headers={"Host": host, **headers},
                preload_content=False,
                decode_content=False,
            )
            response = connection.getresponse()
            self.watch.lift_limit()
        except BaseException:
            connection.close()
            raise
        self._keep(target.origin, connection)
        return response

    def _keep(self, origin: str, connection: HTTPConnection) -> None:
        self._open[origin] = connection
        if len(self._open) > _MAX_OPEN:
            self._open.pop(next(iter(self._open))).close()

    def drop(self, target: Target) -> None:
        """Close a connection whose answer was not read to its end."""
        connection = self._open.pop(target.origin, None)
        if connection is not None:
            connection.close()

    def _connect(self, target: Target) -> HTTPConnection:
        from urllib3.connection import HTTPConnection

        connection = HTTPConnection(target.host, target.port)
        connection.auto_open = 0  # never to an address that http.client would look up by itself
        connection.response_class = functools.partial(_answer, self.watch)  # type: ignore[assignment]
        sock = self._dial(target)
        try:
            if target.scheme == "https":
                sock.settimeout(self.watch.remaining())
                # A body that ends without TLS's own end is cut off, not whole.
                sock = self._tls.wrap_socket(sock, server_hostname=target.host, suppress_ragged_eofs=False)
        except BaseException:
            sock.close()
            raise
        connection.sock = sock
        return connection

    def _dial(self, target: Target) -> socket.socket:
        if self.proxy is None:
            return self._dial_address(target)
        if self.proxy.scheme == "http":
            return self._through_http(self.proxy, target)
        return self._through_socks(self.proxy, target)

    def _dial_address(self, target: Target) -> socket.socket:
        problem: OSError | None = None
        for address in _http_guard.public_addresses(target.host, target.port):
            try:
                return _connected(address, target.port, min(_CONNECT_S, self.watch.remaining()))
            except OSError as error:
                problem = error
        raise problem or OSError("no address")

    def _through_http(self, proxy: Proxy, target: Target) -> socket.socket:
        from urllib3.connection import HTTPConnection

        tunnel = HTTPConnection(proxy.host, proxy.port, timeout=min(_CONNECT_S, self.watch.remaining()))
        tunnel.response_class = functools.partial(_answer, self.watch)  # type: ignore[assignment]
        self.watch.limit_headers()
        if target.scheme == "https":
            host = f"[{target.host}]" if ":" in target.host else target.host
            tunnel.set_tunnel(host, target.port, proxy.headers())
        try:
            tunnel.connect()
        except BaseException:
            tunnel.close()
            raise
        sock, tunnel.sock = tunnel.sock, None
        assert sock is not None
        return sock

    def _through_socks(self, proxy: Proxy, target: Target) -> socket.socket:
        try:
            socks = importlib.import_module("socks")
        except ImportError as error:
            raise ConfigError("a socks5h:// proxy needs PySocks: pip install 'PySocks>=1.7'") from error
        connected: socket.socket = socks.create_connection(
            (target.host, target.port),
            timeout=min(_CONNECT_S, self.watch.remaining()),
            proxy_type=socks.PROXY_TYPE_SOCKS5,
            proxy_addr=proxy.host,
            proxy_port=proxy.port,
            proxy_rdns=True,
            proxy_username=proxy.username,
            proxy_password=proxy.password,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        return connected

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    sock = socket.create_connection((address, port), timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
