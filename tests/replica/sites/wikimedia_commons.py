# SPDX-License-Identifier: Apache-2.0
"""Wikimedia Commons: the Action API with generators, continuation and maxlag; subtitles; files on another host.

Pages 1000 to 1000 + `files` - 1 in every category and search; every seventh is a picture, every eleventh was deleted.
Options: files, page (counts); lag (seconds behind: answers with the error maxlag); fields ({page: extmetadata that
replaces its own; null takes one away}); truncate ({path: bytes}).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from replica.messages import Answer, Request, file_answer, json_answer, text_answer

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("commons.wikimedia.org", "upload.wikimedia.org")
FIRST = 1000
LICENCES = (
    ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0"),
    ("CC0", "http://creativecommons.org/publicdomain/zero/1.0/deed.en"),
    ("Public domain", None),
    ("GFDL", "https://www.gnu.org/copyleft/fdl.html"),
    (None, None),
)


def answer(request: Request, world: World) -> Answer:
    found = _answer(request, world)
    cut = world.options("wikimedia_commons").get("truncate", {}).get(request.path)
    return found if cut is None else Answer(found.body, found.content_type, found.status, found.headers, truncate=cut)


def _answer(request: Request, world: World) -> Answer:
    if request.host == "upload.wikimedia.org":
        clip = world.library.clip(0)
        return file_answer(request, clip.variant(request.path), clip.content_type)
    if request.path != "/w/api.php":
        return Answer(status=404)
    lag = world.options("wikimedia_commons").get("lag")
    if lag is not None and "maxlag" in request.query:
        error = {"code": "maxlag", "info": f"Waiting for a database server: {lag} seconds lagged.", "lag": lag}
        return Answer(json_answer({"error": error}).body, "application/json", 200, {"Retry-After": "7"})
    if request.query.get("action") == "timedtext":
        return text_answer("1\n00:00:00,000 --> 00:00:05,000\nxin chào\n", "text/plain; charset=utf-8")
    if request.query.get("format") != "json" or request.query.get("formatversion") != "2":
        return json_answer({"error": {"code": "badformat", "info": "ask for JSON of version 2"}})
    return _page(request, world) if "pageids" in request.query else _list(request, world)


def _list(request: Request, world: World) -> Answer:
    options = world.options("wikimedia_commons")
    total, size = options.get("files", 12), options.get("page", 50)
    name = "gsroffset" if request.query.get("generator") == "search" else "gcmcontinue"
    start = int(request.query.get(name, 0))
    pages = [_described(FIRST + n, world, "imageinfo") for n in range(start, min(total, start + size))]
    following = {"continue": {name: start + size, "continue": "-||"}} if start + size < total else {}
    return json_answer({"batchcomplete": True, **following, "query": {"pages": pages}})


def _page(request: Request, world: World) -> Answer:
    number = int(request.query["pageids"])
    if (number - FIRST) % 11 == 10 or not FIRST <= number < FIRST + world.options("wikimedia_commons").get("files", 12):
        return json_answer({"batchcomplete": True, "query": {"pages": [{"pageid": number, "missing": True}]}})
    return json_answer({"batchcomplete": True, "query": {"pages": [_described(number, world, "videoinfo")]}})


def _described(number: int, world: World, name: str) -> dict[str, Any]:
    if (number - FIRST) % 7 == 6:
        row = {"mediatype": "BITMAP", "mime": "image/png", "size": 9, "width": 3, "height": 3}
        return {"pageid": number, "ns": 6, "title": f"File:Picture {number}.png", name: [row]}
    clip, path = world.library.clip(0), f"/wikipedia/commons/a/ab/Talk_{number}.m4a"
    content = clip.variant(path)
    row = {
        "timestamp": "2024-05-01T10:00:00Z",
        "user": "Ann",
        "size": len(content),
        "duration": clip.duration,
        "url": f"https://upload.wikimedia.org{path}",
        "sha1": hashlib.sha1(content).hexdigest(),
        "mime": "audio/mp4",
        "mediatype": "AUDIO",
    }
    if name == "videoinfo":
        row["extmetadata"] = _fields(number, world)
        row["timedtext"] = [{"srclang": "vi", "kind": "subtitles", "src": "https://elsewhere.test/x"}]
    return {"pageid": number, "ns": 6, "title": f"File:Talk {number}.m4a", name: [row]}


def _fields(number: int, world: World) -> dict[str, Any]:
    licence, address = LICENCES[(number - FIRST) % len(LICENCES)]
    fields: dict[str, str | None] = {
        "ObjectName": f"Talk {number}",
        "Artist": '<a href="//commons.wikimedia.org/wiki/User:Ann">Ann Nguyễn</a>',
        "LicenseShortName": licence,
        "LicenseUrl": address,
        **world.options("wikimedia_commons").get("fields", {}).get(str(number), {}),
    }
    return {
        name: {"value": value, "source": "commons-desc-page"} for name, value in fields.items() if value is not None
    }
