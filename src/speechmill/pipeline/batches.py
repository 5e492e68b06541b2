# SPDX-License-Identifier: Apache-2.0
"""The hand-over of crawled recordings: immutable batch manifests, one series for each remote source of the corpus.

`crawl/batches/<query>/<number>-<digest>.parquet` holds `Source` rows; the newest counts. A batch that would say the
same is not written again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.core.files import digest
from speechmill.core.paths import file_name
from speechmill.core.registry import Choice
from speechmill.core.remote import Wanted
from speechmill.core.types import Source
from speechmill.formats.manifest import read_rows, write_rows
from speechmill.store.takedowns import FOLDER


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
    rows = read_rows(newest, Source)
    for row in rows:
        file_name(row.id, str(newest))
    return rows


def refuse_elsewhere(rows: Iterable[Source], workspace: Path, originals: Path | None) -> None:
    """Raise WorkspaceError where a batch names a file that no crawl of this workspace has put there.

    originals: the folder that the corpus file names for them; None: a folder of the workspace, or an object store.
    A batch may come with a workspace of somebody else's, and what it names goes into the dataset.
    """
    places = [workspace, *(workspace / FOLDER / name for name in ("store", "cache", "captions")), originals]
    roots = tuple(os.path.join(os.path.realpath(place), "") for place in places if place is not None)
    for row in rows:
        for uri in row.files:
            if not os.path.realpath(uri).startswith(roots):
                raise WorkspaceError(
                    f"{workspace / FOLDER / 'batches'}: {row.id} is {uri[:200]!r}, which lies neither in the workspace "
                    "nor where the corpus file keeps originals. Hand over anew with: speechmill crawl CORPUS"
                )


def _newest(folder: Path) -> Path | None:
    return max(folder.glob("[0-9]*-*.parquet"), default=None)
