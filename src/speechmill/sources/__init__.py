# SPDX-License-Identifier: Apache-2.0
"""Where recordings come from: one backend is one file.

Local ones have files at hand: `Backend(config, base).discover()` yields `Source` rows without keys (`base`: folder
that relative paths start at); the pipeline hashes them. Nothing is decoded here.

Remote ones set `REMOTE = True` and are crawled first. Their module has besides

    BUDGET      items an hour that may be asked of the platform, by whatever number of ways; None: no limit
    HOSTS       patterns of hosts that may be asked: ("youtube.com", "*.googlevideo.com"); or (), see hosts
    Config      inherits `core.remote.Wanted`; its own fields are the query
    hosts       hosts(config): patterns, in place of HOSTS where the config names them (optional)
    kind        kind(config) -> str: "search", "channel", "feed"; what statistics are told apart by
    visiting    visiting(config): the config without its query, where visits don't need that: those of many queries then
                share backends, and their connections (optional)
    check       check(config): raises ConfigError where fields contradict each other (optional)
    Backend     `Backend(config, connection)`, with the methods of `RemoteBackend`

One remote backend object is used by one thread at a time and lives as long as its worker. What goes wrong is a
`FetchError`, whose kind decides what the crawler does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from speechmill.core.remote import Caption, Description, Fetched, Page, Ref
from speechmill.core.types import Source


class SourceBackend(Protocol):
    """Finds recordings that are files."""

    def discover(self) -> Iterator[Source]:
        """Yield one row per audio file in a stable order; unreadable ones with `error` set."""
        ...


class Connection(Struct, frozen=True):
    """The way from one worker to a platform, and its limits."""

    folder: Path  # for temporary files; on the disk where originals go
    proxy: str | None = None  # http://user:password@host:port or socks5h://...; None: direct. Never logged
    cookies: Path | None = None  # this worker's own copy of a Netscape cookie file
    user_agent: str = "speechmill (+https://pypi.org/project/speechmill)"
    timeout_s: float = 20.0  # of one request
    max_bytes: int = 2 << 30  # of one media file
    max_duration_s: float = 36_000.0  # of one recording
    api_key: str | None = None  # of the platform's official interface, where it has one. Never logged
    pace: Path | None = None  # folder in which workers agree on sites' crawl delays; None: each worker's own


class RemoteBackend(Protocol):
    """Asks one platform. `num_requests` counts what was sent, listings and media included."""

    num_requests: int

    def discover(self, cursor: str | None) -> Page:
        """Return the next page of what the config asks for. `cursor`: of the page before; None: from the start."""
        ...

    def describe(self, ref: Ref) -> Description:
        """Return what the platform says of an item, without its media."""
        ...

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch captions in these languages (all where none are named) and of these kinds, as WebVTT.

        Automatic ones have times inside their cues where the platform gives the words' times.
        """
        ...

    def fetch(self, description: Description) -> Fetched:
        """Fetch the media into a file of its own in the connection's folder.

        Whole, or a FetchError: a file that is shorter than the platform said is `incomplete`.
        """
        ...

    def close(self) -> None:
        """Let go of connections and temporary files."""
        ...
