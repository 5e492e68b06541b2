# SPDX-License-Identifier: Apache-2.0
"""Corpus scope, between segmenting and aligning: a model is made from the corpus and pinned.

A plan is frozen, so what was pinned after it was made stands beside it: runs/<id>/pinned.json, written once. It says
which model each stage that waited uses in this run, or why there is none, and the nodes with their fingerprints.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill.align import Learnt
from speechmill.core.documents import read_document
from speechmill.core.errors import ConfigError, FormatError, SpeechmillError, WorkspaceError
from speechmill.core.files import write_bytes
from speechmill.core.registry import Choice
from speechmill.core.types import Source
from speechmill.pipeline import lessons
from speechmill.pipeline.events import StageCount
from speechmill.pipeline.lessons import Lessons, Recorded
from speechmill.pipeline.plan import Node, Plan, nodes, stages
from speechmill.pipeline.record import Recorder
from speechmill.pipeline.spec import Corpus
from speechmill.pipeline.worker import Engine
from speechmill.store import made
from speechmill.store.made import Made


class Pinned(Struct, frozen=True):
    """What became of the stages that waited for a model: `runs/<id>/pinned.json`."""

    models: dict[str, str | None]  # stage -> id of its model; None: none could be made
    nodes: tuple[Node, ...]
    warnings: tuple[str, ...] = ()


class Trained(Struct, frozen=True):
    """What training did: counts for the summary and what a person should know."""

    counts: dict[str, StageCount] = {}
    warnings: tuple[str, ...] = ()


def read_plan(folder: Path) -> Plan:
    """Read a run's plan, with the models that were pinned after it was made."""
    plan = read_document(folder / "plan.json", Plan)
    pinned = read_pinned(folder)
    return structs.replace(plan, nodes=pinned.nodes) if pinned else plan


def read_pinned(folder: Path) -> Pinned | None:
    """Return what was pinned in the course of a run; None where nothing was, or not yet."""
    try:
        return read_document(folder / "pinned.json", Pinned)
    except FileNotFoundError:
        return None


def train(recorder: Recorder, corpus: Corpus, sources: Sequence[Source], engine: Engine) -> Trained:
    """Make the models that stages of a run wait for, and go on with these. Does nothing where there is none to make.

    Too little to train on is a warning: the stages then give every segment the gap `no-model`.
    """
    folder = recorder.workspace.runs / recorder.plan.run
    pinned = read_pinned(folder)
    waiting = [node for node in recorder.plan.nodes if node.waits]
    if pinned is not None or not waiting:
        return Trained(warnings=pinned.warnings if pinned else ())
    started = time.perf_counter(), time.process_time()
    found, counts, warnings = dict[str, str | None](), dict[str, StageCount](), list[str]()
    for node in waiting:
        choice = next(stage for stage in stages(corpus) if stage.name == node.name).choices[0]
        try:
            model, new = _made(recorder, corpus, sources, engine, node, choice)
        except NotTrained as error:
            found[node.name] = None
            warnings.append(str(error))
            recorder.observer.note(str(error))
            continue
        found[node.name] = model
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        counts[f"train.{node.name}"] = StageCount(
            model, int(new), int(not new), wall_s=round(wall, 3), cpu_s=round(cpu, 3)
        )
    pins = recorder.plan.pins | {node.trainer: id for node in waiting if node.trainer and (id := found[node.name])}
    final = Pinned(found, nodes(corpus, pins), tuple(warnings))
    write_bytes(folder / "pinned.json", msgspec.json.format(msgspec.json.encode(final), indent=2))
    recorder.go_on(final.nodes)
    return Trained(counts, final.warnings)


def check_trainers(corpus: Corpus, found: Sequence[Node]) -> None:
    """Raise ConfigError where a folder to train on is not there, before hours are spent on what comes first."""
    waiting = {node.name for node in found if node.waits}
    for choice in (stage.choices[0] for stage in stages(corpus) if stage.name in waiting):
        folder = choice.config.train_on
        if folder is not None and not Path(folder).is_dir():
            raise ConfigError(f"align.{choice.backend}.train_on: no such folder: {folder}")


class NotTrained(SpeechmillError):
    """No model can be made; the message says why, and what to do."""


def _made(
    recorder: Recorder, corpus: Corpus, sources: Sequence[Source], engine: Engine, node: Node, choice: Choice
) -> tuple[str, bool]:
    """Make a node's model, unless it is there, and pin it. Returns its id and whether it was made now."""
    recorder.restore_audio(engine)
    recorded = _recorded(recorder, sources)
    note, trainer, models = recorder.observer.note, node.trainer or "", recorder.workspace.models
    with _lessons(recorded, corpus, choice) as chosen:
        if not chosen.enough:
            raise NotTrained(lessons.too_little(chosen, node.name))
        model = made.model_id(trainer, chosen.digest)

        def make(folder: Path) -> Made:
            note(f"training a model for {node.name} on {lessons.summary(chosen)}")
            learnt: Learnt = choice.module.train(
                choice.config, chosen.chosen, recorded.texts, folder, note, engine.workers
            )
            return _facts(model, node, choice, corpus, chosen, learnt)

        try:
            new = made.keep(models, model, make)
        except (ConfigError, FormatError, WorkspaceError):
            raise  # not for want of speech: mended, the same run goes on
        except SpeechmillError as error:
            problem = f"{node.name}: no model could be trained: {error}. Segments keep the word times they had"
            raise NotTrained(problem) from error
    made.pin(models, trainer, model)
    return model, new


def _recorded(recorder: Recorder, sources: Sequence[Source]) -> Recorded:
    shards = {member.key: member.shard for member in recorder.members if member.key not in recorder.changed}
    folders = {node.name: node.folder for node in recorder.plan.nodes}
    return Recorded(
        recorder.ledger,
        recorder.workspace.root,
        folders["normalise"],
        folders["segment"],
        lessons.among(sources, list(shards)),
        shards,
    )


@contextlib.contextmanager
def _lessons(recorded: Recorded, corpus: Corpus, choice: Choice) -> Iterator[Lessons]:
    """Yield what to train on, readable as long as this is open."""
    config = choice.config
    if config.train_on is None:
        yield lessons.choose(recorded, corpus.language, config.max_hours, config.seed)
        return
    from speechmill.pipeline.curated import curated

    with curated(Path(config.train_on), corpus.language, config.max_hours, config.seed) as chosen:
        yield chosen


def _facts(model: str, node: Node, choice: Choice, corpus: Corpus, chosen: Lessons, learnt: Learnt) -> Made:
    return Made(
        id=model,
        stage=node.name,
        backend=choice.backend,
        trainer=node.trainer or "",
        items=chosen.digest,
        source=str(choice.config.train_on or "corpus"),
        language=corpus.language,
        hours=round(learnt.hours, 4),
        utterances=learnt.utterances,
        speakers=learnt.speakers,
        left_out=dict(sorted({**chosen.left_out, **learnt.left_out}.items())),
        phones=learnt.phones,
        words=learnt.words,
        guessed=learnt.guessed,
        oov=learnt.oov,
    )
