# SPDX-License-Identifier: Apache-2.0
"""The dataset in the formats that people train from: one exporter is one file.

An export is made of shards. Which recordings a shard holds never changes while they are in the dataset; what is new
goes into new shards, and only shards whose recordings have changed are written anew. Shards are written side by side,
by any number of processes; then `index` says what there is, and the whole takes the place of the export before at once.

Beside what the registry says of backends, a module has

    UNIT    "hour": a shard may end within a recording, after a whole hour of it; "recording": it may not
    USAGE   how the export is opened, as the lines of code that its card shows
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from speechmill.core.types import Recording, Segment
from speechmill.store.dataset import Dataset

PARTS = ".parts"  # folder of an export in which shards leave what `index` puts together; not part of what is given out


class Row(NamedTuple):
    """A recording (or an hour of one) with its kept segments, ordered by channel and start."""

    recording: Recording
    segments: Sequence[Segment]


class Shard(Protocol):
    """What is written together."""

    @property
    def name(self) -> str:
        """`train-00003`: split and number; it stays, and is never given to another."""
        ...

    @property
    def split(self) -> str:
        """One of core.types.SPLITS."""
        ...

    @property
    def dataset(self) -> Dataset:
        """Where audio is cut from."""
        ...

    def rows(self) -> Iterator[Row]:
        """Yield what is in it, one recording (or hour) after another; each recording has at least one segment."""
        ...


class Written(Struct, frozen=True):
    """A shard that was written, now or for an export before this one."""

    name: str
    split: str
    segments: int
    seconds: float
    recordings: tuple[str, ...]  # ids, in their order in the shard
    files: tuple[str, ...]  # paths in the export, those below PARTS too
    note: Any  # what the backend's `shard` returned, through JSON


class About(Struct, frozen=True):
    """What `index` may say of the dataset."""

    name: str  # of the corpus
    scores: tuple[str, ...]  # of the dataset, in its order; segments may lack any
    recordings: dict[str, Recording]  # those in the export, by id, in the dataset's order


class ExportBackend(Protocol):
    """Writes the kept segments of a dataset. README.md, ATTRIBUTION.tsv and checksums are not its business."""

    def shard(self, shard: Shard, folder: Path) -> Any:
        """Write the files of one shard below `folder`, which only it writes to.

        Their paths hold the shard's name, or ids of recordings or segments, so that no other shard has the same.
        Equal rows give equal bytes. Returns what `index` needs to know of it, as JSON knows it. Runs in any process.
        """
        ...

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Write what is of the whole export. `folder` holds the files of all shards, at their paths.

        shards: ordered by split and number; there may be none.
        """
        ...
