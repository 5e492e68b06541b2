# SPDX-License-Identifier: Apache-2.0
"""What can be set of the replica, at its start or later: `Replica.control(**changes)`. Times in seconds."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, convert, to_builtins


class EgressSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one proxy behaves."""

    dead: bool = False  # hangs up on whoever connects
    silent: bool = False  # lets clients wait for ever
    dies_after: int | None = None  # requests, then dead
    drop_share: float = 0.0  # of requests that get no answer
    ban_after: int | None = None  # requests to YouTube's pages and interface; then every player asks for a person
    rate: int | None = None  # requests to one host in a window; what is more gets 429. Media is not counted
    window_s: float = 10.0
    username: str | None = None  # with a password: 407 without them
    password: str | None = None
    country: str = "VN"  # seen from here; "geo" videos play in GEO_COUNTRY alone


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the replica's world is, and how far away. Egresses: by index, as text."""

    # distance
    latency_s: float = 0.0  # of each request; a connection costs two more, for TCP with CONNECT and for TLS
    jitter_s: float = 0.0  # at most, on top
    bytes_per_s: float | None = None  # of each connection
    weight: Literal["small", "realistic"] = "small"  # of pages: realistic `next` answers have 600 kB, 40 formats
    # what there is on YouTube
    channels: int = 20
    videos_per_channel: int = 250  # at most 900; besides them 30 shorts and 10 streams each
    search_results: int = 600  # a search ends there
    search_mixed: bool = False  # searches show shorts and streams too
    languages: tuple[str, ...] = ("vi", "vi", "vi", "en")  # of videos, in turn
    distinct: bool = True  # the same audio has other bytes for each video (MP4 only)
    microformat: bool = True  # player answers hold date and category
    faults: dict[str, float] = {}  # share of listed videos by fault: {"private": 0.05}; see faults.py
    seed: int = 0  # which ones
    videos: dict[str, dict[str, Any]] = {}  # fields of one video to set: {"v0000001000": {"licence": None}}
    # how it fails
    fault_times: int = 1  # tries of one video that a fault takes before it heals
    retry_after_s: int = 1  # what a 429 says
    slow_bytes_per_s: float = 2_000.0  # of a slow body
    status: dict[str, int] = {}  # HTTP status of all requests with a path: {"/youtubei/v1/next": 429}
    cookies_revoked: bool = False  # nobody is logged in
    api_keys: tuple[str, ...] = ("replica-key",)  # of the Data API
    api_quota: int | None = None  # units of it
    # the rest
    sites: dict[str, dict[str, Any]] = {}  # options of sites by name
    egress: dict[str, EgressSettings] = {}


def changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Return settings with changes; those of an egress and of a site are merged with what was set for it."""
    values = to_builtins(settings)
    for name, value in changes.items():
        if name in ("egress", "sites", "videos", "status"):
            merged = {**values[name]}
            for key, part in value.items():
                merged[str(key)] = {**merged.get(str(key), {}), **part} if isinstance(part, dict) else part
            value = merged
        values[name] = value
    return convert(values, Settings)
