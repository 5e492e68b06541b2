# SPDX-License-Identifier: Apache-2.0
"""The hand-over of crawled recordings: immutable batch manifests, one series for each remote source of the corpus.

`crawl/batches/<query>/<number>-<digest>.parquet` holds `Source` rows; the newest counts. A batch that would say the
same is not written again. What was taken down stands in `crawl/takedowns.json`: no dataset or export holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.files import digest, write_bytes
from speechmill.core.registry import Choice
from speechmill.core.remote import Wanted
from speechmill.core.types import Source
from speechmill.formats.manifest import read_rows, write_rows

FOLDER = "crawl"


class TakenDown(Struct, frozen=True):
    """A recording that must not be used any more."""

    recording_id: str
    platform: str
    id: str


def is_remote(choice: Choice) -> bool:
    """Tell whether a source must be crawled before it has files."""
    return bool(getattr(choice.module, "REMOTE", False))


def query_id(choice: Choice) -> str:
    """Name what a remote source asks for. Its policy (`Wanted`) doesn't count: another limit is the same query."""
    policy = set(Wanted.__struct_fields__)
    asked: dict[str, Any] = {
        field.name: value
        for field in msgspec.structs.fields(type(choice.config))
        if field.name not in policy and (value := getattr(choice.config, field.name)) != field.default
    }
    return digest("query", choice.backend, msgspec.json.encode(asked, order="deterministic"))[:16]


def crawled_id(platform: str, id: str) -> str:
    """Name a crawled recording: the platform's id and a hash, safe as a file name and the same in every workspace.

    >>> crawled_id("youtube", "dQw4w9WgXcQ")
    'dQw4w9WgXcQ-9aec12'
    """
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in id)
    return f"{safe[:60]}-{digest('crawled', platform, id)[:6]}"


def write_batch(workspace: Path, query: str, rows: Sequence[Source]) -> Path:
    """Write a batch, unless the newest one of the query says the same. Returns where it is."""
    folder = workspace / FOLDER / "batches" / query
    name = digest(msgspec.json.encode(rows))[:12]
    newest = _newest(folder)
    if newest is not None and newest.stem.endswith(name):
        return newest
    number = int(newest.name.partition("-")[0]) + 1 if newest else 1
    path = folder / f"{number:06d}-{name}.parquet"
    write_rows(path, rows, Source)
    return path


def read_batch(workspace: Path, choice: Choice) -> list[Source]:
    """Read the newest batch of a remote source. Raises ConfigError where there is none."""
    newest = _newest(workspace / FOLDER / "batches" / query_id(choice))
    if newest is None:
        raise ConfigError(f"{choice.backend}: nothing was crawled yet; crawl with: speechmill crawl CORPUS")
    return read_rows(newest, Source)


def _newest(folder: Path) -> Path | None:
    return max(folder.glob("[0-9]*-*.parquet"), default=None)


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
    except msgspec.DecodeError as error:
        raise FormatError(f"{path}: broken ({error}); write it anew with: speechmill crawl status CORPUS") from error
    return frozenset(row.recording_id for row in rows)
