# SPDX-License-Identifier: Apache-2.0
"""A version is written down when a dataset is finished. Cut off before, the next command that finds it does it."""

from __future__ import annotations

import importlib.metadata
import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from speechmill.core.files import TEMPORARY, digest, sha256_file, sync_folder, write_bytes
from speechmill.formats.manifest import arrow_schema, read_parquet
from speechmill.pipeline.versions.amounts import Amounts
from speechmill.pipeline.versions.manifest import (
    MANIFEST,
    RECORDINGS,
    File,
    Manifest,
    Planned,
    RecordingFact,
    Set,
    Stretch,
)
from speechmill.pipeline.versions.shelf import Shelf
from speechmill.store import corrections
from speechmill.store.made import Made, read_made
from speechmill.store.takedowns import taken_down
from speechmill.store.workspace import Workspace

if TYPE_CHECKING:
    from speechmill.pipeline.refilter import Index

_COPIED = ("id", "key", "sha256", "duration", "transcript", "failed_stage", "reason")


def fingerprint(index: Index) -> str:
    """Name what a dataset is made of: 16 hex digits."""
    return digest(index.table, index.decisions, index.speakers)[:16]


def record(workspace: Workspace, index: Index) -> bool:
    """Write the version of a dataset that is there, unless the newest one is of the same. Returns whether it did.

    Another dataset in between makes it a version again, with the same fingerprint. The workspace must be held.
    """
    shelf = Shelf(workspace)
    newest = shelf.newest()
    name = fingerprint(index)
    if newest is not None and newest.manifest.fingerprint == name:
        return False
    number = newest.manifest.number + 1 if newest else 1
    staging = workspace.versions / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    staging.mkdir(parents=True)
    try:
        amounts = Amounts(index.segments_path(workspace), index.decisions_path(workspace))
        _write_recordings(staging / RECORDINGS, workspace, index, amounts)
        manifest = _manifest(number, name, workspace, index, amounts)
        write_bytes(staging / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        sync_folder(staging)
        staging.rename(workspace.versions / f"{number:05}-{name}")
        sync_folder(workspace.versions)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def _manifest(number: int, name: str, workspace: Workspace, index: Index, amounts: Amounts) -> Manifest:
    planned = _planned(workspace.runs / index.run / "plan.json")
    standing = corrections.standing(corrections.log(workspace.corrections))
    return Manifest(
        number=number,
        fingerprint=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run=index.run,
        table=index.table,
        decisions=index.decisions,
        counts=amounts.counts(pq.read_metadata(index.recordings_path(workspace)).num_rows),
        files={
            f"dataset/{name}": _file(workspace.dataset / name) for name in ("recordings.parquet", "segments.parquet")
        },
        corpus=planned.corpus,
        settings=planned.settings,
        filter=index.filter,
        rules=index.rules,
        scores=index.scores,
        deduplicate=index.deduplicate,
        splits=index.splits,
        speakers=index.speakers,
        steps=planned.nodes,
        made=_made(workspace, planned),
        versions=planned.versions,
        speechmill=importlib.metadata.version("speechmill"),
        corrections=_set([entry.correction.id for entry in standing if entry.correction]),
        takedowns=_set(sorted(taken_down(workspace.root))),
    )


def _planned(path: Path) -> Planned:
    """Read a run's plan; where its folder was deleted, nothing is known of it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Planned)
    except FileNotFoundError:
        return Planned()


def _made(workspace: Workspace, planned: Planned) -> tuple[Made, ...]:
    found = (read_made(workspace.models, node.model) for node in planned.nodes if node.model)
    return tuple(one for one in found if one is not None)


def _file(path: Path) -> File:
    return File(sha256_file(path), path.stat().st_size)


def _set(ids: Sequence[str]) -> Set:
    return Set(len(ids), digest(*sorted(ids))[:16] if ids else "")


def _write_recordings(path: Path, workspace: Workspace, index: Index, amounts: Amounts) -> None:
    table = read_parquet(index.recordings_path(workspace), list(_COPIED))
    ids = table["id"].to_pylist()
    kept, seconds = amounts.of_recordings(ids)
    schema = arrow_schema(RecordingFact)
    columns = [table[name] for name in _COPIED]
    columns += [pa.array(kept), pa.array(seconds), _corrected(workspace, table, schema.field("corrections").type)]
    pq.write_table(pa.table(columns, names=schema.names).cast(schema), path, compression="zstd")


def _corrected(workspace: Workspace, table: pa.Table, kind: pa.DataType) -> pa.Array:
    known = {
        sha256: [msgspec.to_builtins(Stretch(one.id, one.start, one.duration, one.channel)) for one in found]
        for sha256, found in corrections.by_audio(workspace.corrections).items()
    }
    return pa.array((known.get(sha256, []) for sha256 in table["sha256"].to_pylist()), type=kind)
