# SPDX-License-Identifier: Apache-2.0
"""One file on its way: written and hashed as it comes, gone on with after a break, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from speechmill.core.errors import FetchError
from speechmill.core.remote import Fetched
from speechmill.sources import Connection, _answers
from speechmill.sources._http_answers import BLOCK, read_headers, refuse_status
from speechmill.sources._http_guard import Target
from speechmill.sources._http_wire import broken_errors

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

_BROKEN_OFF = "broken-off"
_SLOWEST = 16 * 1024  # bytes a second: speech at 128 kbit/s, as fast as it plays
_LONGEST_S = 6 * 3_600.0  # of one file with all its tries; a worker waits for no more
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_PAGES = ("text/html", "application/xhtml+xml")
_PLAYLISTS = ("mpegurl", "dash+xml", "x-scpls", "xspf+xml")  # in the media type: they only point to media


class Download:
    """A temporary file that takes one answer after another; deleted on leaving unless it was finished."""

    def __init__(self, start: Target, connection: Connection, extension: str, expected_size: int | None) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,8}", extension):
            raise ValueError(f"{extension!r} is no extension")
        self._start = start
        self._connection = connection
        self._extension = extension
        self._expected = expected_size
        self._total: int | None = None  # as the server says
        self._validator: str | None = None  # what tells that the file is still the same
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._finished = False
        self._end = time.monotonic() + _LONGEST_S

    def __enter__(self) -> Self:
        self._connection.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(f".{self._extension}", "fetched-", self._connection.folder)
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            if not self._finished:
                self._path.unlink(missing_ok=True)

    def headers(self) -> dict[str, str]:
        """Return what the next request says: from the beginning, or from where the last answer broke off."""
        headers = {"Accept-Encoding": "identity"}
        if self._size and self._validator is not None:
            headers |= {"Range": f"bytes={self._size}-", "If-Range": self._validator}
        return headers

    def receive(self, target: Target, response: HTTPResponse, restart_clock: Callable[[], None]) -> None:
        """Take an answer's body. Raises FetchError (see may_go_on), and OSError where the disk is full."""
        self._begin(target, response)
        mark = self._size
        for block in self._blocks(response):
            self._size += len(block)
            if self._size > self._connection.max_bytes:
                raise self._too_large()
            if time.monotonic() > self._end:
                raise FetchError("net", "too-slow", f"{self._start.shown} did not come within {_LONGEST_S / 3600:g} h")
            self._file.write(block)
            self._sha256.update(block)
            if self._size - mark >= _SLOWEST * self._connection.timeout_s:
                mark = self._size
                restart_clock()
        if self._total not in (None, self._size):
            raise self._broken_off()

    def may_go_on(self, error: FetchError) -> bool:
        """Tell whether another try may bring the rest."""
        if error.reason == _BROKEN_OFF:
            return True
        return error.kind == "net" and error.reason != "too-slow" and self._size > 0

    def _begin(self, target: Target, response: HTTPResponse) -> None:
        """Look at an answer's head and go to where its body belongs."""
        headers = read_headers(response)
        if response.status == 416 and self._size:
            self._restart()
            raise self._broken_off()
        if response.status not in (200, 206) or (response.status == 206 and not self._size):
            raise refuse_status(target, response.status, headers)
        self._check_type(target, headers)
        length = _length(headers)
        if response.status == 206:
            if not self._continues(headers):
                self._restart()
                raise self._broken_off()
        else:
            self._restart()
            self._total = length
            self._validator = _validator(headers)
        if self._total is not None:
            self._check_total(self._total)

    def _check_type(self, target: Target, headers: dict[str, str]) -> None:
        kind = (_answers.text(headers.get("content-type", "").partition(";")[0]) or "").lower()
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise FetchError("format", "content-encoding", f"{target.shown} is sent compressed, unasked")
        if kind in _PAGES:
            raise FetchError("incomplete", "page-not-media", f"{target.shown} is a web page ({kind}), not media")
        if any(word in kind for word in _PLAYLISTS):
            raise FetchError("format", "playlist", f"{target.shown} is a playlist ({kind[:60]}), not media")

    def _continues(self, headers: dict[str, str]) -> bool:
        found = _RANGE.fullmatch(headers.get("content-range", "").strip())
        if found is None or int(found[1]) != self._size:
            return False
        total = None if found[3] == "*" else int(found[3])
        return total == self._total or self._total is None

    def _check_total(self, total: int) -> None:
        if total > self._connection.max_bytes:
            raise self._too_large()
        if self._expected is not None and total != self._expected:
            detail = f"{self._start.shown} has {total} bytes, not {self._expected}"
            raise FetchError("incomplete", "wrong-size", detail)

    def _too_large(self) -> FetchError:
        detail = f"{self._start.shown} is larger than the {self._connection.max_bytes} bytes allowed (crawl: max_bytes)"
        return FetchError("permanent", "too-large", detail)

    def _blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield what comes, until the end or a break. A full disk is no break: only reading is guarded."""
        blocks = response.stream(BLOCK, decode_content=False)
        while True:
            try:
                block = next(blocks)
            except StopIteration:
                return
            except broken_errors() as error:
                raise self._broken_off() from error
            yield block

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._size, self._total, self._validator = 0, None, None
        self._sha256 = hashlib.sha256()

    def finish(self) -> Fetched:
        """Return the file, whole. Raises FetchError "incomplete" where it has another size than it should."""
        if self._expected is not None and self._size != self._expected:
            detail = f"{self._start.shown} has {self._size} bytes, not {self._expected}"
            raise FetchError("incomplete", "wrong-size", detail)
        if not self._size:
            raise FetchError("incomplete", "empty", f"{self._start.shown} has no content")
        self._file.close()
        self._finished = True
        return Fetched(self._path, self._extension, self._size, self._sha256.hexdigest())

    def _broken_off(self) -> FetchError:
        of = "" if self._total is None else f" of {self._total}"
        return FetchError("incomplete", _BROKEN_OFF, f"{self._start.shown} broke off after {self._size}{of} bytes")


def _length(headers: dict[str, str]) -> int | None:
    value = headers.get("content-length", "").strip()
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    return int(value) if re.fullmatch(r"\d{1,18}", value, re.ASCII) and not chunked else None


def _validator(headers: dict[str, str]) -> str | None:
    """Return what If-Range may hold: a strong ETag, or a date."""
    etag = headers.get("etag", "").strip()
    if etag.startswith('"'):
        return etag
    return headers.get("last-modified") or None
