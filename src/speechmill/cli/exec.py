# SPDX-License-Identifier: Apache-2.0
"""`speechmill exec`: what every orchestrator's task is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from speechmill.cli.observing import log_format, observed
from speechmill.core.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from speechmill.core.types import Source
    from speechmill.pipeline.events import StageCount
    from speechmill.pipeline.plan import Node, Plan
    from speechmill.pipeline.record import Recorder
    from speechmill.pipeline.spec import Corpus
    from speechmill.pipeline.worker import Engine


@click.command("exec")
@click.option("--run", "folder", type=click.Path(path_type=Path), required=True, help="WORKSPACE/runs/ID")
@click.option("--stages", help="Stages or ranges: vad..segment,quality; default: all. Corpus stages: train, finish.")
@click.option("--shard", help="A shard, or a range, by number: 17 or 10..14; default: all.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--memory", "memory_mb", type=click.IntRange(min=256), help="MB that each worker may take.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed for good.")
@log_format
def command(
    folder: Path, stages: str | None, shard: str | None, workers: int, memory_mb: int | None, retry_failed: bool
) -> None:
    """Do a share of a run that `speechmill run` or an orchestrator has prepared; print counts as JSON.

    Ends 0 when every item has a result or a reason; anything else is the infrastructure's fault, and worth a retry.

    \b
    speechmill exec --run ./workspace/runs/20260101-120000-000000-abc123 --stages vad..quality --shard 17
    """
    from speechmill.engines.local import LocalEngine
    from speechmill.pipeline import run as pipeline
    from speechmill.pipeline.events import add_counts

    shards = None if shard is None else _shards(shard)
    if shards is not None and stages in ("train", "finish"):
        raise ConfigError(f"--stages {stages} is of the whole corpus: leave --shard out")
    recorder, sources, corpus = _reopened(folder, shards)
    engine = LocalEngine(workers, memory_mb)
    if stages == "finish":
        with recorder.workspace.held():
            _check_trained(folder, recorder.plan.nodes)
            _check_complete(recorder, recorder.plan.nodes)  # or its dataset would be without them, and nobody told
            counts = pipeline.finish_corpus(recorder, corpus, sources, engine)
            add_counts(folder, counts)
    elif stages == "train":
        counts = _train(recorder, corpus, sources, engine)
    else:
        chosen = _range(recorder.plan, stages)
        _check_trained(folder, chosen)
        with recorder.workspace.joined():
            pipeline.ready_models(corpus, recorder, chosen, retry_failed=retry_failed)
            recorder.record(engine, chosen, retry_failed=retry_failed)
        counts = pipeline.count(recorder, chosen)
        _check_complete(recorder, chosen)
    click.echo(msgspec.json.encode({"shard": shard, "stages": counts}).decode())


def _reopened(folder: Path, shards: Sequence[str] | None) -> tuple[Recorder, Sequence[Source], Corpus]:
    """Open a run, whole or some shards of it. Raises ConfigError where this installation can't go on with it."""
    from speechmill.pipeline.plan import check_backends, nodes
    from speechmill.pipeline.record import Silent
    from speechmill.pipeline.run import reopen

    if not (folder / "plan.json").exists():
        raise ConfigError(f"{folder} is not a run; name WORKSPACE/runs/ID")
    recorder, sources = reopen(folder, observed(Silent()), shards)
    corpus = recorder.plan.resolved()
    if nodes(corpus, recorder.plan.pins) != recorder.plan.nodes:
        raise ConfigError(f"{folder} was planned by another version of speechmill or its backends; plan it again")
    check_backends(corpus)
    return recorder, sources, corpus


def _shards(written: str) -> list[str]:
    """Return the names of shards: "3..5" is 00003, 00004 and 00005. Raises ConfigError."""
    first, _, last = written.partition("..")
    try:
        begin, end = int(first), int(last or first)
    except ValueError:
        raise ConfigError(f"--shard {written}: a number, or a range such as 10..14") from None
    if not 0 <= begin <= end:
        raise ConfigError(f"--shard {written}: a range goes up from 0 or more")
    return [f"{number:05d}" for number in range(begin, end + 1)]


def _check_complete(recorder: Recorder, chosen: Sequence[Node]) -> None:
    """Raise WorkspaceError where a recording has neither a result nor a reason: a stage before these wasn't run."""
    for path in recorder.changed.values():
        raise WorkspaceError(f"{path} changed while it was used; plan the run again")
    for group, states in recorder.members_with_states():
        for member in group:
            mine = {name: found.get(member.key) for name, found in states.items()}
            missing = [name for name, state in mine.items() if state is None]
            if any(state is not None and not state.ok for state in mine.values()):
                continue
            if any(node.name in missing for node in chosen):
                raise WorkspaceError(
                    f"{member.recording_id} has no result of {missing[0]} yet; first: --stages {missing[0]}"
                )


def _train(recorder: Recorder, corpus: Corpus, sources: Sequence[Source], engine: Engine) -> dict[str, StageCount]:
    """Make the models that the run waits for; what there is to warn of goes to stderr."""
    from speechmill.pipeline.events import add_counts
    from speechmill.pipeline.plan import workable
    from speechmill.pipeline.training import train

    if any(node.waits for node in recorder.plan.nodes):
        _check_complete(recorder, workable(recorder.plan.nodes))
    with recorder.workspace.held():
        trained = train(recorder, corpus, sources, engine)
        add_counts(recorder.workspace.runs / recorder.plan.run, trained.counts)
    for warning in trained.warnings:
        click.echo(f"warning: {warning}", err=True)
    return trained.counts


def _check_trained(folder: Path, chosen: Sequence[Node]) -> None:
    """Raise ConfigError where a stage waits for a model and nobody has tried to make it."""
    from speechmill.pipeline.training import read_pinned

    waiting = [node.name for node in chosen if node.waits]
    if waiting and read_pinned(folder) is None:
        raise ConfigError(f"{waiting[0]} waits for a model made from the corpus; first: --stages train")


def _range(plan: Plan, stages: str | None) -> list[Node]:
    """Return the nodes that are named, in the plan's order."""
    names = [node.name for node in plan.nodes]
    if stages is None:
        return list(plan.nodes)
    chosen: set[int] = set()
    for part in stages.split(","):
        first, _, last = part.partition("..")
        begin, end = _place(names, first)[0], _place(names, last or first)[-1]
        if begin > end:
            raise ConfigError(f"--stages {part}: {first} comes after {last}; the order is {', '.join(names)}")
        chosen |= set(range(begin, end + 1))
    return [plan.nodes[i] for i in sorted(chosen)]


def _place(names: list[str], stage: str) -> list[int]:
    """Places of a stage; "quality" means every metric."""
    found = [i for i, name in enumerate(names) if name == stage or name.startswith(f"{stage}.")]
    if not found:
        raise ConfigError(f"no stage {stage!r} in this run; there are {', '.join(names)} and finish")
    return found
