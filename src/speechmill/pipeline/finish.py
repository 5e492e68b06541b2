# SPDX-License-Identifier: Apache-2.0
"""Corpus scope: join, filter, dataset and exports. Each is named by a fingerprint and made only once."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from speechmill import models
from speechmill.core.files import TEMPORARY, digest, sync_folder, write_bytes
from speechmill.core.registry import Choice
from speechmill.core.stage import Context
from speechmill.core.types import Source
from speechmill.pipeline import table
from speechmill.pipeline.events import StageCount
from speechmill.pipeline.plan import Node, choice_identity
from speechmill.pipeline.record import Recorder
from speechmill.pipeline.refilter import EXPORT_MARKER, Asked, Export, Index, exports_of, materialise, refilter
from speechmill.store.dataset import Dataset
from speechmill.store.workspace import Workspace


def join(recorder: Recorder, sources: Sequence[Source]) -> str:
    """Write the joined tables; return their fingerprint."""
    return table.build(recorder.ledger, recorder.plan.nodes, sources, recorder.workspace.tables)


def export(workspace: Workspace, choice: Choice, index: Index) -> StageCount:
    """Write one export, unless the one that is there was made of the same dataset. Whole or not at all."""
    identity = msgspec.json.encode(choice_identity(choice))
    fingerprint = digest(identity, index.table, index.decisions)[:16]
    folder = workspace.exports / choice.backend
    marker = folder / EXPORT_MARKER
    current = exports_of(workspace).get(choice.backend)
    if current is not None and current.fingerprint == fingerprint:
        return StageCount(fingerprint, cached=1)
    started = time.perf_counter(), time.process_time()
    staging = workspace.exports / f"{TEMPORARY}{choice.backend}-{uuid.uuid4().hex[:8]}"
    staging.mkdir(parents=True)
    try:
        backend = choice.module.Backend(choice.config, Context(workspace.root, models.path))
        count = backend.export(Dataset(workspace.root), staging)
        made = Export(fingerprint, index.table, index.decisions, count)
        write_bytes(staging / marker.name, msgspec.json.encode(made))
        _swap(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    return StageCount(fingerprint, processed=1, wall_s=round(wall, 3), cpu_s=round(cpu, 3))


def _swap(staging: Path, folder: Path) -> None:
    """Put a finished export in the place of the one before."""
    old = folder.with_name(f"{TEMPORARY}{folder.name}-{uuid.uuid4().hex[:8]}")
    if folder.exists():
        folder.replace(old)
    staging.replace(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def corpus_scope(
    recorder: Recorder, nodes: Sequence[Node], sources: Sequence[Source], asked: Asked, exports: Sequence[Choice]
) -> dict[str, StageCount]:
    """Join, filter, materialise and export after the recordings are through. Returns what each did."""
    workspace, plan = recorder.workspace, recorder.plan
    started = time.perf_counter(), time.process_time()
    joined = join(recorder, sources)
    index, worked = refilter(workspace, plan.run, joined, asked, table.score_names(nodes))
    worked = materialise(workspace, index) or worked
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    counts = {
        "filter": StageCount(index.decisions, int(worked), int(not worked), wall_s=round(wall, 3), cpu_s=round(cpu, 3))
    }
    for choice in exports:
        counts[f"export.{choice.backend}"] = export(workspace, choice, index)
    return counts
