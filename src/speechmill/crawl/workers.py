# SPDX-License-Identifier: Apache-2.0
"""Processes of threads that hold long-lived remote backends. One that dies costs the calls it had, and is replaced."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct

from speechmill.core.remote import Caption, Decision, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection


class Asked(Struct, frozen=True):
    """One call to a backend."""

    backend: str  # name in the family `sources`
    config: Any  # its Config
    connection: Connection
    verb: Literal["discover", "visit", "describe"]
    cursor: str | None = None  # of discover
    ref: Ref | None = None  # of visit and describe
    language: str | None = None  # of the corpus
    caption_languages: tuple[str, ...] = ()
    caption_kinds: tuple[str, ...] = ("manual",)


class Answer(Struct, frozen=True):
    """What came of a call. A visit may be described and yet fail at its media: then both are set."""

    page: Page | None = None
    description: Description | None = None
    decision: Decision | None = None
    captions: tuple[Caption, ...] = ()
    fetched: Fetched | None = None
    error: Any = None  # FetchError, with secrets redacted
    requests: int = 0
    seconds: float = 0.0


class Workers(Protocol):
    """Runs calls, bounded by processes x threads; a call whose worker dies answers with kind "net", "worker-died"."""

    async def ask(self, asked: Asked) -> Answer: ...

    async def close(self) -> None: ...


def wanted_of(config: Any) -> Wanted:
    """Return the policy part of a remote source's config."""
    if not isinstance(config, Wanted):
        raise TypeError(f"{type(config).__module__}.Config does not inherit core.remote.Wanted")
    return config
