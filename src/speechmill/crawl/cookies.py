# SPDX-License-Identifier: Apache-2.0
"""One jar of cookies for one platform, pinned to one way, because an account that is seen everywhere looks stolen.

Opt-in. Only cookies of the platform's own hosts are taken from a file or a browser, and only while they last. They are
never written back: workers get private copies in a private folder, and these are deleted with it. No message holds a
value; a cookie's name may stand in one.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.pipeline.crawl_options import Cookies

MAX_BYTES = 4 << 20  # of a file: every cookie of a browser
MIN_SECRET = 8  # characters; shorter values are settings such as "en" or "1"
HEADER = "# Netscape HTTP Cookie File"
_HTTP_ONLY = "#HttpOnly_"
_FIELDS = ("domain", "subdomains", "path", "secure", "expiry", "name", "value")
_EXPIRY = re.compile(r"\d{0,15}(\.\d+)?")


class Cookie(Struct, frozen=True):
    """One cookie, as a line of a Netscape cookie file has it."""

    domain: str  # with a leading dot where subdomains get it too
    path: str
    secure: bool
    expires: float | None  # seconds since 1970; None: with the session
    name: str
    value: str
    http_only: bool = False

    def __repr__(self) -> str:
        return f"Cookie({self.domain!r}, {self.name!r})"

    def has_expired(self, now: float) -> bool:
        return self.expires is not None and self.expires <= now


class Jar(Struct, frozen=True):
    """The cookies of one platform. `notes`: what the operator should know of them."""

    platform: str
    egress: str  # the way that they may be sent by
    cookies: tuple[Cookie, ...]
    notes: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values, for a Redactor."""
        return _secrets(self.cookies)

    def expired(self, now: float) -> tuple[str, ...]:
        """Names of cookies whose time has run out since the jar was read, sorted."""
        return tuple(sorted(cookie.name for cookie in self.cookies if cookie.has_expired(now)))

    def write(self, folder: Path) -> Path:
        """Write a private copy (0600) into a private folder (0700); delete it by `discard` or with the folder."""
        lines = [HEADER, *(_line(cookie) for cookie in self.cookies), ""]
        return _write_private("\n".join(lines).encode(), folder)


def read_jar(cookies: Cookies, platform: str, hosts: Sequence[str], now: float, base: Path | None = None) -> Jar:
    """Read the jar of a platform from a file or a browser.

    hosts: patterns of the platform's hosts, as a source's HOSTS. base: folder that a relative file starts at.
    Raises ConfigError where there is none, it isn't one, or nothing in it is the platform's and still lasts.
    """
    what = f"crawl.cookies.{platform}"
    if (cookies.file is None) == (cookies.browser is None):
        raise ConfigError(f"{what}: name a file or a browser, and not both")
    notes: list[str] = []
    if cookies.file is not None:
        where = (base or Path()) / Path(cookies.file).expanduser()
        found = parse(_content(where, what), f"{what}: {where}")
        notes += _shared(where, what)
    else:
        found = _of_browser(cookies.browser or "", what)
    own = [cookie for cookie in found if _belongs(cookie.domain, hosts)]
    if not own:
        raise ConfigError(f"{what}: none of {len(found)} cookies is of {', '.join(hosts) or 'a host of its own'}")
    lasting = tuple(cookie for cookie in own if not cookie.has_expired(now))
    gone = sorted({cookie.name for cookie in own if cookie.has_expired(now)})
    if not lasting:
        raise ConfigError(f"{what}: all {len(own)} cookies have expired. Sign in with the browser and export them anew")
    if gone:
        notes.append(f"{what}: expired, and left out: {', '.join(gone)}")
    return Jar(platform, cookies.egress, lasting, tuple(notes))


def parse(content: str, where: str) -> list[Cookie]:
    """Read a Netscape cookie file. Raises ConfigError with the number of the line that is none, without its content."""
    if content.lstrip()[:1] in ("[", "{"):
        raise ConfigError(f"{where}: is JSON. Export cookies in Netscape format (cookies.txt)")
    lines = enumerate(content.splitlines(), 1)
    found = {}
    for number, line in lines:
        http_only = line.startswith(_HTTP_ONLY)
        line = line.removeprefix(_HTTP_ONLY)
        if line.strip() and not line.startswith("#"):
            cookie = _cookie(line, http_only, f"{where}:{number}")
            found[cookie.domain, cookie.path, cookie.name] = cookie
    return list(found.values())


def own_copy(path: Path, folder: Path) -> Path:
    """Copy a jar that `Jar.write` wrote for another worker. Returns the copy's path."""
    return _write_private(path.read_bytes(), folder)


def secrets_in(path: Path) -> tuple[str, ...]:
    """Return the values in a jar that `Jar.write` wrote, for a Redactor."""
    return _secrets(parse(path.read_text(encoding="utf-8"), path.name))


def discard(path: Path) -> None:
    """Delete a private copy; none there is fine."""
    path.unlink(missing_ok=True)


def _secrets(cookies: Sequence[Cookie]) -> tuple[str, ...]:
    return tuple(sorted({cookie.value for cookie in cookies if len(cookie.value) >= MIN_SECRET}))


def _content(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{what}: {path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{what}: {path}: larger than {MAX_BYTES >> 20} MiB")
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _shared(path: Path, what: str) -> Iterator[str]:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        yield f"{what}: others on this machine may read {path}. Keep them out with: chmod 600 {path}"


def _cookie(line: str, http_only: bool, where: str) -> Cookie:
    fields = line.split("\t")
    if len(fields) != len(_FIELDS):
        raise ConfigError(f"{where}: {len(fields)} fields in place of {len(_FIELDS)} ({', '.join(_FIELDS)}), by tabs")
    domain, subdomains, path, secure, expiry, name, value = fields
    for field, text in (("subdomains", subdomains), ("secure", secure)):
        if text not in ("TRUE", "FALSE"):
            raise ConfigError(f"{where}: {field} is neither TRUE nor FALSE")
    if not _EXPIRY.fullmatch(expiry):
        raise ConfigError(f"{where}: expiry is no number of seconds")
    if any(not text.isprintable() or "\ufffd" in text for text in fields):
        raise ConfigError(f"{where}: holds control characters")
    bare = domain.strip().lower().lstrip(".")
    if not bare or not path.startswith("/"):
        raise ConfigError(f"{where}: has no domain or no path")
    domain = f".{bare}" if subdomains == "TRUE" else bare
    return Cookie(domain, path, secure == "TRUE", float(expiry or 0) or None, name, value, http_only)


def _line(cookie: Cookie) -> str:
    flags = ["FALSE", "TRUE"]
    fields = (
        (_HTTP_ONLY if cookie.http_only else "") + cookie.domain,
        flags[cookie.domain.startswith(".")],
        cookie.path,
        flags[cookie.secure],
        str(int(cookie.expires or 0)),
        cookie.name,
        cookie.value,
    )
    return "\t".join(fields)


def _belongs(domain: str, hosts: Sequence[str]) -> bool:
    """Whether a cookie's domain is one of the platform's, or below it. "*" names no platform, and matches nothing."""
    own = {host.rpartition("//")[2].partition(":")[0].removeprefix("*.").lower() for host in hosts}
    bare = domain.lstrip(".")
    return any(bare == one or bare.endswith(f".{one}") for one in own if one and one != "*")


def _of_browser(name: str, what: str) -> list[Cookie]:
    """Read a browser's cookies. name: "firefox", or with a profile (its name or folder): "firefox:work"."""
    from yt_dlp.cookies import SUPPORTED_BROWSERS, extract_cookies_from_browser

    browser, _, profile = name.partition(":")
    if browser not in SUPPORTED_BROWSERS:
        raise ConfigError(f"{what}: {browser!r} is not among {', '.join(sorted(SUPPORTED_BROWSERS))}")
    try:
        jar = extract_cookies_from_browser(browser, profile or None, _Silent())
    except Exception as error:  # of a dozen libraries; what they say may hold what they read
        failure = type(error).__name__
    else:
        return [_of_cookiejar(cookie) for cookie in jar if cookie.value]
    raise ConfigError(f"{what}: the cookies of {browser} can't be read ({failure}). Close it, or export a file")


def _of_cookiejar(cookie: Any) -> Cookie:
    bare = cookie.domain.lower().lstrip(".")
    return Cookie(
        domain=f".{bare}" if cookie.domain.startswith(".") else bare,
        path=cookie.path,
        secure=bool(cookie.secure),
        expires=float(cookie.expires) if cookie.expires else None,
        name=cookie.name,
        value=cookie.value,
        http_only=cookie.has_nonstandard_attr("HttpOnly"),
    )


def _write_private(content: bytes, folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / f"cookies-{uuid.uuid4().hex}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path


class _Silent:
    """Hears what yt-dlp says of a browser and says none of it."""

    def debug(self, message: str) -> None: ...

    info = error = debug

    def warning(self, message: str, only_once: bool = False) -> None: ...

    def progress_bar(self) -> None: ...
