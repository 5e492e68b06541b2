# SPDX-License-Identifier: Apache-2.0
"""Media files of open platforms: what they are called, and whether they are what was promised."""

from __future__ import annotations

import hashlib
import posixpath
import re
from urllib.parse import unquote, urlsplit

from speechmill.core.errors import FetchError
from speechmill.core.remote import Fetched

EXTENSIONS = frozenset(
    (
        *("mp3", "m4a", "m4b", "mp4", "m4v", "mov", "aac", "ogg", "oga", "ogv", "opus", "flac", "wav", "aif", "aiff"),
        *("webm", "mkv", "mka", "wma", "amr", "au", "caf", "mpg", "mpeg", "avi", "shn", "ape"),
    )
)
_TYPES = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-mp3": "mp3",
    "audio/mpeg3": "mp3",
    "audio/mp4": "m4a",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/aac": "aac",
    "audio/aacp": "aac",
    "audio/ogg": "ogg",
    "audio/vorbis": "ogg",
    "application/ogg": "ogg",
    "audio/opus": "opus",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/webm": "webm",
    "video/mp4": "mp4",
    "video/mpeg": "mpg",
    "video/x-m4v": "m4v",
    "video/quicktime": "mov",
    "video/ogg": "ogv",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
}


def extension_of(name: str, content_type: str | None = None) -> str | None:
    """Return a media file's extension by its address or, where that tells none, its type; None for other files.

    >>> extension_of("https://cdn.test/a/Talk.MP3?x=1"), extension_of("https://cdn.test/play", "audio/x-m4a; q=1")
    ('mp3', 'm4a')
    """
    path = urlsplit(name).path if "://" in name else name
    suffix = posixpath.splitext(unquote(path))[1].lower().lstrip(".")
    return suffix if suffix in EXTENSIONS else _TYPES.get((content_type or "").split(";")[0].strip().lower())


def is_media(name: str, content_type: str | None = None) -> bool:
    """Tell whether a file may hold speech."""
    return extension_of(name, content_type) is not None or bool(re.match(r"(?:audio|video)/", content_type or ""))


def verified(fetched: Fetched, *, sha1: str | None = None, md5: str | None = None) -> Fetched:
    """Return a file whose digest is the one promised; another one is deleted. Raises FetchError "incomplete"."""
    name, promised = ("sha1", sha1) if sha1 else ("md5", md5)
    if not promised:
        return fetched
    with fetched.path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
    if found != promised.lower():
        fetched.path.unlink()
        raise FetchError("incomplete", "wrong-digest", f"{name} is {found}, the platform says {promised[:64]}")
    return fetched
