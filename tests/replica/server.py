# SPDX-License-Identifier: Apache-2.0
"""The replica's proxies: HTTP/1.1, CONNECT with a certificate made for the host, absolute addresses in the clear."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
import ssl
import traceback
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme
from msgspec import Struct

from replica import control, socks
from replica.messages import Answer, Request
from replica.settings import EgressSettings
from replica.sites import Site, site_of
from replica.world import World

WORTH_COMPRESSING = ("text/", "application/json", "application/javascript", "application/xml", "application/rss")
CHUNK = 1 << 16


class Certificates:
    """TLS contexts by host, signed by one throw-away authority."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """Return what a host's endpoint needs."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


class HangUp(Exception):
    """Nothing more is answered on this connection."""


class Proxy:
    """One egress: answers what comes in at its port."""

    def __init__(self, world: World, index: int, sites: dict[str, Site], certificates: Certificates) -> None:
        self.world = world
        self.index = index
        self.egress = world.egresses[index]
        self._sites = sites
        self._certificates = certificates
        self._random = random.Random(index)

    @property
    def settings(self) -> EgressSettings:
        return self.world.egress_settings(self.index)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            await self._serve(reader, writer)
        except (HangUp, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.world.connections += 1
        self.egress.counts["connections"] += 1
        first = await reader.readexactly(1)
        tunnel = await self._tunnel_by_socks(reader, writer) if first == socks.VERSION else None
        while True:
            method, target, headers = await read_head(reader, b"" if first == socks.VERSION else first)
            first = b""
            if method == "CONNECT" and tunnel is None:
                tunnel = await self._tunnel(target, headers, reader, writer)
                continue
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = make_request(method, target, headers, body, tunnel, self.index)
            if request.host == control.HOST:
                await send(writer, request, control.answer(request, self.world), None)
            elif tunnel is None and not self._knows(credentials_of(headers)):
                await send(writer, request, Answer(status=407, headers=CHALLENGE), None)
            elif self.settings.silent:
                await self._keep_silent(reader)
            else:
                await self._answer(request, writer)
            if headers.get("connection", "").lower() == "close":
                return

    def _knows(self, credentials: tuple[str, str]) -> bool:
        settings = self.settings
        wanted = (settings.username or "", settings.password or "")
        return wanted == ("", "") or credentials == wanted

    async def _tunnel(
        self, target: str, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Tunnel:
        """Answer CONNECT, and speak TLS from then on."""
        tunnel = Tunnel.to(target)
        await self._let_in(reader)
        refusal = b"" if site_of(tunnel.host, self._sites) else b"502 Bad Gateway\r\n"
        if not self._knows(credentials_of(headers)):
            challenge = "".join(f"{name}: {value}\r\n" for name, value in CHALLENGE.items())
            refusal = b"407 Proxy Authentication Required\r\n" + challenge.encode()
        if refusal:
            writer.write(b"HTTP/1.1 " + refusal + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.write_eof()
            await self._keep_silent(reader)
        await self._open(tunnel, b"HTTP/1.1 200 Connection established\r\n\r\n", writer)
        return tunnel

    async def _tunnel_by_socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Tunnel:
        """Answer a SOCKS5 greeting, and speak TLS from then on."""
        await self._let_in(reader)
        settings = self.settings
        wants = settings.username is not None or settings.password is not None
        if not self._knows(await socks.greet(reader, writer, wants_credentials=wants)):
            writer.write(socks.WRONG_CREDENTIALS)
            await writer.drain()
            raise HangUp
        if wants:
            writer.write(socks.RIGHT_CREDENTIALS)
        tunnel = Tunnel(*await socks.destination(reader))
        if site_of(tunnel.host, self._sites) is None:
            writer.write(socks.UNREACHABLE)
            await writer.drain()
            raise HangUp
        await self._open(tunnel, socks.CONNECTED, writer)
        return tunnel

    async def _let_in(self, reader: asyncio.StreamReader) -> None:
        """Raise HangUp where nothing comes through."""
        settings = self.settings
        if self.egress.dead(settings):
            self.egress.counts["refused"] += 1
            raise HangUp
        if settings.silent:
            self.egress.counts["refused"] += 1
            await self._keep_silent(reader)

    async def _keep_silent(self, reader: asyncio.StreamReader) -> None:
        """Wait until the client gives up."""
        while await reader.read(CHUNK):
            pass
        raise HangUp

    async def _open(self, tunnel: Tunnel, greeting: bytes, writer: asyncio.StreamWriter) -> None:
        """Say that a tunnel is open."""
        await asyncio.sleep(2 * self.world.settings.latency_s)
        if not tunnel.secure:
            writer.write(greeting)
            return
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # or the client's hello is lost to the reader
        writer.write(greeting)
        await writer.start_tls(self._certificates.context(tunnel.host))

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        world, egress = self.world, self.egress
        checks = egress.counts["bot_checks"]
        world.running += 1
        egress.running += 1
        world.peak, egress.peak = max(world.peak, world.running), max(egress.peak, egress.running)
        try:
            answer = self._ask(request)
            checked = egress.counts["bot_checks"] > checks
            settings = world.settings
            wait = answer.delay_s + settings.latency_s + settings.jitter_s * self._random.random()
            if wait:
                await asyncio.sleep(wait)
            await send(writer, request, answer, settings.bytes_per_s)
            egress.bot_seen |= checked  # only now: what comes before it is not to blame
        finally:
            world.running -= 1
            egress.running -= 1

    def _ask(self, request: Request) -> Answer:
        """Count a request and have its site answer, if this egress lets it through."""
        world, egress, settings = self.world, self.egress, self.settings
        dead = egress.dead(settings)
        world.count(request)
        if dead or self._random.random() < settings.drop_share:
            egress.counts["dropped"] += 1
            return Answer(drop=True)
        if status := world.settings.status.get(request.path):
            return Answer(status=status, headers=retry_after(world.settings.retry_after_s) if status == 429 else {})
        if not request.host.endswith(".googlevideo.com") and (wait := egress.wait(request.host, settings)):
            egress.counts["too_many"] += 1
            return Answer(b"Too many requests", status=429, headers=retry_after(wait))
        site = site_of(request.host, self._sites)
        if site is None:
            return Answer(b"No such host", status=502)
        try:
            return site(request, world)
        except Exception:
            traceback.print_exc()  # a fault of the site's module, not one that it plays: stderr is the test's
            return Answer(BROKEN_SITE, status=500)


BROKEN_SITE = b"This site of the replica is broken: its error is on stderr"
CHALLENGE = {"Proxy-Authenticate": 'Basic realm="replica"'}


def retry_after(seconds: float) -> dict[str, str]:
    """Return the header that says when to come again, in whole seconds."""
    return {"Retry-After": str(max(1, round(seconds + 0.5)))}


class Tunnel(Struct, frozen=True):
    """Where a connection leads."""

    host: str
    secure: bool

    @classmethod
    def to(cls, target: str) -> Tunnel:
        """Read "host:port"; what is not port 80 is TLS."""
        host, _, port = target.rpartition(":")
        return cls(host.strip("[]").lower(), port != "80")


def credentials_of(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the user and the password that a client gave the proxy."""
    pair = base64.b64decode(headers.get("proxy-authorization", "").removeprefix("Basic ")).decode()
    name, _, password = pair.partition(":")
    return name, password


async def read_head(reader: asyncio.StreamReader, first: bytes) -> tuple[str, str, dict[str, str]]:
    """Read a request's first line and headers. first: what was read of it already."""
    lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    pairs = (line.partition(":") for line in lines[1:] if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def make_request(
    method: str, target: str, headers: Mapping[str, str], body: bytes, tunnel: Tunnel | None, index: int
) -> Request:
    """Make a request of what came through a tunnel, or with an absolute address."""
    parts = urlsplit(target)
    host = tunnel.host if tunnel else parts.hostname or headers.get("host", "").partition(":")[0]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    secure = tunnel is not None and tunnel.secure
    return Request(method, host, unquote(parts.path) or "/", query, headers, body, secure, index)


async def send(writer: asyncio.StreamWriter, request: Request, answer: Answer, bytes_per_s: float | None) -> None:
    """Write an answer, as badly as it wants to be. Raises HangUp where the connection ends with it."""
    if answer.drop:
        raise HangUp
    body, encoding = answer.body, ""
    if "gzip" in request.headers.get("accept-encoding", "") and answer.status != 206:
        if answer.compressed is not None:
            body, encoding = answer.compressed, "gzip"
        elif len(body) > 1_000 and answer.content_type.startswith(WORTH_COMPRESSING):
            body, encoding = gzip.compress(body, 1), "gzip"
    lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Answer')}", f"Content-Type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"Content-Encoding: {encoding}"] if encoding else []
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1")
    if request.method == "HEAD":
        writer.write(head)
        return await writer.drain()
    cut = body if answer.truncate is None else body[: answer.truncate]
    await trickle(writer, head, cut, min(filter(None, (answer.bytes_per_s, bytes_per_s)), default=None))
    if answer.truncate is not None:
        raise HangUp
    return None


REASONS = {200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 404: "Not Found"}
REASONS |= {403: "Forbidden", 407: "Proxy Authentication Required", 429: "Too Many Requests", 500: "Server Error"}


async def trickle(writer: asyncio.StreamWriter, head: bytes, body: bytes, bytes_per_s: float | None) -> None:
    """Write at most so many bytes a second."""
    if bytes_per_s is None:
        writer.write(head + body)
        return await writer.drain()
    writer.write(head)
    step = max(1, min(CHUNK, int(bytes_per_s / 10)))
    for start in range(0, len(body), step):
        writer.write(body[start : start + step])
        await writer.drain()
        await asyncio.sleep(len(body[start : start + step]) / bytes_per_s)
    return None
