# SPDX-License-Identifier: Apache-2.0
"""Answers as heavy as the real ones, whose weight is made and compressed once."""

from __future__ import annotations

import base64
import functools
import json
import random
import zlib
from typing import Any

from replica.messages import Answer, json_answer

NEXT_BYTES = 600_000  # what a watch page's `next` answer has
LIST_BYTES = 200_000  # a page of search results or of a channel
PAGE_BYTES = 500_000  # scripts and styles of a page
EXTRA_FORMATS = 38  # besides the two with audio alone
GZIP = 31  # zlib's window bits for the gzip format


class Start:
    """The same beginning of many JSON objects, compressed once; ends with a comma."""

    def __init__(self, text: str) -> None:
        self._plain = text.encode()
        self._state = zlib.compressobj(6, zlib.DEFLATED, GZIP)
        self._packed = self._state.compress(self._plain) + self._state.flush(zlib.Z_SYNC_FLUSH)

    def answer(self, rest: bytes, content_type: str = "application/json; charset=utf-8") -> Answer:
        """Answer with the start and the rest."""
        state = self._state.copy()
        packed = self._packed + state.compress(rest) + state.flush()
        return Answer(self._plain + rest, content_type, compressed=packed)


def weighted(value: dict[str, Any], num_bytes: int, weight: str) -> Answer:
    """Answer with an object that has a weight of so many bytes where pages are realistic."""
    if weight == "small":
        return json_answer(value)
    return _start(num_bytes).answer(json.dumps(value, ensure_ascii=False).encode()[1:])


@functools.cache
def _start(num_bytes: int) -> Start:
    return Start('{"secondary": ' + json.dumps(recommendations(num_bytes)) + ", ")


@functools.cache
def page_start(num_bytes: int = PAGE_BYTES) -> Start:
    """Return the start of a page with so much script in it."""
    script = json.dumps(recommendations(num_bytes))
    return Start(f"<!DOCTYPE html><html><head><script>var styles = {script};</script>")


def recommendations(num_bytes: int) -> list[Any]:
    """Make what pages are mostly full of; opaque tokens in it compress as badly as real ones."""
    source = random.Random(num_bytes)
    made: list[Any] = []
    size = 0
    while size < num_bytes:
        made.append(_recommendation(source))
        size += len(json.dumps(made[-1])) + 2
    return made


def _recommendation(source: random.Random) -> dict[str, Any]:
    name, token = f"{source.randrange(10**11):011d}", token_of(source, 60)
    thumbnails = [
        {"url": f"https://i.ytimg.com/vi/{name}/hqdefault.jpg?sqp={token}", "width": width, "height": width * 9 // 16}
        for width in (168, 336)
    ]
    command = {
        "clickTrackingParams": token,
        "commandMetadata": {"webCommandMetadata": {"url": f"/watch?v={name}", "rootVe": 3832}},
        "watchEndpoint": {"videoId": name, "nofollow": True},
    }
    return {
        "compactVideoRenderer": {
            "videoId": name,
            "thumbnail": {"thumbnails": thumbnails},
            "title": {"accessibility": {"accessibilityData": {"label": f"Talk {name} by Channel"}}},
            "shortBylineText": {"runs": [{"text": "Channel", "navigationEndpoint": command}]},
            "navigationEndpoint": command,
            "trackingParams": token,
        }
    }


def token_of(source: random.Random, num_bytes: int) -> str:
    """Make text that means nothing."""
    return base64.urlsafe_b64encode(source.randbytes(num_bytes)).decode()


@functools.cache
def formats_start() -> Start:
    """Return the start of a player answer: formats with video, whose addresses nobody follows."""
    source = random.Random(1)
    formats = [_video_format(index, source) for index in range(EXTRA_FORMATS)]
    text = json.dumps(formats)[:-1]
    return Start('{"streamingData": {"adaptiveFormats": ' + text + ", ")


def _video_format(index: int, source: random.Random) -> dict[str, Any]:
    height = (144, 240, 360, 480, 720, 1080)[index % 6]
    return {
        "itag": 1000 + index,
        "url": f"https://rr1---sn-replica.googlevideo.com/videoplayback?expire=1&itag={1000 + index}"
        f"&sig={token_of(source, 600)}",
        "mimeType": 'video/webm; codecs="vp9"',
        "bitrate": 100_000 + index,
        "width": height * 16 // 9,
        "height": height,
        "initRange": {"start": "0", "end": "219"},
        "indexRange": {"start": "220", "end": "1024"},
        "lastModified": "1700000000000000",
        "contentLength": "9999999",
        "quality": "medium",
        "fps": 30,
        "qualityLabel": f"{height}p",
        "projectionType": "RECTANGULAR",
        "averageBitrate": 90_000 + index,
        "colorInfo": {"primaries": "COLOR_PRIMARIES_BT709"},
    }
