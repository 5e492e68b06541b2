# SPDX-License-Identifier: Apache-2.0
"""What a purge will touch: files by kind, versions of the dataset, models that learnt from the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.pipeline.purge.certificate import Model
from speechmill.pipeline.purge.marks import same_sound
from speechmill.pipeline.purge.places import kind_of
from speechmill.pipeline.purge.target import Target
from speechmill.store.made import read_made
from speechmill.store.workspace import Workspace


class Planned(Struct, frozen=True):
    """What a dry run says."""

    kind: str
    recordings: tuple[str, ...]  # ids; each goes as a whole, with everybody who speaks in it
    files: tuple[str, ...]  # of canonical audio and originals of it that stay with their owner
    speakers: tuple[str, ...]  # who is gone with them
    others: int  # recordings that stay
    touched: dict[str, int]  # kind of thing -> files that hold it
    versions: tuple[int, ...]
    models: tuple[Model, ...]
    copies: tuple[str, ...]  # recordings that were found to say or sound the same, and that stay

    @classmethod
    def of(cls, workspace: Workspace, target: Target, paths: Sequence[str]) -> Planned:
        """Put together what is known."""
        touched = Counter(kind_of(Path(path)) for path in dict.fromkeys(paths))
        originals = sorted({one.uri for one in target.recordings if one.origin == "local"})
        stays = pq.read_metadata(path).num_rows if (path := workspace.dataset / "recordings.parquet").exists() else 0
        return cls(
            kind=target.kind,
            recordings=target.ids,
            files=tuple(originals),
            speakers=target.speakers,
            others=max(0, stays - len(target.ids)),
            touched=dict(sorted(touched.items())),
            versions=versions_of(workspace, target),
            models=models_of(workspace, target),
            copies=copies_of(workspace, target),
        )


def versions_of(workspace: Workspace, target: Target) -> tuple[int, ...]:
    """Return the numbers of the dataset's versions that the target was in."""
    wanted, found = set(target.ids), []
    for folder in sorted(workspace.versions.glob("[0-9]*-*")):
        try:
            with pq.ParquetFile(folder / "recordings.parquet") as file:
                ids = set(file.read(columns=["id"])["id"].to_pylist())
        except (OSError, pa.ArrowInvalid):
            ids = wanted  # not known: rather one too many
        if wanted & ids:
            found.append(int(folder.name.partition("-")[0]))
    return tuple(found)


def copies_of(workspace: Workspace, target: Target) -> tuple[str, ...]:
    """Return recordings that stay though their samples are the target's, or deduplication found them to be copies."""
    path, gone, found = workspace.dataset / "segments.parquet", target.ids, set(same_sound(workspace, target))
    if not path.exists():
        return tuple(sorted(found))
    with pq.ParquetFile(path) as file:
        table = file.read(columns=["recording_id", "duplicate_of"])
    for row in table.filter(table["duplicate_of"].is_valid()).to_pylist():
        mine, other = row["recording_id"], row["duplicate_of"]
        if mine not in gone and any(other == id or other.startswith(f"{id}-") for id in gone):
            found.add(mine)
    return tuple(sorted(found))


def models_of(workspace: Workspace, target: Target) -> tuple[Model, ...]:
    """Return the models made here, and whether they were trained on the target.

    Of training items only a digest is kept, with how many hours and by which source. One trained on a folder of its
    own was not trained on the corpus; of all others it may be.
    """
    found = []
    for folder in sorted(workspace.models.glob("[!.]*")):
        try:
            made = read_made(workspace.models, folder.name) if folder.is_dir() else None
        except msgspec.MsgspecError:
            made = None
        if made is not None:
            found.append(Model(made.id, made.stage, "maybe" if made.source == "corpus" else "no"))
    return tuple(found)
