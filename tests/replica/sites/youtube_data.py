# SPDX-License-Identifier: Apache-2.0
"""YouTube's Data API v3: search.list, videos.list, playlistItems.list, channels.list, with keys and a quota.

Private and deleted videos are left out, as there. A search costs 100 units, the rest one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replica.messages import Answer, Request, json_answer
from replica.sites.youtube import channel_of
from replica.videos import Video, channel_id, channel_videos, found, number_of, video

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("www.googleapis.com", "youtube.googleapis.com")
COST_OF_SEARCH = 100
MAX_RESULTS = 50
CATEGORY_IDS = {"Education": "27", "Science & Technology": "28", "News & Politics": "25", "People & Blogs": "22"}


def answer(request: Request, world: World) -> Answer:
    kind = request.path.removeprefix("/youtube/v3/")
    lists = {"search": _search, "videos": _videos, "playlistItems": _playlist_items, "channels": _channels}
    if kind not in lists:
        return error(404, "notFound", "Not found.")
    key = request.query.get("key") or request.headers.get("x-goog-api-key")
    if not key:
        return error(403, "forbidden", "Method doesn't allow unregistered callers. Please use API Key.")
    if key not in world.settings.api_keys:
        return error(400, "badRequest", "API key not valid. Please pass a valid API key.")
    memory = world.memory("youtube_data")
    memory["units"] = memory.get("units", 0) + (COST_OF_SEARCH if kind == "search" else 1)
    if world.settings.api_quota is not None and memory["units"] > world.settings.api_quota:
        return error(403, "quotaExceeded", "The request cannot be completed because you have exceeded your quota.")
    return lists[kind](request, world)


def error(status: int, reason: str, message: str) -> Answer:
    """Answer as the interface does where it refuses."""
    details = [{"message": message, "domain": "youtube.quota", "reason": reason}]
    return json_answer({"error": {"code": status, "message": message, "errors": details}}, status)


def _paged(names: list[str], request: Request, kind: str, make: Any, world: World) -> Answer:
    """Answer with one page of a list of ids."""
    size = min(int(request.query.get("maxResults", 5)), MAX_RESULTS)
    token = request.query.get("pageToken", "P0")
    start = number_of(token, "P")
    if start is None:
        return error(400, "invalidPageToken", "The request specifies an invalid page token.")
    videos = [made for name in names[start : start + size] if (made := video(name, world))]
    parts = request.query.get("part", "").split(",")
    value: dict[str, Any] = {
        "kind": f"youtube#{kind}",
        "pageInfo": {"totalResults": len(names), "resultsPerPage": size},
        "items": [make(item, parts) for item in videos],
    }
    if start + size < len(names):
        value["nextPageToken"] = f"P{start + size}"
    return json_answer(value)


def _search(request: Request, world: World) -> Answer:
    if channel := request.query.get("channelId"):
        number = channel_of(channel, world)
        names = [] if number is None else channel_videos(number, "videos", world.settings)
    else:
        names = found(request.query.get("q", ""), 0, world.settings.search_results, world.settings)
    if request.query.get("videoLicense") == "creativeCommon":
        names = [name for name in names if (made := video(name, world)) and made.licence]
    return _paged(names, request, "searchListResponse", _result, world)


def _result(made: Video, parts: list[str]) -> dict[str, Any]:
    item: dict[str, Any] = {"kind": "youtube#searchResult", "id": {"kind": "youtube#video", "videoId": made.id}}
    return {**item, **({"snippet": _snippet(made)} if "snippet" in parts else {})}


def _playlist_items(request: Request, world: World) -> Answer:
    name = request.query.get("playlistId", "")
    numbers = (number_of(name, "PLreplica"), number_of(name, "UUreplica"))
    number = next((number for number in numbers if number is not None), None)
    if number is None or number >= world.settings.channels:
        return error(404, "playlistNotFound", "The playlist identified with the request's playlistId cannot be found.")
    names = channel_videos(number, "videos", world.settings)
    return _paged(names, request, "playlistItemListResponse", _playlist_item, world)


def _playlist_item(made: Video, parts: list[str]) -> dict[str, Any]:
    resource = {"kind": "youtube#video", "videoId": made.id}
    every = {
        "snippet": {**_snippet(made), "resourceId": resource},
        "contentDetails": {"videoId": made.id, "videoPublishedAt": published(made)},
    }
    return {"kind": "youtube#playlistItem", "id": f"item-{made.id}", **_parts(every, parts)}


def _channels(request: Request, world: World) -> Answer:
    names = [request.query.get("forHandle", ""), *request.query.get("id", "").split(",")]
    numbers = [channel_of(name if name.startswith("UC") else f"@{name.lstrip('@')}", world) for name in names if name]
    items = [_channel(number) for number in numbers if number is not None]
    return json_answer({"kind": "youtube#channelListResponse", **({"items": items} if items else {})})


def _channel(number: int) -> dict[str, Any]:
    uploads = "UU" + channel_id(number).removeprefix("UC")
    return {
        "kind": "youtube#channel",
        "id": channel_id(number),
        "snippet": {"title": f"Channel {number}", "customUrl": f"@channel{number}"},
        "contentDetails": {"relatedPlaylists": {"uploads": uploads}},
    }


def _videos(request: Request, world: World) -> Answer:
    names = request.query.get("id", "").split(",")
    if len(names) > MAX_RESULTS:
        return error(400, "invalidFilters", "The request specifies too many ids.")
    parts = request.query.get("part", "").split(",")
    for name in names:
        world.videos[name]["data"] += 1
    items = [
        _video(made, parts)
        for name in names
        if (made := video(name, world)) and made.fault not in ("private", "deleted")
    ]
    page = {"totalResults": len(items), "resultsPerPage": len(items)}
    return json_answer({"kind": "youtube#videoListResponse", "items": items, "pageInfo": page})


def _video(made: Video, parts: list[str]) -> dict[str, Any]:
    details: dict[str, Any] = {
        "duration": iso_duration(made.duration),
        "dimension": "2d",
        "caption": "true" if made.manual else "false",
        "licensedContent": False,
        "contentRating": {"ytRating": "ytAgeRestricted"} if made.fault == "age" else {},
    }
    if made.fault == "geo":
        details["regionRestriction"] = {"allowed": ["SG"]}
    licence = "creativeCommon" if made.licence else "youtube"
    every = {
        "snippet": {**_snippet(made), "categoryId": CATEGORY_IDS.get(made.category, "22")},
        "contentDetails": details,
        "status": {"uploadStatus": "processed", "privacyStatus": "public", "license": licence, "embeddable": True},
        "statistics": {"viewCount": str(made.views), "likeCount": "1"},
    }
    return {"kind": "youtube#video", "id": made.id, **_parts(every, parts)}


def _parts(every: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    return {name: value for name, value in every.items() if name in parts}


def _snippet(made: Video) -> dict[str, Any]:
    live = {"live": "live", "upcoming": "upcoming"}.get(made.fault or "", "none")
    return {
        "publishedAt": published(made),
        "channelId": made.channel_id,
        "channelTitle": made.channel_name,
        "title": made.title,
        "description": f"About talk {made.number}.",
        "liveBroadcastContent": live,
        "defaultAudioLanguage": made.language,
    }


def published(made: Video) -> str:
    """Return when a video was published, in UTC: 8 o'clock seven hours west of it."""
    return f"{made.date[:10]}T15:00:00Z"


def iso_duration(seconds: float) -> str:
    """Write a duration as ISO 8601: PT1H2M3S."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    fields = ((hours, "H"), (minutes, "M"), (rest, "S"))
    return "PT" + ("".join(f"{value}{unit}" for value, unit in fields if value) or "0S")
