# SPDX-License-Identifier: Apache-2.0
"""YouTube's sound: which of the files that it offers, and fetching it in ranges, whole or not at all.

Only files that are sound alone and come by plain https are taken: no playlists of fragments, so that nothing but bytes
of one address is ever put together, and no program is needed.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from speechmill.core.errors import FetchError
from speechmill.core.remote import CaptionTrack, Fetched
from speechmill.sources import Connection

if TYPE_CHECKING:
    from speechmill.sources._ytdlp import Library

_RANGE_BYTES = 10 << 20  # what YouTube's own players ask for at once; more is sent slowly
_BLOCK_BYTES = 1 << 15
_MIN_BYTES_PER_S = 4_000  # a quarter of what sound of 128 kbit/s lasts; what comes slower is asked for again
_BREAKS = 4  # in a row, without a byte between them
_MAX_BREAKS = 20
_FIRST_WAIT_S = 0.1  # before going on; twice as long each time
_MAX_WAIT_S = 30.0  # before the first byte, where YouTube says that it will refuse until then
_DEFAULT_AGE_S = 3600.0
_EXTENSIONS = ("m4a", "webm")  # AAC and Opus


class Sound(Struct, frozen=True):
    """One file that YouTube offers."""

    url: str
    extension: str
    size: int | None = None  # bytes, as the player says
    available_at: float = 0.0  # seconds since 1970; asked before, YouTube refuses


class Media(Struct, frozen=True):
    """What a player's answer leads to. It is kept for minutes, never stored: addresses name who asked."""

    sound: Sound | None
    captions: Mapping[CaptionTrack, str]  # addresses of json3
    expires: float  # seconds since 1970
    drm: bool = False
    live: bool = False


def media_of(info: Mapping[str, Any], captions: Mapping[CaptionTrack, str], now: float) -> Media:
    """Return what is needed of a player's answer to fetch sound and captions."""
    formats = [one for one in info.get("formats") or () if one.get("acodec") not in (None, "none")]
    plain = [one for one in formats if _is_plain(one)]
    best = max(plain, key=_preference, default=None)
    live = info.get("live_status") in ("is_live", "is_upcoming", "post_live")
    drm = best is None and any(one.get("has_drm") is True for one in formats)
    if best is None:
        return Media(None, captions, now + _DEFAULT_AGE_S, drm, live)
    ends = parse_qs(urlsplit(best["url"]).query).get("expire", [""])[-1]
    expires = float(ends) if ends.isdecimal() else now + _DEFAULT_AGE_S
    sound = Sound(best["url"], best["ext"], best.get("filesize"), float(best.get("available_at") or 0.0))
    return Media(sound, captions, min(expires, now + 5 * _DEFAULT_AGE_S), live=live)


def _is_plain(one: Mapping[str, Any]) -> bool:
    return (
        one.get("vcodec") == "none"
        and one.get("ext") in _EXTENSIONS
        and one.get("protocol") in (None, "https")
        and str(one.get("url", "")).startswith("https://")
        and not one.get("has_drm")
        and not one.get("fragments")
    )


def _preference(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order files: the original language, not squeezed in level (DRC), the higher bit rate, AAC where equal."""
    note = f"{one.get('format_note') or ''} {one.get('format_id') or ''}".lower()
    rate = one.get("abr") or one.get("tbr") or 0
    return (one.get("language_preference") or -1, "drc" not in note, rate, one["ext"] == "m4a")


def check(media: Media, connection: Connection, duration: float | None) -> Sound:
    """Return what is to be fetched. Raises FetchError: permanent where it is too much or not for us."""
    if media.drm:
        raise FetchError("permanent", "drm", "all of its sound is encrypted")
    if media.live:
        raise FetchError("permanent", "live", "a stream has no end yet")
    if duration is not None and duration > connection.max_duration_s:
        raise FetchError("permanent", "too-long", f"{duration:.0f} s are more than {connection.max_duration_s:.0f}")
    if media.sound is None:
        raise FetchError("incomplete", "no-formats", "the player offers no file of sound alone")
    if media.sound.size is not None and media.sound.size > connection.max_bytes:
        raise FetchError("permanent", "too-large", f"{media.sound.size} bytes are more than {connection.max_bytes}")
    return media.sound


def download(library: Library, sound: Sound, connection: Connection) -> Fetched:
    """Fetch a file into the connection's folder; nothing is left there where it fails."""
    time.sleep(min(max(0.0, sound.available_at - time.time()), _MAX_WAIT_S))
    handle, name = tempfile.mkstemp(prefix="youtube-", suffix=".part", dir=connection.folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            size, sha256 = _Transfer(library, sound, connection, file).run()
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Fetched(path, sound.extension, size, sha256)


class _Transfer:
    """Bytes of one address, in order."""

    def __init__(self, library: Library, sound: Sound, connection: Connection, file: IO[bytes]) -> None:
        self._library = library
        self._sound = sound
        self._max_bytes = connection.max_bytes
        self._timeout_s = connection.timeout_s
        self._file = file
        self._digest = hashlib.sha256()
        self._position = 0
        self._total = sound.size

    def run(self) -> tuple[int, str]:
        """Return the size and the SHA-256 of the whole. Raises FetchError."""
        breaks = all_breaks = 0
        while self._total is None or self._position < self._total:
            before = self._position
            try:
                with self._library.asking():
                    self._range()
            except FetchError as error:
                breaks, all_breaks = 0 if self._position > before else breaks + 1, all_breaks + 1
                if error.kind != "net" or breaks >= _BREAKS or all_breaks >= _MAX_BREAKS:
                    raise
                time.sleep(_FIRST_WAIT_S * 2**breaks)
                continue
            if self._position == before:
                break
        if self._position == 0 or self._position != self._total:
            raise FetchError("incomplete", "truncated", f"{self._position} of {self._total} bytes came")
        return self._position, self._digest.hexdigest()

    def _range(self) -> None:
        last = self._position + _RANGE_BYTES - 1
        if self._total is not None:
            last = min(last, self._total - 1)
        # The User-Agent is the browser's that yt-dlp sends with whatever is not a player's own interface: what hosts
        # of media expect beside the address that a player was given. No other name is made up here.
        headers = {"Range": f"bytes={self._position}-{last}", "Accept-Encoding": "identity"}
        response = self._library.opened(self._sound.url, headers)
        try:
            self._agree(response.status, response.headers)
            started, first = time.monotonic(), self._position
            while block := response.read(_BLOCK_BYTES):
                self._write(block)
                took = time.monotonic() - started
                if took > self._timeout_s and self._position - first < _MIN_BYTES_PER_S * took:
                    raise FetchError("net", "too-slow", f"{self._position - first} bytes in {took:.0f} s")
        finally:
            response.close()

    def _agree(self, status: int, headers: Mapping[str, str]) -> None:
        """See that what comes is the range that was asked for, of the file that the player named."""
        if headers.get("Content-Type", "").startswith("text/"):
            raise FetchError("incomplete", "not-media", "a text came in place of sound")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
        if status == 206 and found:
            start, total = int(found[1]), int(found[2])
        elif status == 200 and self._position == 0 and headers.get("Content-Length", "").isdecimal():
            start, total = 0, int(headers["Content-Length"])
        else:
            raise FetchError("format", "no-ranges", f"HTTP {status} in place of a range from {self._position}")
        if start != self._position or self._total not in (None, total):
            raise FetchError("incomplete", "other-size", f"the player said {self._total} bytes, the file has {total}")
        self._total = total
        if total > self._max_bytes:
            raise FetchError("permanent", "too-large", f"{total} bytes are more than {self._max_bytes}")

    def _write(self, block: bytes) -> None:
        self._position += len(block)
        if self._total is not None and self._position > self._total:
            raise FetchError("incomplete", "other-size", f"more than the {self._total} bytes that were named came")
        self._digest.update(block)
        self._file.write(block)
