# SPDX-License-Identifier: Apache-2.0
"""Recording scope: tasks through an engine, results into the ledger, events into the run's folder.

Results are written every few recordings or seconds. What dies is tried again within bounds; what it
died of is a result too.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct, structs

from speechmill.core.groups import in_groups
from speechmill.core.registry import Choice
from speechmill.core.types import Failed, Source
from speechmill.pipeline.corrected import renamed
from speechmill.pipeline.events import Event
from speechmill.pipeline.packed import ByKey, Packed
from speechmill.pipeline.pending import Member, pending, tasks, without_audio
from speechmill.pipeline.plan import Node, Plan
from speechmill.pipeline.worker import Death, Engine, Outcome, Task, inflight
from speechmill.stages.glue import Glue
from speechmill.store.ledger import Ledger, Result, State
from speechmill.store.workspace import Workspace

FLUSH_S = 2.0
FLUSH_RECORDINGS = 512  # about a shard of short ones: a part costs the same 6 ms with one row as with 500


class Scope(Struct, frozen=True):
    """What a recorder works on, and with how many."""

    folder: Path  # of the run
    members: Sequence[Member]
    workers: int

    @property
    def shards(self) -> tuple[str, ...]:
        return tuple(sorted({member.shard for member in self.members}))


class Observer(Protocol):
    """Is told how a run goes; the command line draws a bar."""

    def scope(self, scope: Scope) -> None:
        """What is worked on; told before each `begin`."""
        ...

    def note(self, text: str) -> None:
        """Something a person may want to know, once."""
        ...

    def begin(self, recordings: int, audio_s: float) -> None:
        """Recordings and seconds of audio that need work."""
        ...

    def done(self, recording_id: str, audio_s: float, events: Sequence[Event]) -> None:
        """One recording is through."""
        ...


class Silent:
    """An observer that says nothing."""

    def scope(self, scope: Scope) -> None: ...

    def note(self, text: str) -> None: ...

    def begin(self, recordings: int, audio_s: float) -> None: ...

    def done(self, recording_id: str, audio_s: float, events: Sequence[Event]) -> None: ...


class Spent(Struct):
    """What one stage took in one run, over all recordings."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    audio_s: float = 0.0

    def add(self, event: Event) -> None:
        """Count one recording in."""
        self.wall_s += event.wall_s
        self.cpu_s += event.cpu_s
        self.audio_s += event.audio_s


class Recorder:
    """Brings the recordings of a run (or of a shard, or only some stages) to their results."""

    def __init__(self, plan: Plan, sources: Sequence[Source], members: Sequence[Member], observer: Observer) -> None:
        self.plan = plan
        self.workspace = Workspace(Path(plan.workspace))
        self.ledger = Ledger(self.workspace.root, renamed(plan.nodes, sources))
        self.members = members
        self._by_key = ByKey(members, self.ledger.number, self.ledger.find)
        self.sources = ByKey(sources, self.ledger.number, self.ledger.find)
        self.ledger.homes = self._homes({})
        self.observer = observer
        self._processed = {node.name: bytearray(len(members)) for node in plan.nodes}  # 1: has a new result
        self.spent: dict[str, Spent] = {node.name: Spent() for node in plan.nodes}
        self.changed: dict[str, str] = {}  # key -> the file that changed under the run
        self._attempts = 0
        self._buffer: list[tuple[Task, dict[str, Result]]] = []
        self._flushed = time.monotonic()
        self._made_again: set[str] = set()  # keys whose lost canonical audio this run has asked for once
        self._events_path = self.workspace.runs / plan.run / f"events-{uuid.uuid4().hex[:12]}.jsonl"

    def go_on(self, nodes: tuple[Node, ...]) -> None:
        """Work by these nodes from now on: the plan's, with a model pinned that some of them waited for."""
        self.plan = structs.replace(self.plan, nodes=nodes)
        self.ledger.renamed = renamed(nodes, self.sources.values())
        self.look_everywhere()

    def look_everywhere(self) -> None:
        """Find the results of all recordings, in whichever shard an earlier run or another one has put them.

        Reads the keys of the whole ledger. Without it results lie in a member's own shard and its homes.
        """
        located = self.ledger.locate(node.folder for node in self.plan.nodes)
        self.ledger.homes = self._homes(located)
        self.members = Packed(map(self._at_home, self.members), Member)

    def _homes(self, located: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Return where each result's name may lie; names of one shard share one tuple."""
        homes, same = dict(located), dict[tuple[str, ...], tuple[str, ...]]()
        for member in self.members:
            for name in map(self.ledger.same, self._names(member.key)):
                found = (member.shard, *member.homes, *located.get(name, ()))
                found = tuple(dict.fromkeys(found)) if len(found) > 1 else found
                homes[name] = same.setdefault(found, found)
        return homes

    def _at_home(self, member: Member) -> Member:
        homes = {shard for name in self._names(member.key) for shard in self.homes.get(name, ())} - {member.shard}
        return structs.replace(member, homes=tuple(sorted(homes))) if homes else member

    def _names(self, key: str) -> set[str]:
        """Return the names that results of an item lie under: its key, or another where it was corrected."""
        return {key, *(names[key] for names in self.ledger.renamed.values() if key in names)}

    @property
    def homes(self) -> Mapping[str, tuple[str, ...]]:
        """The shards that results may lie in, by name."""
        return self.ledger.homes or {}

    def states(self, keys: Collection[str], nodes: Sequence[Node] | None = None) -> dict[str, dict[str, State]]:
        """Return what the ledger knows of some items: stage -> key -> state."""
        return {node.name: self.ledger.states(node.folder, keys) for node in nodes or self.plan.nodes}

    def members_with_states(
        self, nodes: Sequence[Node] | None = None
    ) -> Iterator[tuple[list[Member], dict[str, dict[str, State]]]]:
        """Yield members with what the ledger knows of them, some at a time."""
        for group in in_groups(self.members):
            yield group, self.states([member.key for member in group], nodes)

    def processed(self, stage: str) -> int:
        """Return how many recordings have a new result of a stage."""
        return sum(self._processed[stage])

    def count_in(self, stage: str, key: str) -> None:
        """Take note that a recording has a new result of a stage."""
        if (place := self._by_key.place(key)) is not None:
            self._processed[stage][place] = 1

    def record(
        self, engine: Engine, nodes: Sequence[Node], *, retry_failed: bool = False, timeout_s: float | None = None
    ) -> None:
        """Run what is missing of `nodes`, until nothing is left that may be tried again."""
        first = True
        while needed := self._needed(nodes, retry_failed and first):
            if first:
                waiting = (member.duration for member in self.members if member.key in needed)
                self.observer.scope(Scope(self._events_path.parent, self.members, engine.workers))
                self.observer.begin(sum(member.key in needed for member in self.members), sum(waiting))
            before = self._attempts, len(self.ledger.corrupt)
            self._pass(engine, needed, timeout_s)
            if (self._attempts, len(self.ledger.corrupt)) == before:
                return  # nothing came of it, not even a failure: another pass would be the same
            first = False

    def pending_choices(
        self, of: Sequence[Glue], nodes: Sequence[Node] | None = None, *, retry_failed: bool = False
    ) -> list[Choice]:
        """Return the backends that recordings still wait for; recognisers only where one has no transcript.

        nodes: those that are run now; None: all.
        """
        missing = self._missing(nodes or self.plan.nodes, retry_failed)
        names = {name for stages in missing.values() for name in stages}
        found = [choice for stage in of if stage.name in names for choice in stage.choices]
        waiting = (self.sources[member.key] for member in self.members)
        spoken = any(not source.sidecars and not source.text for source in waiting)
        given = any(choice.family == "transcripts" for choice in found)
        return [choice for choice in found if choice.family != "asr" or spoken or not given]

    def _missing(self, nodes: Sequence[Node], retry_failed: bool) -> dict[str, tuple[str, ...]]:
        names = {node.name for node in nodes}
        needed, same = dict[str, tuple[str, ...]](), dict[tuple[str, ...], tuple[str, ...]]()
        for group, states in self.members_with_states():
            for member in group:
                stages = pending(self.plan.nodes, states, member.key, retry_failed, names)
                if stages and member.key not in self.changed:
                    needed[self.ledger.same(member.key)] = same.setdefault(stages, stages)
        return needed

    def _needed(self, nodes: Sequence[Node], retry_failed: bool) -> dict[str, tuple[str, ...]]:
        """Return what is missing, and normalising again where canonical audio that is wanted is gone."""
        needed = self._missing(nodes, retry_failed)
        normalise = self.plan.nodes[0]
        for key in without_audio(self.ledger, normalise, needed, self.workspace.root):
            if key in self._made_again:
                self._give_up(key, needed.pop(key)[0])
            else:
                self._made_again.add(key)
                needed[key] = (normalise.name, *needed[key])
        return needed

    def restore_audio(self, engine: Engine) -> None:
        """Make again what canonical audio is gone, whether or not a stage needs it: exports do."""
        normalise = self.plan.nodes[0]
        everything = {member.key: ("export",) for member in self.members}
        lost = without_audio(self.ledger, normalise, everything, self.workspace.root)
        self._pass(engine, dict.fromkeys(lost, (normalise.name,)), None)

    def _give_up(self, key: str, stage: str) -> None:
        """Write down that a recording's canonical audio is gone and its original no longer gives it."""
        detail = "canonical audio is gone, and could not be made again from the original"
        node = next(node for node in self.plan.nodes if node.name == stage)
        shard = self._by_key[key].shard
        failed = Failed(key, stage, "canonical-audio-missing", detail)
        self.ledger.write(node.folder, shard, node.writes, [Result(key, failed=failed)])
        self._count(stage, key)
        event = Event(time.time(), stage, self.sources[key].id, failed=failed.reason, detail=detail, shard=shard)
        self._log([event])

    def _pass(self, engine: Engine, needed: Mapping[str, tuple[str, ...]], timeout_s: float | None) -> None:
        waiting = tasks(self.ledger, self.plan.nodes, self.sources, self.members, needed, timeout_s)
        try:
            for task, outcome in engine.map(self.plan, waiting):
                self._take(task, outcome)
        finally:
            self.flush()

    def _take(self, task: Task, outcome: Outcome | Death) -> None:
        if isinstance(outcome, Death):
            self._bury(task, outcome)
            return
        if outcome.changed is not None:
            self.changed[task.source.key] = outcome.changed
        self._buffer.append((task, outcome.results))
        for name in (*outcome.results, *outcome.written):
            self._count(name, task.source.key)
        self._log(outcome.events)
        self.observer.done(task.source.id, task.duration, outcome.events)
        if len(self._buffer) >= FLUSH_RECORDINGS or time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def _bury(self, task: Task, death: Death) -> None:
        """Write down what a worker died of; the stage it was in is the culprit."""
        stage = death.stage if death.stage in task.stages else task.stages[0]
        failed = Failed(task.source.key, stage, death.reason, death.detail)
        self._buffer.append((task, {stage: Result(task.source.key, failed=failed)}))
        self._count(stage, task.source.key)
        event = Event(time.time(), stage, task.source.id, failed=death.reason, detail=death.detail, shard=task.shard)
        self._log([event])
        self.observer.done(task.source.id, 0.0, [event])
        self.flush()

    def flush(self) -> None:
        """Write the results waiting in memory: one part for each shard and stage."""
        parts: dict[tuple[str, str], list[Result]] = {}
        for task, results in self._buffer:
            for name, result in results.items():
                parts.setdefault((task.shard, name), []).append(result)
        nodes = {node.name: node for node in self.plan.nodes}
        for (shard, name), results_of_part in parts.items():
            self.ledger.write(nodes[name].folder, shard, nodes[name].writes, results_of_part)
        self._buffer = []
        self._flushed = time.monotonic()

    def _count(self, stage: str, key: str) -> None:
        self.count_in(stage, key)
        self._attempts += 1

    def _log(self, events: Sequence[Event]) -> None:
        for event in events:
            self.spent[event.stage].add(event)
        with self._events_path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def forget_inflight(workspace: Path, run: str) -> None:
    """Remove the markers of a run that has ended."""
    folder = inflight(workspace, run, "x").parent
    for marker in folder.glob("*"):
        marker.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # an exec on the same run has put its own there meanwhile
        folder.rmdir()
