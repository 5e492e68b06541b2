# SPDX-License-Identifier: Apache-2.0
"""Our own manifest as JSON lines: recordings.jsonl and segments-<shard>.jsonl, every field of the dataset by its name.

For people and programs without Parquet. Audio is not copied: `audio` paths are relative to the workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from speechmill.core.stage import Context
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._attribution import source_of
from speechmill.formats.manifest import write_jsonl

VERSION = "2"
REQUIRES = ()
UNIT = "hour"
USAGE = """\
from speechmill.core.types import Segment
from speechmill.formats.manifest import read_jsonl

segments = list(read_jsonl(Path("segments-train-00000.jsonl"), Segment))
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


class Backend:
    """Writes recordings.jsonl, and segments-<shard>.jsonl."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> Any:
        """Write the segments of a shard; the first line is the schema version."""
        rows = (segment for row in shard.rows() for segment in row.segments)
        write_jsonl(folder / f"segments-{shard.name}.jsonl", rows)

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Write the recordings. A local path is of one machine, and may name its user: the file's name is enough."""
        recordings = (structs.replace(one, uri=source_of(one)) for one in about.recordings.values())
        write_jsonl(folder / "recordings.jsonl", recordings)
