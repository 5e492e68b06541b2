# SPDX-License-Identifier: Apache-2.0
"""What was taken down: `crawl/takedowns.json` in the workspace. No dataset, export or reader gives it out any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import digest, write_bytes

FOLDER = "crawl"


class TakenDown(Struct, frozen=True):
    """A recording that must not be used any more."""

    recording_id: str
    platform: str
    id: str


def crawled_id(platform: str, id: str) -> str:
    """Name a crawled recording: the platform's id and a hash, safe as a file name and the same in every workspace.

    >>> crawled_id("youtube", "dQw4w9WgXcQ")
    'dQw4w9WgXcQ-d79c4e'
    """
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in id)
    return f"{safe[:60]}-{digest('crawled', platform, id)[:6]}"


def write_taken_down(workspace: Path, found: Iterable[tuple[str, str]]) -> None:
    """Note which (platform, id) were taken down, all of them."""
    rows = [TakenDown(crawled_id(platform, id), platform, id) for platform, id in sorted(found)]
    write_bytes(workspace / FOLDER / "takedowns.json", msgspec.json.encode(rows))


def taken_down(workspace: Path) -> frozenset[str]:
    """Return the ids of recordings that were taken down. Raises FormatError where the list is broken."""
    path = workspace / FOLDER / "takedowns.json"
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[TakenDown])
    except FileNotFoundError:
        return frozenset()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{path}: broken ({error}); write it anew with: speechmill crawl status CORPUS") from error
    return frozenset(row.recording_id for row in rows)
