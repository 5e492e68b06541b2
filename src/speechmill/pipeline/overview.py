# SPDX-License-Identifier: Apache-2.0
"""What a workspace says of itself: the last run, the funnel, and what became of each recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from msgspec import Struct, structs

from speechmill.core.errors import WorkspaceError
from speechmill.core.groups import RECORDINGS_AT_ONCE
from speechmill.formats.manifest import check_version
from speechmill.pipeline import filter as filters
from speechmill.pipeline.decide import notes_of
from speechmill.pipeline.events import FailedItem, StageCount, Summary, read_summary
from speechmill.pipeline.reasons import split_hours
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store.made import Made, read_made
from speechmill.store.workspace import Workspace


class Quiet(Struct, frozen=True):
    """A recording that got through, and of which nothing came; or that was not whole."""

    recording_id: str
    uri: str
    note: str


class Overview(Struct):
    """The answer of `speechmill status`."""

    workspace: str
    run: str | None
    state: str  # none | running-or-killed | finished | interrupted | stopped
    exit_status: int | None = None
    recordings: int = 0
    aliases: int = 0
    audio_h: float = 0.0
    speech_h: float = 0.0
    segments: int = 0
    segments_kept: int = 0
    segment_h: float = 0.0
    kept_h: float = 0.0
    splits: dict[str, float] = {}  # train, dev, test -> hours kept
    dropped: dict[str, float] = {}  # rule -> hours that it drops
    stages: dict[str, StageCount] = {}
    failures: list[FailedItem] = []
    notes: list[Quiet] = []
    warnings: list[str] = []
    models: list[Made] = []  # made from the corpus, that the run aligned with


def overview(root: Path) -> Overview:
    """Read the state of a workspace. Raises WorkspaceError."""
    workspace = Workspace.open(root)
    folder = workspace.latest_run()
    if folder is None:
        return Overview(str(root), None, "none")
    summary = read_summary(folder) or _live(folder)
    state = {None: "running-or-killed", 2: "stopped", 130: "interrupted"}.get(summary.exit_status, "finished")
    found = Overview(str(root), summary.run, state, summary.exit_status, summary.recordings, summary.aliases)
    found.audio_h = round(summary.audio_s / 3600, 4)
    found.stages, found.failures, found.warnings = summary.stages, summary.failures, summary.warnings
    found.models = models_of(folder)
    _add_dataset(found, workspace)
    return found


def models_of(folder: Path) -> list[Made]:
    """Return what is known of the models made from the corpus that a run's stages use."""
    from speechmill.pipeline.training import read_plan

    models = Workspace(folder.resolve().parents[1]).models
    found = [read_made(models, node.model) for node in read_plan(folder).nodes if node.model]
    return [one for one in found if one is not None]


def found_by_recording(root: Path, column: str) -> dict[str, Any]:
    """Return what the newest run's stages found, by recording id: a column such as "speech" or "turns"."""
    from speechmill.pipeline.record import Silent
    from speechmill.pipeline.run import reopen

    folder = Workspace.open(root).latest_run()
    if folder is None:
        return {}
    recorder, sources = reopen(folder, Silent())
    node = next(node for node in recorder.plan.nodes if column in node.writes)
    values = recorder.ledger.load(node.folder, {source.key for source in sources}, [column])
    return {source.id: values[source.key][column] for source in sources if source.key in values}


def _live(folder: Path) -> Summary:
    """Count from the ledger what a run without a summary has done so far."""
    from speechmill.pipeline.record import Silent
    from speechmill.pipeline.run import count, decoded_s, failures, reopen

    recorder, sources = reopen(folder, Silent())
    summary = Summary(folder.name, folder.stat().st_mtime, recordings=len(sources))
    summary.stages = count(recorder, recorder.plan.nodes)
    summary.failures = failures(recorder, sources)
    summary.audio_s = decoded_s(recorder)
    return summary


def _add_dataset(found: Overview, workspace: Workspace) -> None:
    try:
        index = read_index(workspace)
    except WorkspaceError:
        return
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    funnel = filters.funnel(columns.numbers("duration"), columns.drops())
    found.segments, found.segments_kept = funnel.segments, funnel.kept
    found.segment_h, found.kept_h = round(funnel.segments_hours, 4), round(funnel.kept_hours, 4)
    if columns.has("split"):
        hours = split_hours(columns.numbers("duration"), columns.coded("split"))
        found.splits = {name: round(amount, 4) for name, amount in hours.items()}
    found.warnings = [*found.warnings, *notes_of(index.decisions_path(workspace))]
    found.dropped = {loss.rule: round(loss.hours, 4) for loss in funnel.losses}
    speech_s = 0.0
    for row in _rows(workspace.dataset / "recordings.parquet"):
        speech_s += row["speech_s"] or 0.0
        found.notes += _notes(row)
    found.speech_h = round(speech_s / 3600, 4)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what of each recording is noted; never all of them at once."""
    names = ("id", "uri", "audio", "alias_of", "failed_stage", "warnings", "num_segments", "speech_s", "transcript")
    with pq.ParquetFile(path) as file:
        check_version(path, file.schema_arrow)
        for batch in file.iter_batches(RECORDINGS_AT_ONCE, columns=names):
            yield from batch.to_pylist()


def _notes(row: dict[str, object]) -> list[Quiet]:
    of = Quiet(str(row["id"]), str(row["uri"]), "")
    if row["alias_of"]:
        return [structs.replace(of, note=f"same content and text as {row['alias_of']}")]
    if row["failed_stage"] == "intake" or not row["audio"]:
        return []
    warnings = row["warnings"] if isinstance(row["warnings"], list) else []
    notes = [str(warning) for warning in warnings]
    if row["num_segments"] == 0 and row["failed_stage"] is None:
        notes.append("no speech found" if not row["speech_s"] else "no segments")
    elif row["transcript"] == "none" and row["num_segments"]:
        notes.append("no text: no sidecar, and no recogniser that knows its language")
    return [structs.replace(of, note=note) for note in notes]
