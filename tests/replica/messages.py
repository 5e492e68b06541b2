# SPDX-License-Identifier: Apache-2.0
"""What the replica's sites are asked and what they answer.

A site is one module in `sites/`, found by its presence:

    HOSTS   patterns of the hosts that it answers for: ("archive.org", "*.archive.org"); the longest match wins
    answer  answer(request: Request, world: World) -> Answer; raises nothing for what a client may ask

A site keeps nothing in module globals. What it must remember lies in `world.memory("its name")`, which a reset empties;
what a test may change lies in `world.options("its name")`, set by `control(sites={"its name": {...}})`. Both are dicts.
`world.library` has the audio (see media.py), `world.fails(key)` says whether a fault that heals still fails.
Latency, bandwidth, dead and dying egresses are not a site's business: the server sees to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Request(Struct, frozen=True):
    """What a client asked. Header names are in lower case."""

    method: str
    host: str  # without port
    path: str  # percent-decoded, without the query
    query: Mapping[str, str]  # the last of several with one name
    headers: Mapping[str, str]
    body: bytes
    secure: bool  # through TLS
    egress: int  # index of the proxy that it came through, from 0

    def json(self) -> Any:
        """Decode the body; an empty one is an empty object."""
        return json.loads(self.body or b"{}")

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies that the client sent."""
        pairs = (pair.strip().partition("=") for pair in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}

    @property
    def base(self) -> str:
        """Scheme and host, to make absolute addresses of."""
        return f"{'https' if self.secure else 'http'}://{self.host}"


class Answer(Struct, frozen=True):
    """What a site answers, and how badly."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = {}
    compressed: bytes | None = None  # the body as gzip, where it was made beforehand
    delay_s: float = 0.0  # before the answer, on top of the latency
    drop: bool = False  # close the connection without an answer
    truncate: int | None = None  # close the connection after so many bytes of the body
    bytes_per_s: float | None = None  # trickle the body


def json_answer(value: Any, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", status)


def html_answer(page: str, status: int = 200) -> Answer:
    """Answer with a page."""
    return Answer(page.encode(), "text/html; charset=utf-8", status)


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8", status: int = 200) -> Answer:
    """Answer with text of some type: "text/vtt", "application/rss+xml"."""
    return Answer(text.encode(), content_type, status)


def file_answer(request: Request, content: bytes, content_type: str) -> Answer:
    """Answer with a file, or with the one range of it that was asked for."""
    headers = {"Accept-Ranges": "bytes"}
    if not (found := re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))):
        return Answer(content, content_type, headers=headers)
    first, last = found.groups()
    start = int(first) if first else max(0, len(content) - int(last or 0))
    stop = min(int(last) + 1 if first and last else len(content), len(content))
    if start >= stop:
        return Answer(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Answer(content[start:stop], content_type, 206, headers)
