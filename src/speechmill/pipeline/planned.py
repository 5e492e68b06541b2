# SPDX-License-Identifier: Apache-2.0
"""A run that is done piece by piece: planned here, its shards done by `exec` anywhere, concluded here.

What an orchestrator passes from task to task is `Planned`: where the run is, ranges of shards, and some counts.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from speechmill.core.conditions import holds
from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.core.types import Source
from speechmill.pipeline import run as pipeline
from speechmill.pipeline.events import EventFiles, Summary, read_counts, write_summary
from speechmill.pipeline.orchestrate_options import MOST_TASKS
from speechmill.pipeline.plan import check_backends
from speechmill.pipeline.provenance import versions
from speechmill.pipeline.record import Recorder, Silent, forget_inflight
from speechmill.pipeline.report import write_report
from speechmill.pipeline.spec import Corpus
from speechmill.pipeline.training import read_pinned
from speechmill.store.workspace import Workspace

# That a run's last step waits for whoever holds the workspace, such as the next run's `plan`: orchestrators don't try
# it again, for too many failures are an answer.
PATIENCE_S = 900.0


class Facts(Struct, frozen=True):
    """How many of a run's recordings need what not every corpus needs."""

    untranscribed: int = 0  # have no text of their own: a recogniser is needed, where one is asked for
    several_speakers: int = 0  # may have: diarization is needed


class Planned(Struct, frozen=True):
    """A run, ready to be shared out."""

    run: str  # its folder
    workspace: str
    recordings: int  # that are in shards
    audio_h: float
    shards: int
    ranges: tuple[str, ...]  # of shards, for `exec --shard`: "0..4", "5..9"; never more than were asked for
    facts: Facts


def plan_run(
    corpus: Corpus,
    *,
    tasks: int = MOST_TASKS,
    limit: int | None = None,
    since: str | None = None,
    until: str | None = None,
    retrain: bool = False,
) -> Planned:
    """Plan a run of a corpus and write its folder; no stage is run.

    tasks: at most so many ranges of shards. since, until: dates; only recordings of since <= date < until are in
    shards, though the dataset holds what is there of all. Raises ConfigError, WorkspaceError.
    """
    dates = pipeline.Dates.read(since, until)
    check_backends(corpus)
    workspace = Workspace.create(corpus.store)
    with workspace.held():
        prepared = pipeline.prepare(corpus, workspace, limit, retrain=retrain)
        recorder = pipeline.start(prepared, workspace, Silent(), dates)
        return _planned(recorder, corpus, tasks)


def newest(corpus: Corpus, *, tasks: int = MOST_TASKS) -> Planned:
    """Return the newest run of a corpus's workspace. Raises WorkspaceError where nothing was planned yet."""
    folder = Workspace.open(corpus.store).latest_run()
    if folder is None:
        raise WorkspaceError(f"{corpus.store} has had no run yet; first: speechmill plan CORPUS")
    return reopened(folder, tasks=tasks)


def reopened(folder: Path, *, tasks: int = MOST_TASKS) -> Planned:
    """Return a run that has been planned."""
    recorder, _sources = pipeline.reopen(folder, Silent(), ledger=False)
    return _planned(recorder, recorder.plan.resolved(), tasks)


def _planned(recorder: Recorder, corpus: Corpus, tasks: int) -> Planned:
    members = recorder.members
    sources = (recorder.sources[member.key] for member in members)
    shards = len({member.shard for member in members})
    return Planned(
        run=str(recorder.workspace.runs / recorder.plan.run),
        workspace=str(recorder.workspace.root),
        recordings=len(members),
        audio_h=round(sum(member.duration for member in members) / 3600, 3),
        shards=shards,
        ranges=ranges(shards, tasks),
        facts=facts(corpus, sources),
    )


def ranges(shards: int, tasks: int) -> tuple[str, ...]:
    """Share consecutive shards out among at most `tasks` ranges of nearly equal length.

    >>> ranges(5, 2)
    ('0..2', '3..4')
    """
    count = min(shards, tasks)
    bounds = [math.ceil(i * shards / count) for i in range(count + 1)] if count else []
    return tuple(f"{begin}..{end - 1}" if end - begin > 1 else str(begin) for begin, end in itertools.pairwise(bounds))


def facts(corpus: Corpus, sources: Iterable[Source]) -> Facts:
    """Count the recordings that need what not every corpus needs."""
    reads_text = any(choice.family == "transcripts" for choice in corpus.transcript)
    diarize = corpus.diarize
    untranscribed = several = 0
    for source in sources:
        untranscribed += not (reads_text and (source.sidecars or source.text))
        several += diarize.backend != "none" and holds(diarize.when, source)
    return Facts(untranscribed, several)


def conclude(folder: Path, *, max_failed: int = 0, audio: bool = True) -> Summary:
    """Write the summary and the report of a run that was done piece by piece.

    Its exit status is 1 where more recordings failed than `max_failed`. Raises WorkspaceError, and ConfigError where
    the run was never finished.
    """
    with Workspace.open(folder.resolve().parents[1]).held(PATIENCE_S):
        return _conclude(folder, max_failed, audio=audio)


def _conclude(folder: Path, max_failed: int, *, audio: bool) -> Summary:
    recorder, sources = pipeline.reopen(folder, Silent())
    corpus = recorder.plan.resolved()
    pinned, counts = read_pinned(folder), read_counts(folder)
    if any(node.waits for node in recorder.plan.nodes) and pinned is None:
        raise ConfigError(f"{folder} has not been trained; first: speechmill exec --run {folder} --stages train")
    if "filter" not in counts:
        raise ConfigError(f"{folder} has not been finished; first: speechmill exec --run {folder} --stages finish")
    began = _remember(recorder, folder)
    summary = Summary(recorder.plan.run, began, versions=versions(corpus))
    pipeline.fill(summary, recorder, sources, max_failed, pinned.warnings if pinned else ())
    if undone := _undone(recorder):
        summary.warnings.append(
            f"{undone} recordings have neither all results nor a reason; do them, and finish again: speechmill exec "
            f"--run {folder}"
        )
    summary.stages |= counts
    write_summary(folder, summary)
    forget_inflight(recorder.workspace.root, recorder.plan.run)
    for node in recorder.plan.nodes:
        recorder.ledger.compact(node.folder)
    root = recorder.workspace.root
    del recorder, sources  # the report needs none of it
    write_report(root, audio=audio)
    return summary


def _undone(recorder: Recorder) -> int:
    """Count the recordings whose shards were left out, or whose results were lost since."""
    undone = 0
    for group, states in recorder.members_with_states():
        for member in group:
            mine = [found.get(member.key) for found in states.values()]
            undone += None in mine and all(state is None or state.ok for state in mine)
    return undone


def _remember(recorder: Recorder, folder: Path) -> float:
    """Count in what all who worked on a run have done. Returns when it began."""
    began = (folder / "plan.json").stat().st_mtime
    keys = {source.id: recorder.ledger.same(source.key) for source in recorder.sources.values()}
    for event in EventFiles(folder).new():
        if event.stage in recorder.spent and event.recording_id in keys:
            recorder.spent[event.stage].add(event)
            recorder.count_in(event.stage, keys[event.recording_id])
        began = min(began, event.time)
    return min(began, time.time())
