# SPDX-License-Identifier: Apache-2.0
"""One PeerTube instance: lists, details, captions, files on a store of its own.

Videos 0 to `videos` - 1, with licence number % 9 (0: none, 8: one that the operator added); every twelfth is another
instance's. Options: videos (count); old (lists those of others whatever it is asked); truncate ({path: bytes});
details ({video: fields that replace its own; null takes one away}).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from replica.messages import Answer, Request, file_answer, json_answer, text_answer

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("tube.test", "store.tube.test")
LABELS = (
    "Unknown",
    "Attribution",
    "Attribution - Share Alike",
    "Attribution - No Derivatives",
    "Attribution - Non Commercial",
    "Attribution - Non Commercial - Share Alike",
    "Attribution - Non Commercial - No Derivatives",
    "Public Domain Dedication",
    "Ask the choir",
)
_LISTS = re.compile(r"/api/v1/(?:videos|search/videos|(?:video-channels|accounts)/talks(?:@tube\.test)?/videos)")


def uuid(number: int) -> str:
    """Return the id of a video."""
    return f"00000000-0000-4000-8000-{number:012d}"


def answer(request: Request, world: World) -> Answer:
    found = _answer(request, world)
    cut = world.options("peertube").get("truncate", {}).get(request.path)
    return found if cut is None else Answer(found.body, found.content_type, found.status, found.headers, truncate=cut)


def _answer(request: Request, world: World) -> Answer:
    if request.path == "/robots.txt":
        return Answer(status=404)
    if _LISTS.fullmatch(request.path):
        return _list(request, world)
    match = re.fullmatch(r"/api/v1/videos/00000000-0000-4000-8000-(\d{12})(/captions)?", request.path)
    if match and int(match.group(1)) < world.options("peertube").get("videos", 12):
        number = int(match.group(1))
        return json_answer(_captions(number) if match.group(2) else _details(number, world))
    if request.path.startswith("/lazy-static/video-captions/"):
        return text_answer("WEBVTT\n\n00:00.000 --> 00:05.000\nxin chào\n", "text/vtt")
    if request.host == "store.tube.test":
        clip = world.library.clip(0)
        return file_answer(request, clip.variant(request.path), "video/mp4")
    return json_answer({"detail": "Video not found", "status": 404}, 404)


def _list(request: Request, world: World) -> Answer:
    options = world.options("peertube")
    start, count = int(request.query.get("start", 0)), min(100, int(request.query.get("count", 15)))
    rows = [_row(number, world) for number in range(options.get("videos", 12))]
    if request.query.get("isLocal") == "true" and not options.get("old"):
        rows = [row for row in rows if row["isLocal"]]
    return json_answer({"total": len(rows), "data": rows[start : start + count]})


def _row(number: int, world: World) -> dict[str, Any]:
    remote = number % 12 == 11
    host = "origin.test" if remote else "tube.test"
    licence = number % 9
    return {
        "id": number,
        "uuid": uuid(number),
        "url": f"https://{host}/videos/watch/{uuid(number)}",
        "name": f"Talk {number}",
        "duration": round(world.library.clip(0).duration),
        "isLocal": not remote,
        "isLive": False,
        "publishedAt": "2024-05-01T10:00:00.000Z",
        "views": 10 + number,
        "category": {"id": 13, "label": "Education"},
        "language": {"id": "vi", "label": "Vietnamese"},
        "licence": {"id": licence or None, "label": LABELS[licence]},
        "privacy": {"id": 1, "label": "Public"},
        "account": {"name": "ann", "displayName": "Ann", "host": host, "url": f"https://{host}/accounts/ann"},
        "channel": {"name": "talks", "displayName": "Talks", "host": host},
    }


def _details(number: int, world: World) -> dict[str, Any]:
    paths = {height: f"/{uuid(number)}-{height}.mp4" for height in (720, 240)}
    files = [
        {
            "resolution": {"id": height, "label": f"{height}p"},
            "size": len(world.library.clip(0).variant(path)),
            "fileUrl": f"https://store.tube.test{path}",
        }
        for height, path in paths.items()
    ]
    changes = world.options("peertube").get("details", {}).get(uuid(number), {})
    video = {**_row(number, world), "state": {"id": 1}, "files": files, "streamingPlaylists": [], **changes}
    return {name: value for name, value in video.items() if value is not None}


def _captions(number: int) -> dict[str, Any]:
    rows = [{"language": {"id": "vi"}, "captionPath": f"/lazy-static/video-captions/{uuid(number)}-vi.vtt"}]
    automatic = f"https://tube.test/lazy-static/video-captions/{uuid(number)}-en.vtt"
    rows.append({"language": {"id": "en"}, "automaticallyGenerated": True, "fileUrl": automatic})  # type: ignore[dict-item]
    return {"total": 2, "data": rows}
