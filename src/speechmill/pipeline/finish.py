# SPDX-License-Identifier: Apache-2.0
"""Corpus scope: join, filter, dataset and exports. Each is named by a fingerprint and made only once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from speechmill.core.files import digest
from speechmill.core.registry import Choice
from speechmill.core.types import Source
from speechmill.pipeline import table
from speechmill.pipeline.events import StageCount
from speechmill.pipeline.export.engine import VERSION, Order, make
from speechmill.pipeline.export.marker import read_marker
from speechmill.pipeline.leaks import refuse_leaks
from speechmill.pipeline.plan import Node, choice_identity
from speechmill.pipeline.record import Recorder
from speechmill.pipeline.refilter import Asked, Index, materialise, refilter
from speechmill.store.pseudonyms import naming
from speechmill.store.workspace import Workspace


def join(recorder: Recorder, sources: Sequence[Source]) -> str:
    """Write the joined tables; return their fingerprint."""
    return table.build(recorder.ledger, recorder.plan.nodes, sources, recorder.workspace.tables)


def export(workspace: Workspace, choice: Choice, index: Index, *, workers: int = 1, fresh: bool = False) -> StageCount:
    """Write one export, unless the one that is there was made of the same dataset. Whole or not at all.

    workers: processes. fresh: pack its shards anew, whatever is there. Raises LeakFound, LostAudio, ExportFailed.
    """
    refuse_leaks(workspace)
    how = msgspec.json.encode([VERSION, choice_identity(choice), naming(workspace.root, index.speakers)])
    fingerprint = digest(how, index.table, index.decisions)
    # One whose swap was cut off is not in its place: `make` puts it there.
    current = read_marker(workspace.exports / choice.backend)
    if current is not None and current.fingerprint == fingerprint[:16] and not fresh:
        return StageCount(fingerprint[:16], cached=1)
    started = time.perf_counter(), time.process_time()
    order = Order(
        choice, _name(workspace, index), fingerprint[:16], index.table, index.decisions, index.speakers, workers, fresh
    )
    make(workspace.root, workspace.exports / choice.backend, order)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    return StageCount(fingerprint[:16], processed=1, wall_s=round(wall, 3), cpu_s=round(cpu, 3))


def _name(workspace: Workspace, index: Index) -> str:
    """Return the corpus's name, as the run that made the dataset had it."""
    try:
        plan = msgspec.json.decode((workspace.runs / index.run / "plan.json").read_bytes())
    except FileNotFoundError:
        return workspace.root.resolve().name
    return str(plan["corpus"].get("name", "corpus"))


def corpus_scope(
    recorder: Recorder,
    nodes: Sequence[Node],
    sources: Sequence[Source],
    asked: Asked,
    exports: Sequence[Choice],
    workers: int = 1,
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
        counts[f"export.{choice.backend}"] = export(workspace, choice, index, workers=workers)
    return counts
