# SPDX-License-Identifier: Apache-2.0
"""The Internet Archive: the scraping interface, metadata, downloads on another host, and items that can't be had.

Items book000 to book{`items` - 1}, each with `chapters` as uploaded MP4 and derived MP3 and Ogg; every sixth is dark,
every sixth restricted. Options: items, chapters, page (counts); truncate ({path: bytes}); digest (sha1 of all files);
metadata ({item: fields that replace its own; null takes one away}).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from replica.messages import Answer, Request, file_answer, json_answer, text_answer

if TYPE_CHECKING:
    from replica.world import World

HOSTS = ("archive.org", "*.archive.org")
LICENCES: tuple[dict[str, Any], ...] = (
    {"licenseurl": "http://creativecommons.org/licenses/publicdomain/"},
    {"licenseurl": "https://creativecommons.org/licenses/by-sa/4.0/"},
    {"licenseurl": "https://creativecommons.org/licenses/by-nc-nd/4.0/"},
    {},
)
_LANGUAGES = ("Vietnamese", "vie", "eng", ["English", "French"])


def answer(request: Request, world: World) -> Answer:
    found = _answer(request, world)
    cut = world.options("internet_archive").get("truncate", {}).get(request.path)
    return found if cut is None else Answer(found.body, found.content_type, found.status, found.headers, truncate=cut)


def _answer(request: Request, world: World) -> Answer:
    parts = request.path.strip("/").split("/")
    if request.path == "/services/search/v1/scrape":
        return _scrape(request, world)
    if parts[0] == "metadata" and len(parts) == 2:
        return json_answer(_metadata(parts[1], world))
    if parts[0] == "download" and len(parts) == 3:
        return Answer(
            status=302, headers={"Location": f"https://ia600001.us.archive.org/1/items/{parts[1]}/{parts[2]}"}
        )
    if request.host.startswith("ia6") and parts[1:2] == ["items"]:
        return _file(request, parts[-1], world)
    return Answer(status=404)


def _number(identifier: str, world: World) -> int | None:
    digits = identifier.removeprefix("book")
    known = digits.isdecimal() and int(digits) < world.options("internet_archive").get("items", 12)
    return int(digits) if known else None


def _scrape(request: Request, world: World) -> Answer:
    if "q" not in request.query or int(request.query.get("count", 0)) < 100:
        return json_answer({"error": "count must be 100 or more", "errorType": "RangeException"}, 400)
    options = world.options("internet_archive")
    total, size = options.get("items", 12), options.get("page", 100)
    start = int(request.query.get("cursor", "W0")[1:])
    rows = [
        {"identifier": f"book{n:03d}", "title": f"Book {n}", "downloads": 100 + n} for n in range(start, total)[:size]
    ]
    following = {"cursor": f"W{start + size}"} if start + size < total else {}
    return json_answer({"items": rows, "count": len(rows), "total": total, **following})


def _metadata(identifier: str, world: World) -> dict[str, Any]:
    number = _number(identifier, world)
    if number is None:
        return {}
    if number % 6 == 4:
        return {"created": 1, "is_dark": True}
    stated = {
        "identifier": identifier,
        "title": f"Book {number}",
        "creator": ["Ann Nguyễn", "LibriVox"],
        "publicdate": "2010-05-01 12:00:00",
        "date": "2010",
        "language": _LANGUAGES[number % len(_LANGUAGES)],
        "collection": ["librivoxaudio", "audio_bookspoetry"],
        **LICENCES[number % len(LICENCES)],
        **({"access-restricted-item": "true"} if number % 6 == 5 else {}),
        **world.options("internet_archive").get("metadata", {}).get(identifier, {}),
    }
    chapters = range(world.options("internet_archive").get("chapters", 2))
    files = [file for chapter in chapters for file in _forms(chapter, world)]
    files.append({"name": f"{identifier}_meta.xml", "source": "metadata", "format": "Metadata"})
    return {"files": files, "metadata": {name: value for name, value in stated.items() if value is not None}}


def _forms(chapter: int, world: World) -> list[dict[str, Any]]:
    """Return a chapter as uploaded, as it was derived, and its captions."""
    clip, stem = world.library.clip(0), f"chapter_{chapter:02d}"
    content = clip.variant(stem)
    sha1 = world.options("internet_archive").get("digest") or hashlib.sha1(content).hexdigest()
    derived = {"source": "derivative", "original": f"{stem}.m4a", "length": "20.01", "size": "9"}
    return [
        {
            "name": f"{stem}.m4a",
            "source": "original",
            "format": "MPEG-4 Audio",
            "title": f"Chapter {chapter}",
            "length": f"00:{clip.duration:05.2f}",
            "size": str(len(content)),
            "sha1": sha1,
            "md5": hashlib.md5(content).hexdigest(),
        },
        {"name": f"{stem}_64kb.mp3", "format": "64Kbps MP3", **derived},
        {"name": f"{stem}.ogg", "format": "Ogg Vorbis", **derived},
        {"name": f"{stem}.vi.srt", "source": "original", "format": "SubRip"},
        {"name": f"{stem}.asr.srt", "source": "derivative", "format": "SubRip"},
    ]


def _file(request: Request, name: str, world: World) -> Answer:
    if name.endswith(".srt"):
        return text_answer("1\n00:00:00,000 --> 00:00:05,000\nchương một\n", "application/x-subrip")
    clip = world.library.clip(0)
    return file_answer(request, clip.variant(name.removesuffix(".m4a")), clip.content_type)
