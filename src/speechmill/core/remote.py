# SPDX-License-Identifier: Apache-2.0
"""What flows through the crawler: what a platform has, what it says of it, and what was fetched.

discover -> Ref (cheap) -> describe -> Description -> a Decision of the policy -> captions, fetch -> Fetched. Only the
fields named here are kept of what a platform answers; raw answers are never stored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from speechmill.core.types import Rights

Kind = Literal["permanent", "geo", "incomplete", "rate", "bot", "net", "format"]
Verdict = Literal["accept", "hold", "skip"]
LICENCE_STATES = ("cc-by", "public-domain", "standard", "unstated", "failed")


class RightsOverride(Struct, frozen=True, forbid_unknown_fields=True):
    """Why recordings may be used whose licence does not say so: an explicit statement of the operator's."""

    basis: str  # "consent", "contract", "fair-dealing", ...
    evidence: str  # where that can be looked up: a file, an address, a contract's number


class Wanted(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every remote source may be asked to leave out. Base of their `Config`s."""

    limit: int | None = None  # recordings kept of this source; None: all that it lists
    licences: tuple[str, ...] = ("cc-by", "public-domain")  # states accepted; what has another is held, and counted
    rights: RightsOverride | None = None  # accepts the other states too, but never "failed"
    min_duration_s: float | None = None  # seconds
    max_duration_s: float | None = 14_400.0  # seconds; four hours: longer ones are mostly streams left running
    languages: tuple[str, ...] = ()  # ISO 639; what states another is left out, what states none is kept
    after: str | None = None  # ISO date; published on it or later
    before: str | None = None  # ISO date; published before it
    min_views: int | None = None
    captions: Literal["manual", "automatic", "any"] | None = None  # only what has them
    channels_allow: tuple[str, ...] = ()  # ids, handles or names; empty: all
    channels_deny: tuple[str, ...] = ()
    live: bool = False  # streams that run now
    shorts: bool = False


class Ref(Struct, frozen=True):
    """An item as a listing shows it. (platform, id) names it everywhere; hints may be missing."""

    platform: str  # name of the source backend
    id: str  # the platform's own
    url: str  # the address that a person can open
    title: str | None = None
    duration: float | None = None  # seconds
    channel: str | None = None
    channel_id: str | None = None
    views: int | None = None
    date: str | None = None  # ISO date of publication
    live: bool | None = None
    short: bool | None = None
    language: str | None = None


class Page(Struct, frozen=True):
    """Some refs of a listing, and where it goes on. `cursor` None: this is its end."""

    refs: tuple[Ref, ...]
    cursor: str | None = None


class CaptionTrack(Struct, frozen=True):
    """Captions that can be had."""

    language: str  # as the platform writes it
    kind: Literal["manual", "automatic"]


class Description(Struct, frozen=True):
    """What a platform says of one item: everything that is kept of its metadata."""

    platform: str
    id: str
    url: str
    title: str
    duration: float | None = None  # seconds
    author: str | None = None  # a person or a channel, as it wants to be named
    channel_id: str | None = None
    channel_handle: str | None = None
    author_url: str | None = None
    date: str | None = None  # ISO date of publication
    language: str | None = None
    views: int | None = None
    category: str | None = None
    licence: str | None = None  # as the platform words it
    rights: Rights = Rights()
    tracks: tuple[CaptionTrack, ...] = ()
    live: bool = False
    short: bool = False
    missing: tuple[str, ...] = ()  # fields that this platform usually states and here did not


class Decision(Struct, frozen=True):
    """What the policy says of an item. `reason`: a short kebab-case class, such as "licence-unstated"."""

    verdict: Verdict
    reason: str = ""
    detail: str = ""


class Caption(Struct, frozen=True):
    """One file of captions, as WebVTT."""

    language: str
    kind: Literal["manual", "automatic"]
    content: bytes


class Fetched(Struct, frozen=True):
    """Media that lies in a temporary file of the caller's, which moves or deletes it."""

    path: Path
    extension: str  # "m4a", "mp3": by the container's format
    size: int
    sha256: str


class Asset(Struct, frozen=True):
    """Media that lies in the blob store, under `key`: originals by the hash of their content."""

    key: str
    sha256: str
    size: int
    extension: str
    duration: float | None = None  # seconds, as the container says


class CaptionAsset(Struct, frozen=True):
    """Captions that lie in the blob store."""

    key: str
    sha256: str
    language: str
    kind: Literal["manual", "automatic"]
