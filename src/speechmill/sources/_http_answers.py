# SPDX-License-Identifier: Apache-2.0
"""What an answer means: statuses and broken connections as FetchErrors, Retry-After, bodies of bounded size."""

from __future__ import annotations

import email.utils
import re
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from speechmill.core.errors import FetchError
from speechmill.core.remote import Kind
from speechmill.sources import _answers
from speechmill.sources._http_guard import Target
from speechmill.sources._http_wire import broken_errors

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

BLOCK = 1 << 16  # bytes that are read at a time
_LONGEST_WAIT_S = 86_400.0  # a platform that names a later time is asked again after a day
_DETAIL = 200  # characters of a peer's words in a message

_STATUSES: Mapping[int, tuple[Kind, str]] = {
    401: ("permanent", "forbidden"),
    402: ("permanent", "forbidden"),
    403: ("permanent", "forbidden"),
    404: ("permanent", "not-found"),
    407: ("net", "proxy-refused"),
    408: ("net", "server-error"),
    410: ("permanent", "gone"),
    425: ("rate", "too-many-requests"),
    429: ("rate", "too-many-requests"),
    451: ("geo", "not-here"),
    503: ("rate", "unavailable"),
}


def read_headers(response: HTTPResponse) -> dict[str, str]:
    """Return headers by their name in lower case; those that come twice are joined by a comma."""
    return {name.lower(): response.headers[name] for name in response.headers}


def refuse_status(target: Target, status: int, headers: Mapping[str, str]) -> FetchError:
    """Make the error of an answer that is not what was asked for."""
    kind, reason = _STATUSES.get(status, ("net", "server-error") if status >= 500 else ("format", "odd-answer"))
    if status == 403 and headers.get("cf-mitigated") == "challenge":
        kind, reason = "bot", "challenge"
    wait = retry_after(headers.get("retry-after")) if kind in ("rate", "net") else None
    return FetchError(kind, reason, f"{target.shown} answers {status}", retry_after=wait)


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, seconds or a date, as seconds from now; None where it says neither.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    if value is None:
        return None
    if re.fullmatch(r"\d{1,10}", value.strip(), re.ASCII):
        return min(float(value), _LONGEST_WAIT_S)
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, moment - time.time()), _LONGEST_WAIT_S)


def broken(target: Target, error: Exception, proxy: str | None) -> FetchError:
    """Make the error of an answer that did not come."""
    import urllib3.exceptions

    way = "" if proxy is None else f" through {proxy}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchError("net", "certificate", f"{target.origin}{way}: {error.verify_message}")
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return FetchError("net", "timeout", f"{target.shown}{way} took too long")
    words = _answers.text(f"{type(error).__name__}: {error}") or ""
    return FetchError("net", "no-answer", f"{target.shown}{way}: {words[:_DETAIL]}")


def read_body(target: Target, response: HTTPResponse, max_bytes: int, proxy: str | None) -> bytes:
    """Read a body and undo its compression, no more than a block at a time.

    Raises FetchError "too-large" where it is longer than max_bytes, "net" where it breaks off.
    """
    body = read_start(target, response, max_bytes + 1, proxy)
    if len(body) > max_bytes:
        raise FetchError("permanent", "too-large", f"{target.shown} is larger than {max_bytes} bytes")
    return body


def read_start(target: Target, response: HTTPResponse, max_bytes: int, proxy: str | None) -> bytes:
    """Read a body up to a size; what follows is left."""
    body = bytearray()
    try:
        for block in _decoded(target, response):
            body += block
            if len(body) >= max_bytes:
                break
    except broken_errors() as error:
        raise broken(target, error, proxy) from error
    return bytes(body[:max_bytes])


def _decoded(target: Target, response: HTTPResponse) -> Iterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    blocks = response.stream(BLOCK, decode_content=False)
    if encoding in ("identity", ""):
        return blocks
    if encoding in ("gzip", "x-gzip"):
        return _gunzipped(target, blocks)
    # Only gzip is asked for: what nobody asked for is not decompressed.
    raise FetchError("format", "content-encoding", f"{target.shown} is sent as {encoding[:20]!r}")


def _gunzipped(target: Target, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield at most BLOCK bytes at a time. Raises FetchError "incomplete" where the stream has no end."""
    inflater = zlib.decompressobj(31)  # gzip with its header and checksum
    started = False
    for block in blocks:
        rest = block
        while rest:
            if inflater.eof:  # a second member
                inflater = zlib.decompressobj(31)
            started = True
            try:
                plain = inflater.decompress(rest, BLOCK)
            except zlib.error as error:
                raise FetchError("incomplete", "broken-gzip", f"{target.shown}: {error}") from error
            yield plain
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    # What is left inside is less than a block, of input that was taken whole.
    while started and not inflater.eof:
        try:
            plain = inflater.decompress(b"", BLOCK)
        except zlib.error as error:
            raise FetchError("incomplete", "broken-gzip", f"{target.shown}: {error}") from error
        if not plain:
            raise FetchError("incomplete", "broken-gzip", f"{target.shown} ends inside its gzip stream")
        yield plain
