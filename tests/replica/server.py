# SPDX-License-Identifier: Apache-2.0
"""The replica's proxies: HTTP/1.1, CONNECT with a certificate made for the host, absolute addresses in the clear."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme

from replica import control
from replica.messages import Answer, Request
from replica.settings import EgressSettings
from replica.sites import Site, site_of
from replica.world import World

MAX_HEAD = 1 << 16
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
        tunnel: str | None = None
        self.world.connections += 1
        self.egress.counts["connections"] += 1
        while True:
            method, target, headers = await read_head(reader)
            if method == "CONNECT" and tunnel is None:
                tunnel = target.rpartition(":")[0].strip("[]").lower()
                await self._connect(tunnel, headers, writer)
                continue
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = make_request(method, target, headers, body, tunnel, self.index)
            if request.host == control.HOST:
                await send(writer, request, control.answer(request, self.world), None)
            elif tunnel is None and not self._authorised(headers):
                await send(writer, request, Answer(status=407, headers=CHALLENGE), None)
            else:
                await self._answer(request, writer)
            if headers.get("connection", "").lower() == "close":
                return

    def _authorised(self, headers: Mapping[str, str]) -> bool:
        settings = self.settings
        if settings.username is None and settings.password is None:
            return True
        pair = f"{settings.username or ''}:{settings.password or ''}".encode()
        return headers.get("proxy-authorization", "") == f"Basic {base64.b64encode(pair).decode()}"

    async def _connect(self, host: str, headers: Mapping[str, str], writer: asyncio.StreamWriter) -> None:
        """Answer CONNECT and speak TLS from then on."""
        if self.egress.dead(self.settings):
            self.egress.counts["refused"] += 1
            raise HangUp
        status = b"200 Connection established"
        if not self._authorised(headers):
            status = b"407 Proxy Authentication Required"
        elif site_of(host, self._sites) is None:
            status = b"502 Bad Gateway"
        if not status.startswith(b"200"):
            challenge = b"".join(f"{name}: {value}\r\n".encode() for name, value in CHALLENGE.items())
            lines = challenge if status.startswith(b"407") else b""
            writer.write(b"HTTP/1.1 " + status + b"\r\n" + lines + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            raise HangUp
        await asyncio.sleep(2 * self.world.settings.latency_s)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # or the client's hello is lost to the reader
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        await writer.start_tls(self._certificates.context(host))

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        world, egress = self.world, self.egress
        world.running += 1
        egress.running += 1
        world.peak, egress.peak = max(world.peak, world.running), max(egress.peak, egress.running)
        try:
            answer = self._ask(request)
            settings = world.settings
            wait = answer.delay_s + settings.latency_s + settings.jitter_s * self._random.random()
            if wait:
                await asyncio.sleep(wait)
            await send(writer, request, answer, settings.bytes_per_s)
        finally:
            world.running -= 1
            egress.running -= 1

    def _ask(self, request: Request) -> Answer:
        """Count a request and have its site answer, if this egress lets it through."""
        world, egress, settings = self.world, self.egress, self.settings
        world.by_host[request.host] += 1
        world.by_path[f"{request.host}{request.path}"] += 1
        if agent := request.headers.get("user-agent"):
            world.user_agents[request.host].add(agent)
        dead = egress.dead(settings)
        egress.counts["requests"] += 1
        egress.by_host[request.host] += 1
        egress.counts["with_cookies"] += "cookie" in request.headers
        egress.counts["after_bot"] += egress.bot_seen
        if dead or self._random.random() < settings.drop_share:
            egress.counts["dropped"] += 1
            return Answer(drop=True)
        if status := world.settings.status.get(request.path):
            return Answer(status=status, headers=retry_after(world.settings.retry_after_s) if status == 429 else {})
        if not request.host.endswith(".googlevideo.com") and (wait := egress.wait(request.host, settings)):
            egress.counts["too_many"] += 1
            return Answer(b"Too many requests", status=429, headers=retry_after(wait))
        site = site_of(request.host, self._sites)
        return site(request, world) if site else Answer(b"No such host", status=502)


CHALLENGE = {"Proxy-Authenticate": 'Basic realm="replica"'}


def retry_after(seconds: float) -> dict[str, str]:
    """Return the header that says when to come again, in whole seconds."""
    return {"Retry-After": str(max(1, round(seconds + 0.5)))}


async def read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    """Read a request's first line and headers."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    pairs = (line.partition(":") for line in lines[1:] if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def make_request(
    method: str, target: str, headers: Mapping[str, str], body: bytes, tunnel: str | None, index: int
) -> Request:
    """Make a request of what came through a tunnel, or with an absolute address."""
    parts = urlsplit(target)
    named = parts.hostname or headers.get("host", "").partition(":")[0]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, tunnel or named, unquote(parts.path) or "/", query, headers, body, tunnel is not None, index)


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
