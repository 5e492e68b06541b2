# SPDX-License-Identifier: Apache-2.0
"""YouTube's Data API v3, for listings and descriptions: official, with a key, by a quota of units a day.

A page of a playlist or of a channel's uploads, and the descriptions of its 50 videos, cost one unit each; a page of a
search costs 100. It has no sound and names no captions' languages: those are asked for as without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from speechmill.core.errors import FetchError
from speechmill.core.remote import Description, Page, Ref
from speechmill.core.types import Rights
from speechmill.sources import Connection, _answers
from speechmill.sources._http import Client
from speechmill.sources._youtube_describe import PLATFORM, STANDARD, creative_commons, with_missing
from speechmill.sources._youtube_query import channel_path, is_video_id, playlist_id, watch_url

HOST = "www.googleapis.com"
_BASE = f"https://{HOST}/youtube/v3/"
REFUSED = "api-refused"
_PAGE = 50  # the API's most
_PARTS = "snippet,contentDetails,status,statistics"
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_LIVE = ("live", "upcoming")
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
        return _page(found, lambda item: _inside(item, "id").get("videoId"))

    def playlist(self, value: str, token: str | None) -> Page:
        """Return a page of a playlist. 1 unit."""
        found = self._ask("playlistItems", {"part": "snippet", "playlistId": playlist_id(value)}, token)
        return _page(found, lambda item: _inside(item, "snippet", "resourceId").get("videoId"))

    def channel(self, value: str, token: str | None) -> Page:
        """Return a page of a channel's uploads, streams and shorts among them. 1 unit; 2 at first, by handle."""
        path = channel_path(value)
        if path not in self._uploads:
            self._uploads[path] = self._uploads_of(path)
        return self.playlist(self._uploads[path], token)

    def describe(self, ids: Sequence[str], today: str) -> dict[str, Description]:
        """Return what is said of up to 50 videos; those that are gone or private are absent. 1 unit."""
        found = self._ask("videos", {"part": _PARTS, "id": ",".join(ids[:_PAGE])}, None)
        described = (_description(item, today) for item in _items(found) if item.get("id") in ids)
        return {one.id: one for one in described}

    def close(self) -> None:
        self._client.close()

    def _uploads_of(self, path: str) -> str:
        if path.startswith("channel/UC"):
            return "UU" + path.removeprefix("channel/UC")
        kind, _, name = path.rpartition("/")
        which = {"forUsername": name} if kind == "user" else {"forHandle": name}
        found = self._ask("channels", {"part": "contentDetails", **which}, None)
        if not found.get("items") and "pageInfo" in found:
            raise FetchError("permanent", "no-such-listing", f"YouTube's interface knows no channel {path}")
        lists = (_inside(item, "contentDetails", "relatedPlaylists").get("uploads") for item in _items(found))
        uploads = next((text for text in map(_answers.text, lists) if text), None)
        if uploads is None:
            raise FetchError("format", "unforeseen-answer", f"the Data API names no uploads of {path}")
        return uploads

    def _ask(self, resource: str, params: Mapping[str, str], token: str | None) -> Mapping[str, Any]:
        paged = {"pageToken": token} if token else {}
        size = {} if resource == "channels" or "id" in params else {"maxResults": str(_PAGE)}
        try:
            answer = self._client.get(
                _BASE + resource, params={**params, **size, **paged}, headers={"X-Goog-Api-Key": self._key}
            )
            return _answers.mapping(msgspec.json.decode(answer.content))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise FetchError("incomplete", "broken-json", f"{resource} of the Data API") from None
        except FetchError as error:
            if error.reason != "forbidden":
                raise
            raise FetchError("rate", REFUSED, "the Data API refuses the key, or its quota is spent") from None


def _items(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of an answer. Without a list it says nothing: not that what was asked for is gone."""
    if not isinstance(found.get("items"), list):
        raise FetchError("incomplete", "no-items", "the Data API answered without a list")
    return _answers.entries(found["items"])


def _inside(item: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return an object inside others; an empty one where it is absent."""
    for name in names:
        item = _answers.mapping(item.get(name))
    return item


def _page(found: Mapping[str, Any], id_of: Callable[[Mapping[str, Any]], Any]) -> Page:
    named = [(id_of(item), _inside(item, "snippet")) for item in _items(found)]
    refs = tuple(_ref(video, snippet) for video, snippet in named if is_video_id(video))
    if len(refs) < len(named):
        raise FetchError("format", "unforeseen-answer", "the Data API names no id of a video")
    return Page(refs, _answers.text(found.get("nextPageToken")))


def _ref(video: str, snippet: Mapping[str, Any]) -> Ref:
    state = _answers.text(snippet.get("liveBroadcastContent"))
    return Ref(
        PLATFORM,
        video,
        watch_url(video),
        title=_answers.text(snippet.get("title")),
        channel=_answers.text(snippet.get("videoOwnerChannelTitle")) or _answers.text(snippet.get("channelTitle")),
        channel_id=_answers.text(snippet.get("videoOwnerChannelId")) or _answers.text(snippet.get("channelId")),
        live=None if state is None else state in _LIVE,
    )


def _description(item: Mapping[str, Any], today: str) -> Description:
    snippet, video = _inside(item, "snippet"), item["id"]
    title = _answers.text(snippet.get("title")) or video
    author, channel_id = _answers.text(snippet.get("channelTitle")), _answers.text(snippet.get("channelId"))
    date = _answers.date(snippet.get("publishedAt"))
    licence = _answers.text(_inside(item, "status").get("license"))
    common = Rights(title=title, author=author, url=watch_url(video), seen=today)
    described = Description(
        PLATFORM,
        video,
        watch_url(video),
        title,
        duration=iso_seconds(_answers.text(_inside(item, "contentDetails").get("duration"))),
        author=author,
        channel_id=channel_id,
        author_url=f"https://www.youtube.com/channel/{channel_id}" if channel_id else None,
        date=date,
        language=_answers.text(snippet.get("defaultAudioLanguage")),
        views=_answers.whole(_inside(item, "statistics").get("viewCount")),
        licence=licence,
        rights=_rights(common, licence, date),
        live=snippet.get("liveBroadcastContent") in _LIVE,
    )
    return with_missing(described, "tracks", "short")


def _rights(common: Rights, wording: str | None, date: str | None) -> Rights:
    """common: title, author, address and day."""
    said = f'YouTube\'s Data API says "license": "{wording}"'
    if wording == "creativeCommon":
        return creative_commons(common, said, date)
    if wording == "youtube":
        return replace(common, licence=STANDARD, state="standard", evidence=f"{said}; seen {common.seen}")
    lost = f"YouTube's Data API names no licence that is known; asked {common.seen}"
    return replace(common, state="failed", evidence=lost)


def iso_seconds(duration: str | None) -> float | None:
    """Return a duration of ISO 8601 in seconds.

    >>> iso_seconds("PT1H2M3S"), iso_seconds("P1DT1S"), iso_seconds(None)
    (3723.0, 86401.0, None)
    """
    found = _DURATION.fullmatch(duration or "-")
    return float(sum(int(n or 0) * unit for n, unit in zip(found.groups(), _SECONDS, strict=True))) if found else None
