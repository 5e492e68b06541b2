# SPDX-License-Identifier: Apache-2.0
"""A careful HTTP client for open platforms: hosts allowed by name, addresses that are public, bounded answers.

Redirects are followed by hand, so that each hop is checked as the first was. No cookies are kept, and no proxies or
passwords taken from the environment.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urljoin

import msgspec
from msgspec import Struct

from speechmill.core.errors import FetchError
from speechmill.core.remote import Fetched, Kind
from speechmill.sources import Connection
from speechmill.sources._http_answers import broken, read_body, read_headers, read_start, refuse_status
from speechmill.sources._http_download import Download
from speechmill.sources._http_guard import Target, check_url, read_pattern
from speechmill.sources._http_pace import Pace
from speechmill.sources._http_wire import Wire, broken_errors
from speechmill.sources._robots import MAX_BYTES as MAX_ROBOTS
from speechmill.sources._robots import Robots, read_robots

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_ROBOTS_S = 86_400.0  # how long a robots.txt is believed; RFC 9309 allows no longer
_LONGEST_PAUSE_S = 30.0  # a longer one is the crawler's to wait
_MAX_SITES = 256  # whose robots.txt is kept
_ROBOTS_RETRY_S = 300.0  # when a site is asked again whose robots.txt can't be had
_FOR_ALL = ("accept", "accept-encoding", "range", "if-range")  # headers that hold no secret
_WAITS_S = (0.5, 2.0, 5.0)  # before a download that broke off goes on

Result = TypeVar("Result")


class Response(Struct, frozen=True):
    """An answer, whole. Header names are in lower case."""

    url: str  # after redirects
    status: int
    headers: Mapping[str, str]
    content: bytes


class Client:
    """Asks the hosts it may. Everything that goes wrong is a FetchError; used by one thread at a time."""

    def __init__(self, connection: Connection, hosts: Sequence[str], *, robots: bool = False) -> None:
        """hosts: patterns that a host must match: "archive.org", "*.archive.org" (not archive.org itself), "*" (any).

        Asked is port 443 and https, whatever a URL says, but for "example.org:8443" (that port too) and
        "http://example.org" (without TLS too, where the URL says http). robots: ask robots.txt first.
        Raises ConfigError where the proxy is none that can be used.
        """
        self._connection = connection
        self._patterns = [read_pattern(host) for host in hosts]
        self._ask_robots = robots
        self._wire = Wire(connection.proxy)
        self._robots: dict[str, tuple[float, Robots | FetchError]] = {}  # until when, by origin
        self._pace = Pace(connection.pace or connection.folder)

    @property
    def num_requests(self) -> int:
        """Requests that were sent: those of robots.txt, redirects and second tries too."""
        return self._wire.num_requests

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 16 << 20,
    ) -> Response:
        """Return a 2xx answer. Others are FetchErrors: 404, 410 permanent; 429, 503 rate; 5xx, no answer: net."""
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params)

        def read(target: Target, response: HTTPResponse) -> Response:
            found = read_headers(response)
            if not 200 <= response.status < 300 or response.status == 206:
                raise refuse_status(target, response.status, found)
            body = read_body(target, response, max_bytes, self._way)
            return Response(target.url, response.status, found, body)

        asked = {"Accept-Encoding": "gzip", **(headers or {})}
        return self._follow(check_url(url, self._patterns), asked, read, self._ask_robots)

    def json(self, url: str, *, params: Mapping[str, str] | None = None, max_bytes: int = 16 << 20) -> Any:
        """Return a decoded JSON answer; what isn't JSON is a FetchError of kind "incomplete"."""
        response = self.get(url, params=params, headers={"Accept": "application/json"}, max_bytes=max_bytes)
        try:
            return msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FetchError("incomplete", "not-json", f"{_shown(response.url)}: {error}") from error

    def download(self, url: str, *, extension: str, expected_size: int | None = None) -> Fetched:
        """Fetch a file into the connection's folder, going on after a break; whole, or FetchError "incomplete".

        expected_size: bytes that the platform says it has. Raises OSError where the disk is full. On failure nothing
        is left.
        """
        start = check_url(url, self._patterns)
        with Download(start, self._connection, extension, expected_size) as download:
            for wait in _WAITS_S:
                try:
                    return self._attempt(start, download)
                except FetchError as error:
                    if not download.may_go_on(error):
                        raise
                pause(wait)
            return self._attempt(start, download)

    def _attempt(self, start: Target, download: Download) -> Fetched:
        def read(target: Target, response: HTTPResponse) -> None:
            download.receive(target, response, lambda: self._wire.watch.start(self._connection.timeout_s))

        self._follow(start, download.headers(), read, self._ask_robots)
        return download.finish()

    def close(self) -> None:
        self._wire.close()

    def _follow(
        self,
        target: Target,
        headers: Mapping[str, str],
        read: Callable[[Target, HTTPResponse], Result],
        ask_robots: bool,
    ) -> Result:
        """Ask, follow redirects, and give the first other answer to `read`."""
        for _ in range(_MAX_REDIRECTS + 1):
            if ask_robots:
                self._heed_robots(target)
            response = self._ask(target, headers)
            whole = False
            try:
                location = response.headers.get("Location") if response.status in _REDIRECTS else None
                if location is None:
                    result = read(target, response)
                    whole = response.closed
                    return result
            finally:
                response.close()
                if not whole:  # the rest of its body would be taken for the next answer
                    self._wire.drop(target)
            target, before = self._next_hop(target, location), target
            if target.origin != before.origin:  # what was said to one site is not said to another
                headers = {name: value for name, value in headers.items() if name.lower() in _FOR_ALL}
        raise FetchError("permanent", "too-many-redirects", f"{target.shown} after {_MAX_REDIRECTS} redirects")

    def _next_hop(self, target: Target, location: str) -> Target:
        try:
            url = urljoin(target.url, _utf8(location))
        except ValueError as error:
            raise FetchError("format", "odd-answer", f"{target.shown} redirects to what is no URL") from error
        return check_url(url, self._patterns, secure=target.scheme == "https")

    def _ask(self, target: Target, headers: Mapping[str, str]) -> HTTPResponse:
        asked = {"User-Agent": self._connection.user_agent, "Accept": "*/*", **headers}
        try:
            return self._wire.ask(target, asked, self._connection.timeout_s)
        except broken_errors() as error:
            raise broken(target, error, self._way) from error

    @property
    def _way(self) -> str | None:
        return None if self._wire.proxy is None else self._wire.proxy.shown

    def _heed_robots(self, target: Target) -> None:
        """Raise FetchError where a site does not want to be asked for this; wait where it wants pauses."""
        robots = self._robots_of(target)
        if not robots.allows(target.path):
            detail = f"robots.txt of {target.origin} does not want {target.shown} to be fetched"
            raise FetchError("permanent", "robots-disallow", detail)
        if not robots.delay:
            return
        wait = self._pace.take_turn(target.origin, robots.delay, _LONGEST_PAUSE_S)
        if wait > _LONGEST_PAUSE_S:
            detail = f"{target.origin} wants {robots.delay:g} s between requests"
            raise FetchError("rate", "crawl-delay", detail, retry_after=wait)
        if wait > 0:
            pause(wait)

    def _robots_of(self, target: Target) -> Robots:
        until, known = self._robots.get(target.origin, (0.0, Robots()))
        now = time.monotonic()
        if now >= until:
            known = self._fetch_robots(target)
            until = now + (_ROBOTS_RETRY_S if isinstance(known, FetchError) else _ROBOTS_S)
            if len(self._robots) >= _MAX_SITES:
                self._robots.pop(next(iter(self._robots)))
            self._robots[target.origin] = (until, known)
        if isinstance(known, FetchError):
            left = min(until - now, _ROBOTS_RETRY_S)  # rounded, the difference can be more than was added
            raise FetchError(known.kind, known.reason, known.detail, retry_after=known.retry_after or left)
        return known

    def _fetch_robots(self, target: Target) -> Robots | FetchError:
        """Read a site's rules: a 4xx answer means that it has none, no answer that nothing is allowed for now."""
        place = msgspec.structs.replace(target, path="/robots.txt")

        def read(found: Target, response: HTTPResponse) -> Robots:
            if 400 <= response.status < 500 and response.status not in (407, 408, 425, 429):
                return Robots()
            if response.status != 200:
                raise refuse_status(found, response.status, read_headers(response))
            return read_robots(read_start(found, response, MAX_ROBOTS, self._way), self._product)

        try:
            return self._follow(place, {"Accept-Encoding": "gzip"}, read, False)
        except FetchError as error:
            kind: Kind = "rate" if error.kind == "rate" else "net"
            detail = f"nothing is asked of {target.origin} while its robots.txt can't be had: {error}"
            return FetchError(kind, "robots-unreachable", detail, retry_after=error.retry_after)

    @property
    def _product(self) -> str:
        """Our name in robots.txt: the User-Agent's first word without its version."""
        found = re.match(r"[A-Za-z_-]+", self._connection.user_agent)
        return found.group().lower() if found else "speechmill"


def pause(seconds: float) -> None:
    """Wait, before a site is asked again."""
    time.sleep(seconds)


def _shown(url: str) -> str:
    return url.partition("?")[0]


def _utf8(text: str) -> str:
    """Undo http.client's reading of header bytes as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
