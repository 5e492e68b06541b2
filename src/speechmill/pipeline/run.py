# SPDX-License-Identifier: Apache-2.0
"""A run: from a corpus to a finished dataset, and everything it says about itself.

Ends with a Summary whose exit status is 0; 1 when more recordings failed than `max_failed`. What keeps it from
running at all is raised as ConfigError or WorkspaceError.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill import models
from speechmill.core.errors import ConfigError, LostAudio, SpeechmillError
from speechmill.core.files import write_bytes
from speechmill.core.groups import in_groups
from speechmill.core.registry import Choice
from speechmill.core.types import Source
from speechmill.pipeline import finish
from speechmill.pipeline.batches import is_remote
from speechmill.pipeline.corrected import with_corrections
from speechmill.pipeline.events import FailedItem, StageCount, Summary, write_summary
from speechmill.pipeline.frozen import read_frozen, read_shards, write_frozen
from speechmill.pipeline.intake import Memory, discover
from speechmill.pipeline.pending import Member, shards
from speechmill.pipeline.plan import Node, Plan, check_backends, check_languages, nodes, non_default, stages, workable
from speechmill.pipeline.provenance import versions
from speechmill.pipeline.record import Observer, Recorder, Silent, forget_inflight
from speechmill.pipeline.refilter import Asked
from speechmill.pipeline.report import write_report
from speechmill.pipeline.spec import Corpus
from speechmill.pipeline.table import StaleStates, States, failure
from speechmill.pipeline.training import Trained, check_trainers, read_plan, train
from speechmill.pipeline.worker import Engine
from speechmill.store.ledger import State
from speechmill.store.made import read_pins
from speechmill.store.workspace import Workspace

STOPPED = 2
INTERRUPTED = 130  # what a shell calls a process ended by Ctrl-C


class Options(Struct, frozen=True):
    """How to run; none of it changes a result."""

    limit: int | None = None  # only the first so many recordings
    max_failed: int = 0  # more failures than this end the run with status 1
    retry_failed: bool = False  # ask again for what failed for good or was quarantined
    retrain: bool = False  # make models from the corpus as it is now, also where one is pinned
    timeout_s: float | None = None  # for one recording; None: by its length and stages
    report_audio: bool = True  # embed playable samples in report.html


class Dates(Struct, frozen=True):
    """Of when the recordings are that a run works on: since <= date < until; None: no bound."""

    since: str | None = None
    until: str | None = None

    @classmethod
    def read(cls, since: str | None, until: str | None) -> Dates:
        """Read dates as people and orchestrators write them; they are compared letter by letter. Raises ConfigError."""
        return cls(_date("--since", since), _date("--until", until))

    def hold(self, source: Source) -> bool:
        """Tell whether a recording is of these dates; one without a date is where no bound is set."""
        if self.since is None and self.until is None:
            return True
        of = source.date
        return of is not None and (self.since or "") <= of and (self.until is None or of < self.until)


def _date(option: str, written: str | None) -> str | None:
    try:
        return date.fromisoformat(written).isoformat() if written else None
    except ValueError:
        raise ConfigError(f"{option} {written}: a date such as 2026-11-01") from None


class Prepared(Struct, frozen=True):
    """A run before it starts: what will be done to what."""

    plan: Plan
    sources: Sequence[Source]
    memory: Memory


def run(corpus: Corpus, engine: Engine, options: Options | None = None, observer: Observer | None = None) -> Summary:
    """Run a corpus to the end. Interrupted or killed, the same call goes on where it was."""
    options, observer = options or Options(), observer or Silent()
    check_backends(corpus)
    workspace = Workspace.create(corpus.store)
    with workspace.held():
        prepared = prepare(corpus, workspace, options.limit, retrain=options.retrain)
        recorder, sources = start(prepared, workspace, observer), prepared.sources
        del prepared  # what is remembered of files is as large as all that is needed from here on
        summary = Summary(recorder.plan.run, time.time(), workers=engine.workers, versions=versions(corpus))
        try:
            ready_models(corpus, recorder, retry_failed=options.retry_failed)
            trained = record(recorder, corpus, sources, engine, options)
            finished = trained.counts | finish_corpus(recorder, corpus, sources, engine)
        except KeyboardInterrupt:
            summary.exit_status = INTERRUPTED
            finished, trained = {}, Trained()
        except (OSError, SpeechmillError) as error:
            _stopped(summary, workspace, error)
            raise
        _conclude(summary, recorder, sources, finished, engine, options, trained.warnings)
        if summary.exit_status != INTERRUPTED:
            for node in recorder.plan.nodes:
                recorder.ledger.compact(node.folder)
            del recorder, sources  # nor does the report need them
            write_report(workspace.root, audio=options.report_audio)
    return summary


def record(recorder: Recorder, corpus: Corpus, sources: Sequence[Source], engine: Engine, options: Options) -> Trained:
    """Bring every recording through the stages. Where one waits for a model, that is made when all others are done."""
    retry_failed, timeout_s = options.retry_failed, options.timeout_s
    done: list[Node] = []
    trained = Trained()
    if any(node.waits for node in recorder.plan.nodes):
        done = workable(recorder.plan.nodes)
        recorder.record(engine, done, retry_failed=retry_failed, timeout_s=timeout_s)
        trained = train(recorder, corpus, sources, engine)
    names = {node.name for node in done}
    rest = [node for node in recorder.plan.nodes if node.name not in names]
    recorder.record(engine, rest, retry_failed=retry_failed, timeout_s=timeout_s)
    return trained


def finish_corpus(
    recorder: Recorder, corpus: Corpus, sources: Sequence[Source], engine: Engine
) -> dict[str, StageCount]:
    """Do the corpus scope. What turns out to be lost or broken on the way is made again first, once."""
    asked = Asked(corpus.filter, corpus.deduplicate, corpus.splits, corpus.speakers)
    workers = min(engine.workers, os.cpu_count() or 1)  # exports are written here, whatever the engine
    nodes_of_run, mended = recorder.plan.nodes, set[Path | None]()
    while True:
        try:
            return finish.corpus_scope(recorder, nodes_of_run, sources, asked, corpus.export, workers)
        except (LostAudio, StaleStates) as error:
            path = error.path if isinstance(error, LostAudio) else None
            if path in mended:
                raise
            mended.add(path)
            recorder.observer.note(str(error))
            if path is None:
                recorder.record(engine, nodes_of_run)
            else:
                path.unlink(missing_ok=True)
                recorder.restore_audio(engine)


def prepare(corpus: Corpus, workspace: Workspace, limit: int | None, *, retrain: bool = False) -> Prepared:
    """Find the sources and make the plan; nothing is written but what intake learnt."""
    memory = Memory(workspace.hashes, kept=(workspace.root / "workspace.json").exists())
    sources = with_corrections(discover(corpus, memory, workspace.root, limit), workspace.corrections)
    memory.save()
    if not sources and not _is_emptied(corpus, workspace):
        raise ConfigError(f"no recordings found by {', '.join(map(_of, corpus.sources))}; see: {_advice(corpus)}")
    check_languages(corpus, sources)
    pins = {} if retrain else read_pins(workspace.models)
    found = nodes(corpus, pins)
    check_trainers(corpus, found)
    # UTC, to the microsecond: the newest run is the last by name, of two within a second and around a clock change.
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:6]}"
    base, root = str(corpus.base.resolve()), str(workspace.root.resolve())
    plan = Plan(name, corpus.raw, base, root, found, versions(corpus), dict(corpus.settings))
    return Prepared(plan, sources, memory)


def _is_emptied(corpus: Corpus, workspace: Workspace) -> bool:
    """Whether a dataset has to go: all that was crawled for it was taken down, or is refused by today's policy.

    Of local sources alone, nothing found is a folder that isn't there: the dataset that was made of it stays.
    """
    return any(map(is_remote, corpus.sources)) and (workspace.dataset / "recordings.parquet").exists()


def _advice(corpus: Corpus) -> str:
    if any(map(is_remote, corpus.sources)):
        return "speechmill crawl CORPUS, then speechmill crawl status CORPUS for what is held and why"
    return "speechmill list sources"


def _of(choice: Choice) -> str:
    options = ", ".join(f"{name}: {value}" for name, value in non_default(choice.config).items())
    return f"{choice.backend} ({options})"


def start(prepared: Prepared, workspace: Workspace, observer: Observer, dates: Dates | None = None) -> Recorder:
    """Write the run's folder: plan, batch manifest and shards (of recordings of these dates), frozen from here on."""
    folder = workspace.runs / prepared.plan.run
    members = shards(prepared.sources, prepared.memory, (dates or Dates()).hold)
    recorder = Recorder(prepared.plan, prepared.sources, members, observer)
    recorder.look_everywhere()
    write_frozen(folder, prepared.sources, recorder.members)
    write_bytes(folder / "plan.json", msgspec.json.format(msgspec.json.encode(prepared.plan), indent=2))
    return recorder


def reopen(
    folder: Path, observer: Observer, shards: Collection[str] | None = None, *, ledger: bool = True
) -> tuple[Recorder, Sequence[Source]]:
    """Open a run that was started elsewhere: all of it, or some shards with their own recordings only.

    ledger: whether results will be asked for; of a whole run they are looked for everywhere. Raises WorkspaceError.
    """
    plan = read_plan(folder)
    # Where it is, not where it was when the run was planned: a workspace may have been moved.
    plan = structs.replace(plan, workspace=str(Workspace.open(folder.resolve().parents[1]).root))
    frozen: tuple[Sequence[Source], Sequence[Member]]
    frozen = read_frozen(folder) if shards is None else read_shards(folder, shards)
    sources, members = frozen
    recorder = Recorder(plan, sources, members, observer)
    if shards is None and ledger:
        recorder.look_everywhere()
    return recorder, sources


def ready_models(
    corpus: Corpus, recorder: Recorder, of: Sequence[Node] | None = None, *, retry_failed: bool = False
) -> None:
    """Have the weights ready that pending stages need. Raises MissingModel with what to fetch and where to put it.

    of: the stages that are run now; None: all.
    """
    for choice in recorder.pending_choices(stages(corpus), of, retry_failed=retry_failed):
        for name in getattr(choice.module, "MODELS", ()):
            if not models.is_present(name):
                card = models.card(name)
                recorder.observer.note(f"pulling {name} ({card.size / 2**20:.1f} MB, {card.licence})")
                models.pull(name)
        if hasattr(choice.module, "prepare"):
            choice.module.prepare(choice.config)


def _stopped(summary: Summary, workspace: Workspace, error: Exception) -> None:
    """Leave the reason where `status` finds it, if there is still room for that much."""
    summary.exit_status, summary.finished = STOPPED, time.time()
    summary.warnings = [f"the run stopped: {error}"]
    with contextlib.suppress(OSError):
        write_summary(workspace.runs / summary.run, summary)


def _conclude(
    summary: Summary,
    recorder: Recorder,
    sources: Sequence[Source],
    finished: dict[str, StageCount],
    engine: Engine,
    options: Options,
    warnings: Sequence[str],
) -> None:
    """Fill in the summary and write it."""
    summary.peak_rss_mb = round(engine.peak_rss_mb(), 1)
    fill(summary, recorder, sources, options.max_failed, warnings)
    summary.stages |= finished
    write_summary(recorder.workspace.runs / recorder.plan.run, summary)
    forget_inflight(recorder.workspace.root, recorder.plan.run)


def fill(
    summary: Summary, recorder: Recorder, sources: Sequence[Source], max_failed: int, warnings: Sequence[str]
) -> None:
    """Say in a summary what became of all recordings. Its exit status stays where it has one already."""
    summary.recordings = len(sources)
    summary.aliases = sum(source.alias_of is not None for source in sources)
    summary.audio_s = round(decoded_s(recorder), 3)
    summary.stages = count(recorder, recorder.plan.nodes)
    summary.failures = failures(recorder, sources)
    summary.warnings = [f"set aside, and its results made again: {error}" for error in recorder.ledger.corrupt]
    summary.warnings += warnings
    summary.finished = time.time()
    if summary.exit_status is None:
        summary.exit_status = int(len({failed.recording_id for failed in summary.failures}) > max_failed)


def decoded_s(recorder: Recorder) -> float:
    """Seconds of audio in the recordings that could be decoded."""
    first = recorder.plan.nodes[0]
    found = recorder.members_with_states([first])
    return sum(m.duration for group, states in found for m in group if is_done(states[first.name].get(m.key)))


def is_done(state: State | None) -> bool:
    """Tell whether there is a result, and no failure."""
    return state is not None and state.ok


def count(recorder: Recorder, of: Sequence[Node]) -> dict[str, StageCount]:
    """Count what each stage has: made now, found, failed, still to come."""
    there, failed = dict.fromkeys((node.name for node in of), 0), dict.fromkeys((node.name for node in of), 0)
    for group, states in recorder.members_with_states(of):
        for node in of:
            mine = [states[node.name].get(member.key) for member in group]
            there[node.name] += sum(state is not None for state in mine)
            failed[node.name] += sum(state is not None and not state.ok for state in mine)
    return {node.name: _count(recorder, node, there[node.name], failed[node.name]) for node in of}


def _count(recorder: Recorder, node: Node, there: int, failed: int) -> StageCount:
    spent, processed = recorder.spent[node.name], recorder.processed(node.name)
    return StageCount(
        fingerprint=node.fingerprint,
        processed=processed,
        cached=max(0, there - processed),
        failed=failed,
        pending=len(recorder.members) - there,
        cpu_s=round(spent.cpu_s, 3),
        wall_s=round(spent.wall_s, 3),
        audio_s=round(spent.audio_s, 3),
    )


def failures(recorder: Recorder, sources: Sequence[Source]) -> list[FailedItem]:
    """List the recordings that did not get through, with the first reason of each."""
    found = []
    for group in in_groups(sources):
        states = recorder.states({source.key for source in group})
        found += [item for source in group if (item := _failed(recorder, source, states)) is not None]
    return found


def _failed(recorder: Recorder, source: Source, states: States) -> FailedItem | None:
    stage, reason, detail = failure(source, recorder.plan.nodes, states)
    if source.key in recorder.changed:
        stage, reason = "intake", "source-changed"
        detail = f"{recorder.changed[source.key]} changed while the run used it; run again"
    if stage is None or source.alias_of is not None:
        return None
    state = states.get(stage, {}).get(source.key)
    return FailedItem(
        source.id,
        source.uri,
        stage,
        reason or "unknown",
        detail or "",
        permanent=state.permanent if state else False,
        attempts=state.attempts if state else 1,
    )


def with_store(corpus: Corpus, store: Path) -> Corpus:
    """Return the corpus with another workspace."""
    return structs.replace(corpus, store=store.resolve(), raw={**corpus.raw, "store": os.fspath(store.resolve())})
