# SPDX-License-Identifier: Apache-2.0
"""Ids and addresses of YouTube's, checked and in one form. Nothing here asks anybody."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from msgspec import Struct

from speechmill.core.errors import ConfigError

_SITES = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"})
_VIDEO = re.compile(r"[\w-]{11}", re.ASCII)
_CHANNEL = re.compile(r"UC[\w-]{22}", re.ASCII)
_HANDLE = re.compile(r"@[\w.\-·]{3,30}")  # handles may be in any script
_PLAYLIST = re.compile(r"(?:PL|UU|OL|FL|EC)[\w-]{10,60}", re.ASCII)  # not WL and LL, which are an account's own
_CREATIVE_COMMONS = "EgQQATAB"  # the search page's filter: videos, Creative Commons
_HOME = "https://www.youtube.com"


class Listing(Struct, frozen=True):
    """A listing as yt-dlp is asked for it."""

    extractor: str  # yt-dlp's key of what reads it
    url: str
    page: int  # items in one answer of YouTube's
    shorts: bool = False  # a tab of nothing else


def is_video_id(value: object) -> bool:
    """Tell whether an answer's id is one of a video's: ids stand in addresses, rows and names of files."""
    return isinstance(value, str) and _VIDEO.fullmatch(value) is not None


def video_id(value: str) -> str:
    """Return a video's id. Raises ConfigError.

    >>> video_id("https://youtu.be/dQw4w9WgXcQ?t=3"), video_id("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=x")
    ('dQw4w9WgXcQ', 'dQw4w9WgXcQ')
    """
    if _VIDEO.fullmatch(value):
        return value
    host, parts, query = _address(value)
    if host == "youtu.be":
        found = parts[0] if parts else ""
    elif parts == ["watch"]:
        found = query.get("v", [""])[-1]
    else:
        found = parts[1] if len(parts) > 1 and parts[0] in ("shorts", "live", "embed", "v") else ""
    return _matched(_VIDEO, found, value, "video", "dQw4w9WgXcQ")


def playlist_id(value: str) -> str:
    """Return a playlist's id. Raises ConfigError: lists of an account's own (WL, LL) are refused too.

    >>> playlist_id("https://www.youtube.com/playlist?list=PLlist000000000007")
    'PLlist000000000007'
    """
    if _PLAYLIST.fullmatch(value):
        return value
    _, _, query = _address(value)
    return _matched(_PLAYLIST, query.get("list", [""])[-1], value, "playlist", "PL...")


def channel_path(value: str) -> str:
    """Return a channel's path: by id, by handle, or by one of the old kinds of name. Raises ConfigError.

    >>> channel_path("@Khoa.Hoc"), channel_path("https://www.youtube.com/@khoahoc/streams")
    ('@Khoa.Hoc', '@khoahoc')
    """
    if _CHANNEL.fullmatch(value):
        return f"channel/{value}"
    if _HANDLE.fullmatch(value):
        return value
    _, parts, _ = _address(value)
    if parts and _HANDLE.fullmatch(parts[0]):
        return parts[0]
    if len(parts) > 1 and parts[0] == "channel" and _CHANNEL.fullmatch(parts[1]):
        return f"channel/{parts[1]}"
    if len(parts) > 1 and parts[0] in ("c", "user") and re.fullmatch(r"[\w.\-]{1,100}", parts[1]):
        return f"{parts[0]}/{parts[1]}"
    raise ConfigError(f"youtube: {value!r} is no channel; give an id (UC...), a handle (@name) or its address")


def channel_listings(value: str, *, streams: bool, shorts: bool) -> tuple[Listing, ...]:
    """Return a channel's tabs: videos, and where asked for, streams (running ones and recordings) and shorts."""
    base = f"{_HOME}/{quote(channel_path(value), safe='/@')}"
    tabs = ["videos", *(["streams"] if streams else []), *(["shorts"] if shorts else [])]
    return tuple(Listing("YoutubeTab", f"{base}/{tab}", 30, shorts=tab == "shorts") for tab in tabs)


def playlist_listing(value: str) -> Listing:
    """Return a playlist."""
    return Listing("YoutubeTab", f"{_HOME}/playlist?list={playlist_id(value)}", 100)


def search_listing(query: str, *, creative_commons: bool) -> Listing:
    """Return a search for videos, in YouTube's own order."""
    if creative_commons:
        address = urlencode({"search_query": query, "sp": _CREATIVE_COMMONS})
        return Listing("YoutubeSearchURL", f"{_HOME}/results?{address}", 20)
    return Listing("YoutubeSearch", f"ytsearchall:{query}", 20)


def watch_url(video: str) -> str:
    """Return the address of a video's page."""
    return f"{_HOME}/watch?v={video}"


def _address(value: str) -> tuple[str, list[str], dict[str, list[str]]]:
    """Split an address of YouTube's into host, parts of the path, and query; empty ones where it is none."""
    parts = urlsplit(value if "://" in value else f"https://{value}")
    try:
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", [], {}
    known = parts.scheme in ("http", "https") and port in (None, 80, 443) and parts.username is None
    if not known or (host not in _SITES and host != "youtu.be"):
        return "", [], {}
    return host, [unquote(part) for part in parts.path.split("/") if part], parse_qs(parts.query)


def _matched(pattern: re.Pattern[str], found: str, value: str, what: str, example: str) -> str:
    if pattern.fullmatch(found):
        return found
    raise ConfigError(f"youtube: {value!r} is no {what}; give its id ({example}) or its address on youtube.com")
