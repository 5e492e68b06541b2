# SPDX-License-Identifier: Apache-2.0
"""YouTube's Data API v3, for listings and descriptions: official, with a key, by a quota of units a day.

A page of a playlist or of a channel's uploads, and the descriptions of its 50 videos, cost one unit each; a page of a
search costs 100. It has no sound and names no captions' languages: those are asked for as without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from speechmill.core.errors import FetchError
from speechmill.core.remote import Description, Page, Ref
from speechmill.core.types import Rights
from speechmill.sources import Connection
from speechmill.sources._http import Client
from speechmill.sources._youtube_describe import PLATFORM, STANDARD, creative_commons, with_missing
from speechmill.sources._youtube_query import channel_path, playlist_id, watch_url

HOST = "www.googleapis.com"
_BASE = f"https://{HOST}/youtube/v3/"
REFUSED = "api-refused"
_PAGE = 50  # the API's most
_PARTS = "snippet,contentDetails,status,statistics"
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS = (604_800, 86_400, 3_600, 60, 1)


class Api:
    """Asks the API with a key, which is sent as a header: addresses end up in messages."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._client = Client(connection, (HOST,))
        self._key = key
        self._uploads: dict[str, str] = {}  # playlist of a channel's uploads, by the channel's path

    @property
    def num_requests(self) -> int:
        return self._client.num_requests

    def search(self, query: str, token: str | None, *, creative_commons_only: bool) -> Page:
        """Return a page of a search for videos. 100 units."""
        only = {"videoLicense": "creativeCommon"} if creative_commons_only else {}
        found = self._ask("search", {"part": "snippet", "type": "video", "q": query, **only}, token)
        return _page(found, lambda item: item["id"]["videoId"])

    def playlist(self, value: str, token: str | None) -> Page:
        """Return a page of a playlist. 1 unit."""
        found = self._ask("playlistItems", {"part": "snippet", "playlistId": playlist_id(value)}, token)
        return _page(found, lambda item: item["snippet"]["resourceId"]["videoId"])

    def channel(self, value: str, token: str | None) -> Page:
        """Return a page of a channel's uploads, streams and shorts among them. 1 unit; 2 at first, by handle."""
        path = channel_path(value)
        if path not in self._uploads:
            self._uploads[path] = self._uploads_of(path)
        return self.playlist(self._uploads[path], token)

    def describe(self, ids: Sequence[str], today: str) -> dict[str, Description]:
        """Return what is said of up to 50 videos; those that are gone or private are absent. 1 unit."""
        found = self._ask("videos", {"part": _PARTS, "id": ",".join(ids[:_PAGE])}, None)
        return {item["id"]: _description(item, today) for item in found.get("items", ())}

    def close(self) -> None:
        self._client.close()

    def _uploads_of(self, path: str) -> str:
        if path.startswith("channel/UC"):
            return "UU" + path.removeprefix("channel/UC")
        kind, _, name = path.rpartition("/")
        which = {"forUsername": name} if kind == "user" else {"forHandle": name}
        found = self._ask("channels", {"part": "contentDetails", **which}, None).get("items")
        if not found:
            raise FetchError("permanent", "no-such-listing", f"YouTube's interface knows no channel {path}")
        return str(found[0]["contentDetails"]["relatedPlaylists"]["uploads"])

    def _ask(self, resource: str, params: Mapping[str, str], token: str | None) -> dict[str, Any]:
        paged = {"pageToken": token} if token else {}
        size = {} if resource == "channels" or "id" in params else {"maxResults": str(_PAGE)}
        try:
            answer = self._client.get(
                _BASE + resource, params={**params, **size, **paged}, headers={"X-Goog-Api-Key": self._key}
            )
            found = json.loads(answer.content)
        except ValueError:
            raise FetchError("incomplete", "broken-json", f"{resource} of the Data API") from None
        except FetchError as error:
            if error.reason != "forbidden":
                raise
            raise FetchError("rate", REFUSED, "the Data API refuses the key, or its quota is spent") from None
        return found if isinstance(found, dict) else {}


def _page(found: Mapping[str, Any], id_of: Any) -> Page:
    try:
        refs = tuple(_ref(id_of(item), item["snippet"]) for item in found.get("items", ()))
    except (KeyError, TypeError) as error:
        raise FetchError("format", "unforeseen-answer", f"the Data API names no {error}") from None
    return Page(refs, found.get("nextPageToken"))


def _ref(video: str, snippet: Mapping[str, Any]) -> Ref:
    return Ref(
        PLATFORM,
        video,
        watch_url(video),
        title=snippet.get("title"),
        channel=snippet.get("videoOwnerChannelTitle") or snippet.get("channelTitle"),
        channel_id=snippet.get("videoOwnerChannelId") or snippet.get("channelId"),
        live=snippet["liveBroadcastContent"] in ("live", "upcoming") if "liveBroadcastContent" in snippet else None,
    )


def _description(item: Mapping[str, Any], today: str) -> Description:
    snippet, status = item.get("snippet") or {}, item.get("status") or {}
    views = (item.get("statistics") or {}).get("viewCount")
    date = (snippet.get("publishedAt") or "")[:10] or None
    described = Description(
        PLATFORM,
        item["id"],
        watch_url(item["id"]),
        snippet.get("title", ""),
        duration=iso_seconds((item.get("contentDetails") or {}).get("duration")),
        author=snippet.get("channelTitle"),
        channel_id=snippet.get("channelId"),
        author_url=f"https://www.youtube.com/channel/{snippet['channelId']}" if snippet.get("channelId") else None,
        date=date,
        language=snippet.get("defaultAudioLanguage"),
        views=int(views) if views else None,
        licence=status.get("license"),
        rights=_rights(snippet, status.get("license"), item["id"], date, today),
        live=snippet.get("liveBroadcastContent") in ("live", "upcoming"),
    )
    return with_missing(described, "tracks", "short")


def _rights(snippet: Mapping[str, Any], wording: str | None, video: str, date: str | None, today: str) -> Rights:
    common = Rights(title=snippet.get("title"), author=snippet.get("channelTitle"), url=watch_url(video), seen=today)
    said = f'YouTube\'s Data API says "license": "{wording}"'
    if wording == "creativeCommon":
        return creative_commons(common, said, date)
    if wording == "youtube":
        return replace(common, licence=STANDARD, state="standard", evidence=f"{said}; seen {today}")
    return replace(common, state="failed", evidence=f"YouTube's Data API names no licence that is known; asked {today}")


def iso_seconds(duration: str | None) -> float | None:
    """Return a duration of ISO 8601 in seconds.

    >>> iso_seconds("PT1H2M3S"), iso_seconds("P1DT1S"), iso_seconds(None)
    (3723.0, 86401.0, None)
    """
    found = _DURATION.fullmatch(duration or "-")
    return float(sum(int(n or 0) * unit for n, unit in zip(found.groups(), _SECONDS, strict=True))) if found else None
