# SPDX-License-Identifier: Apache-2.0
"""yt-dlp as a library, with the doors shut that its command line leaves open.

No configuration files (only the command line reads them), no plug-ins from any folder, no extractors but YouTube's, no
cache, no .netrc, no proxies from the environment, no programs (player code is run by deno only where asked for), no
post-processors, no downloaders, and no request to a host that is not YouTube's, redirects included. Connections are
kept open, and certificates checked against the system's store.

Only `youtube` imports this, once a backend is opened: yt-dlp is large.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import yt_dlp
import yt_dlp.globals
import yt_dlp.version
from msgspec import Struct
from yt_dlp.extractor.youtube import YoutubeIE as _YoutubeIE
from yt_dlp.extractor.youtube import YoutubeSearchIE, YoutubeSearchURLIE, YoutubeTabIE
from yt_dlp.networking import Request
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import YoutubeDLError

from speechmill.core.errors import ConfigError, FetchError, MissingDependency
from speechmill.sources import Connection
from speechmill.sources._youtube_errors import UNFORESEEN, Exchange, HostRefused, by_exchange, causes, classified

_MAX_REDIRECTS = 5
_MAX_ANSWER_BYTES = 32 << 20  # unpacked, of what is read whole; a video's page is 0.6 MB, a listing's 3
_BLOCK_BYTES = 1 << 20
# What is overridden below although it is yt-dlp's own business: where it has gone, a check here no longer happens.
_OVERRIDDEN = (
    (_YoutubeIE, ("_is_agegated", "_get_default_ytcfg", "_extract_response", "_parse_json")),
    (RequestsRH, ("_create_instance",)),
)
_EMPTIED = ("_printed_messages", "_playlist_urls", "_ies_instances")


class _Columns(Struct, omit_defaults=True, rename="camel"):
    results: Any = None
    conversation_bar: Any = None


class _Contents(Struct, omit_defaults=True, rename="camel"):
    two_column_watch_next_results: _Columns | None = None


class _WatchNext(Struct, omit_defaults=True, rename="camel"):
    """What is read of the answer `next`. Most of it are recommendations, comments and panels: passed over."""

    contents: _Contents | None = None
    player_overlays: Any = None  # a title, where the player's answer has none
    response_context: Any = None
    topbar: Any = None  # whether an account pays
    alerts: Any = None
    error: Any = None


_read_next = msgspec.json.Decoder(_WatchNext)


class YoutubeIE(_YoutubeIE):  # type: ignore[misc]  # yt-dlp has no types, and finds an extractor by this name
    """Reads a video's page, without another try as an embedded player where YouTube asks for an age.

    And faster: of the 35 ms of computing that a realistic answer took, 24 went into formats that are no sound, into
    reading JSON of which most is recommendations, and into copies of constants.
    """

    _is_agegated = staticmethod(lambda player_response: False)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._settings: dict[str, Any] = {}
        self._reads_next = False

    def _get_default_ytcfg(self, client: str = "web") -> Any:
        """Return a client's constants, which yt-dlp copies fifty times for each video."""
        if client not in self._settings:
            self._settings[client] = super()._get_default_ytcfg(client)
        return self._settings[client]

    def _extract_response(self, *arguments: Any, **options: Any) -> Any:
        """Return an interface's answer; of a player's formats those with sound alone, as no others are fetched."""
        self._reads_next = options.get("ep") == "next"
        try:
            answer = super()._extract_response(*arguments, **options)
        finally:
            self._reads_next = False
        streams = answer.get("streamingData") if options.get("ep") == "player" and isinstance(answer, dict) else None
        if isinstance(streams, dict):
            streams.pop("formats", None)
            adaptive = streams.get("adaptiveFormats") or ()
            streams["adaptiveFormats"] = [one for one in adaptive if str(one.get("mimeType")).startswith("audio/")]
        return answer

    def _parse_json(self, json_string: Any, video_id: str, *arguments: Any, **options: Any) -> Any:
        """Read JSON; what is broken is left to yt-dlp, which knows what to say of it."""
        if not arguments and not options.get("transform_source"):
            with contextlib.suppress(msgspec.DecodeError, TypeError, UnicodeError, RecursionError):
                if self._reads_next:
                    return msgspec.to_builtins(_read_next.decode(json_string))
                return msgspec.json.decode(json_string)
        return super()._parse_json(json_string, video_id, *arguments, **options)


class GuardedRH(RequestsRH):  # type: ignore[misc]  # yt-dlp finds a handler by this name
    """Sends requests by `requests`, those to allowed hosts alone; says what came of each."""

    allowed: Callable[[str], bool]
    record: Callable[[Exchange], None]
    _num_checked = 0

    def send(self, request: Request) -> Response:
        """Send a request; raise HostRefused where its answer came past the checks of `_guarded`."""
        before = self._num_checked
        response = super().send(request)
        if self._num_checked == before:
            response.close()
            raise HostRefused("this version of yt-dlp sends requests past speechmill's checks: install another one")
        response.read = functools.partial(_read, response, response.read)
        return response

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> requests.Session:
        session = super()._create_instance(cookiejar=cookiejar, legacy_ssl_support=legacy_ssl_support)
        session.max_redirects = _MAX_REDIRECTS
        for adapter in {id(adapter): adapter for adapter in session.adapters.values()}.values():
            adapter.send = self._guarded(adapter.send)  # each redirect goes through it too
            adapter.proxy_manager_for = _at_once(adapter.proxy_manager_for)
        return session

    def _guarded(self, send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        def checked(request: requests.PreparedRequest, **options: Any) -> requests.Response:
            self._num_checked += 1
            parts = urlsplit(request.url or "")
            if not self.allowed(request.url or ""):
                raise HostRefused(f"{parts.scheme}://{parts.hostname} is not asked: only YouTube's hosts are, by https")
            try:
                response = send(request, **options)
            except requests.RequestException as error:
                self.record(Exchange(parts.hostname or "", parts.path, None, _problem(error)))
                raise
            waits = _seconds(response.headers.get("Retry-After"))
            self.record(Exchange(parts.hostname or "", parts.path, response.status_code, retry_after=waits))
            return response

        return checked


class Library(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """One long-lived yt-dlp, used by one thread."""

    def __init__(
        self,
        connection: Connection,
        hosts: Sequence[str],
        arguments: Mapping[str, Mapping[str, Sequence[str]]],
        *,
        javascript: bool = False,
    ) -> None:
        """hosts: patterns; arguments: of extractors, as yt-dlp's `extractor_args`. Raises ConfigError."""
        self.exchanges: list[Exchange] = []  # of the call that runs, or ran last
        self.num_requests = 0
        self._hosts = tuple(hosts)
        _check_names(_OVERRIDDEN)
        _shut_out_plugins()
        super().__init__(_options(connection, arguments, javascript), auto_init=False)
        _check_names(((self, _EMPTIED),))
        for cookie in _cookies(connection.cookies) if connection.cookies else ():
            self.cookiejar.set_cookie(cookie)
        for extractor in (YoutubeIE, YoutubeTabIE, YoutubeSearchIE, YoutubeSearchURLIE):
            self.add_info_extractor(extractor())

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        """Build what sends requests: by one guarded handler, whatever others yt-dlp has."""
        director = super().build_request_director([GuardedRH])
        for handler in director.handlers.values():
            handler.allowed, handler.record = self._allowed, self._record
        return director

    def get_info_extractor(self, ie_key: str) -> Any:
        """Return one of YouTube's extractors; an answer can't lead to another site's."""
        if ie_key not in self._ies_instances:
            raise YoutubeDLError(f"no extractor {ie_key}: an answer leads away from YouTube")
        return self._ies_instances[ie_key]

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Turn what goes wrong inside into a FetchError; forget what the call before left."""
        self.exchanges.clear()
        self._printed_messages.clear()  # grows with every message that yt-dlp says only once
        self._playlist_urls.clear()
        try:
            yield
        except (YoutubeDLError, *UNFORESEEN) as error:
            for cause in causes(error):
                if isinstance(cause, HTTPError):
                    cause.close()  # its body may be unread, and would hold the connection
            raise classified(error, self.exchanges) from None

    def failure(self, path: str = "") -> FetchError | None:
        """Say what became of requests that yt-dlp does without: of the last call, to paths that end so."""
        return by_exchange([exchange for exchange in self.exchanges if exchange.path.endswith(path)])

    def extracted(self, url: str, extractor: str) -> dict[str, Any]:
        """Return what an extractor says of an address. Entries of listings come as they are asked for."""
        found = self.extract_info(url, download=False, ie_key=extractor, process=False)
        if not isinstance(found, dict):
            raise YoutubeDLError("yt-dlp found nothing")
        return found

    def opened(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET; the answer's body is read by the caller, who closes it."""
        if not self._allowed(url):  # an answer named it
            raise HostRefused(f"{urlsplit(url).scheme[:20]} address in an answer that leads away from YouTube")
        return self.urlopen(Request(url, headers=dict(headers or {})))

    @property
    def has_account(self) -> bool:
        """Whether the cookies are those of somebody who signed in."""
        names = {cookie.name for cookie in self.cookiejar if cookie.domain.endswith("youtube.com")}
        return "LOGIN_INFO" in names and bool(names & {"SAPISID", "__Secure-1PAPISID", "__Secure-3PAPISID"})

    def _allowed(self, url: str) -> bool:
        parts = urlsplit(url)
        try:
            plain = parts.scheme == "https" and parts.port in (None, 443)
        except ValueError:
            return False
        host = (parts.hostname or "").lower()
        return plain and any(fnmatch.fnmatchcase(host, pattern) for pattern in self._hosts)

    def _record(self, exchange: Exchange) -> None:
        self.num_requests += 1
        self.exchanges.append(exchange)


def _check_names(owners: Iterable[tuple[object, Sequence[str]]]) -> None:
    """Raise MissingDependency where yt-dlp no longer has what is overridden or emptied here."""
    gone = [name for owner, names in owners for name in names if not hasattr(owner, name)]
    if gone:
        raise MissingDependency(
            f"youtube: yt-dlp {yt_dlp.version.__version__} lacks {', '.join(gone)}, which speechmill overrides to keep "
            "requests in bounds. Install a version that it was tested with: see speechmill's release notes"
        )


def _read(response: Response, read: Callable[..., bytes], amount: int | None = None) -> bytes:
    """Read an answer, whole where no amount is named. Raises FetchError where that is longer than any real one."""
    if amount is not None:
        return read(amount)
    blocks, size = [], 0
    while block := read(_BLOCK_BYTES):
        blocks.append(block)
        size += len(block)
        if size > _MAX_ANSWER_BYTES:
            response.close()
            raise FetchError("format", "too-large", f"an answer of more than {_MAX_ANSWER_BYTES} bytes")
    return b"".join(blocks)


def _at_once(manager_for: Callable[..., Any]) -> Callable[..., Any]:
    """Have connections through a proxy send what they are given.

    urllib3 leaves Nagle's algorithm on there, which holds the body of each POST back until its head is acknowledged:
    43 ms a request where the other side waits with that, as Linux does.
    """
    options = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
    return functools.partial(manager_for, socket_options=options)


class _Silent:
    """Hears yt-dlp's messages and says none: they may hold addresses with secrets."""

    def debug(self, message: str) -> None: ...

    info = warning = error = stdout = stderr = debug


def accepts_accounts(client: str) -> bool:
    """Say whether a player client of yt-dlp's sends an account's cookies. Raises ConfigError where there is none."""
    from yt_dlp.extractor.youtube._base import INNERTUBE_CLIENTS

    if client not in INNERTUBE_CLIENTS:
        known = ", ".join(sorted(name for name in INNERTUBE_CLIENTS if not name.startswith("_")))
        raise ConfigError(f"youtube: yt-dlp has no player client {client!r}; it has: {known}")
    return bool(INNERTUBE_CLIENTS[client]["SUPPORTS_COOKIES"])


def _cookies(path: Path) -> list[Cookie]:
    """Read YouTube's cookies from a file in Netscape's format; it is not written again. Raises ConfigError.

    By neither yt-dlp nor the standard library, both of which show lines that they can't read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.removeprefix("#HttpOnly_") for line in lines]
        found = [_cookie(*row.split("\t")) for row in rows if row.strip() and not row.startswith("#")]
    except (OSError, TypeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not in Netscape's format"
        raise ConfigError(f"youtube: cookies can't be read from {path.name}: {why}") from None
    ours = [cookie for cookie in found if f".{cookie.domain.lstrip('.')}".endswith(".youtube.com")]
    return [cookie for cookie in ours if not cookie.is_expired()]


def _cookie(domain: str, everywhere: str, path: str, secure: str, expires: str, name: str, value: str) -> Cookie:
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=everywhere == "TRUE",
        domain_initial_dot=domain.startswith("."),
        path=path,
        path_specified=True,
        secure=secure == "TRUE",
        expires=int(float(expires or 0)) or None,  # 0: until the session ends
        discard=False,
        comment=None,
        comment_url=None,
        rest={},
    )


def _options(
    connection: Connection, arguments: Mapping[str, Mapping[str, Sequence[str]]], javascript: bool
) -> dict[str, Any]:
    return {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "never",
        "logger": _Silent(),
        "proxy": connection.proxy or "",  # "": directly, whatever the environment names
        "socket_timeout": connection.timeout_s,
        "cachedir": False,
        "usenetrc": False,
        "noplaylist": True,
        "compat_opts": {
            "no-certifi",  # the system's certificates, in whose place SSL_CERT_FILE puts others
            "no-youtube-unavailable-videos",  # a request more for each playlist, to list what can't be had
        },
        "js_runtimes": {"deno": {}} if javascript else {},
        "remote_components": (),
        "extractor_retries": 0,  # the crawler tries again, by another way and not at once
        "retries": 0,
        "extractor_args": {
            extractor: {name: list(values) for name, values in options.items()}
            for extractor, options in arguments.items()
        },
    }


def _shut_out_plugins() -> None:
    """Keep yt-dlp from importing `yt_dlp_plugins` out of folders on sys.path and in its own. For the whole process."""
    loaded = (yt_dlp.globals.plugin_ies, yt_dlp.globals.plugin_ies_overrides, yt_dlp.globals.plugin_pps)
    if any(found.value for found in loaded):
        raise ConfigError("youtube: this process has plug-ins of yt-dlp's loaded; crawl in one that has none")
    yt_dlp.globals.plugin_dirs.value = []
    yt_dlp.globals.all_plugins_loaded.value = True


def _problem(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    return "timeout" if isinstance(error, requests.exceptions.Timeout) else "no-connection"


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
