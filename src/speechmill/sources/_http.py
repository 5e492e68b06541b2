# SPDX-License-Identifier: Apache-2.0
"""A careful HTTP client for open platforms: hosts allowed by name, addresses that are public, bounded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from speechmill.core.remote import Fetched
from speechmill.sources import Connection


class Response(Struct, frozen=True):
    """An answer, whole. Header names are in lower case."""

    url: str  # after redirects
    status: int
    headers: Mapping[str, str]
    content: bytes


class Client:
    """Asks the hosts it may. Everything that goes wrong is a FetchError; used by one thread at a time."""

    def __init__(self, connection: Connection, hosts: Sequence[str], *, robots: bool = False) -> None:
        """hosts: patterns that a host must match, "archive.org" or "*.archive.org"; robots: ask robots.txt first."""
        self.num_requests = 0
        raise NotImplementedError

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 16 << 20,
    ) -> Response:
        """Return a 2xx answer. Others are FetchErrors: 404, 410 permanent; 429, 503 rate; 5xx, no answer: net."""
        raise NotImplementedError

    def json(self, url: str, *, params: Mapping[str, str] | None = None, max_bytes: int = 16 << 20) -> Any:
        """Return a decoded JSON answer; what isn't JSON is a FetchError of kind "incomplete"."""
        raise NotImplementedError

    def download(self, url: str, *, extension: str, expected_size: int | None = None) -> Fetched:
        """Fetch a file into the connection's folder, going on after a break; whole, or FetchError "incomplete"."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
