# SPDX-License-Identifier: Apache-2.0
"""A run's events as a list, a graph and a timeline: what every live view shows, up to date event by event.

One byte for each recording and stage, so that a retry or a piece done twice is counted once; all else is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from speechmill.pipeline.events import Event
from speechmill.pipeline.lanes import Lanes
from speechmill.pipeline.plan import Node

NOTHING, FOUND, FOUND_FAILED, DONE, FAILED, BLOCKED = range(6)  # states of a recording in a stage
MOST_SPANS = 3_000  # of events that are kept one by one, for a small run's timeline


class StageRow(Struct):
    """A stage in the list and the graph."""

    name: str
    recordings: int
    done: int = 0  # in this run
    found: int = 0  # that an earlier run had done
    failed: int = 0
    blocked: int = 0  # wait for something that failed
    audio_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def missing(self) -> int:
        """Recordings that are still to come."""
        return self.recordings - self.done - self.found - self.failed - self.blocked

    @property
    def speed(self) -> float | None:
        """Seconds of audio in a second of one worker."""
        return self.audio_s / self.wall_s if self.audio_s and self.wall_s else None

    @property
    def pace(self) -> str:
        """The speed as people read it: 0.49x, 63x, 10,114x; nothing where none is known."""
        speed = self.speed
        return "" if speed is None else f"{speed:,.0f}x" if speed >= 9.95 else f"{speed:.2g}x"


class ShardRow(Struct):
    """A shard in the list."""

    shard: str
    recordings: int
    through: int = 0
    failures: int = 0
    wall_s: float = 0.0


class Failure(Struct, frozen=True):
    """A recording that failed in a stage in this run, and has not got through since."""

    recording_id: str
    stage: str
    reason: str
    detail: str


class Span(Struct, frozen=True):
    """One recording in one stage, as a bar of the timeline."""

    worker: str
    shard: str
    stage: str
    recording_id: str
    begin: float
    wall_s: float
    failed: str | None


class Board:
    """What is known of a run. `found` what the ledger had, then `add` its events in any order."""

    def __init__(self, nodes: Sequence[Node], members: Iterable[tuple[str, str]]) -> None:
        """members: recording id and shard of each recording that is worked on."""
        self.nodes = nodes
        self.workers, self.by_shard = Lanes(), Lanes()
        self.spans: list[Span] | None = []  # None: there were too many
        self.failures: dict[tuple[str, str], Failure] = {}
        self.reasons: Counter[tuple[str, str]] = Counter()  # stage, reason
        self.last: float | None = None  # when the last event was
        self._places: dict[str, tuple[int, ShardRow]] = {}
        self._shards: dict[str, ShardRow] = {}
        for recording_id, shard in members:
            row = self._shards.setdefault(shard, ShardRow(shard, 0))
            row.recordings += 1
            self._places[recording_id] = (len(self._places), row)
        self._rows = {node.name: StageRow(node.name, len(self._places)) for node in nodes}
        self._states = {node.name: bytearray(len(self._places)) for node in nodes}
        self._left = [len(nodes)] * len(self._places)
        self._below = {node.name: _below(node, nodes) for node in nodes}

    @property
    def stages(self) -> list[StageRow]:
        """The list, in the plan's order."""
        return list(self._rows.values())

    @property
    def shards(self) -> list[ShardRow]:
        """The shards, in order."""
        return [self._shards[shard] for shard in sorted(self._shards)]

    @property
    def recordings(self) -> int:
        return len(self._places)

    @property
    def through(self) -> int:
        """Recordings that are done with, failed ones included."""
        return sum(row.through for row in self._shards.values())

    def found(self, recording_id: str, stage: str, *, ok: bool) -> None:
        """Take note of a result that is in the ledger; an event may yet tell that this run made it."""
        if recording_id in self._places and self._states[stage][self._places[recording_id][0]] == NOTHING:
            self._set(stage, recording_id, FOUND if ok else FOUND_FAILED)

    def add(self, event: Event) -> None:
        """Take in an event. Those of other recordings or stages than the run's are passed over."""
        row = self._rows.get(event.stage)
        if row is None or event.recording_id not in self._places:
            return
        row.wall_s += event.wall_s
        row.cpu_s += event.cpu_s
        row.audio_s += event.audio_s
        self.last = max(self.last or event.time, event.time)
        self._set(event.stage, event.recording_id, DONE if event.failed is None else FAILED)
        self._remember(event)
        shard = self._places[event.recording_id][1]
        shard.wall_s += event.wall_s
        if event.wall_s:
            begin = event.time - event.wall_s
            self.workers.add(event.worker, event.stage, begin, event.time)
            self.by_shard.add(shard.shard, event.stage, begin, event.time)
        self._draw(event, shard.shard)

    def _draw(self, event: Event, shard: str) -> None:
        if self.spans is None:
            return
        if len(self.spans) >= MOST_SPANS:
            self.spans = None
            return
        begin = event.time - event.wall_s
        self.spans.append(Span(event.worker, shard, event.stage, event.recording_id, begin, event.wall_s, event.failed))

    def _remember(self, event: Event) -> None:
        key = (event.stage, event.recording_id)
        if (before := self.failures.pop(key, None)) is not None:
            self.reasons[before.stage, before.reason] -= 1
        if event.failed is not None:
            self.failures[key] = Failure(event.recording_id, event.stage, event.failed, event.detail)
            self.reasons[event.stage, event.failed] += 1

    def _set(self, stage: str, recording_id: str, state: int) -> None:
        """Change the state of a recording in a stage, and of what can't go on for it, or can again."""
        place, shard = self._places[recording_id]
        before = self._states[stage][place]
        if before == state:
            return
        self._change(stage, place, shard, state)
        failed, had_failed = state in (FAILED, FOUND_FAILED), before in (FAILED, FOUND_FAILED)
        shard.failures += failed - had_failed
        if failed != had_failed:
            for name in self._below[stage]:
                if self._states[name][place] == (NOTHING if failed else BLOCKED):
                    self._change(name, place, shard, BLOCKED if failed else NOTHING)

    def _change(self, stage: str, place: int, shard: ShardRow, state: int) -> None:
        row, before = self._rows[stage], self._states[stage][place]
        for kind, by in ((before, -1), (state, 1)):
            if kind == DONE:
                row.done += by
            elif kind == FOUND:
                row.found += by
            elif kind == BLOCKED:
                row.blocked += by
            elif kind != NOTHING:
                row.failed += by
        self._states[stage][place] = state
        was = self._left[place]
        self._left[place] += (state == NOTHING) - (before == NOTHING)
        shard.through += (self._left[place] == 0) - (was == 0)


def edges(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """Return which stage feeds which, as (from, to), without those that follow from others.

    Where quality reads the audio of normalise and the segments of segment, which has read the same audio, one edge from
    segment says it all.
    """
    above: dict[str, set[str]] = {}
    found = []
    for node in nodes:
        feeding = [other.name for other in nodes if set(other.writes) & set(node.reads) and other.name in above]
        above[node.name] = set(feeding).union(*(above[name] for name in feeding))
        found += [
            (name, node.name) for name in feeding if not any(name in above[other] for other in feeding if other != name)
        ]
    return found


def depths(nodes: Sequence[Node]) -> dict[str, int]:
    """Return how many stages lie before each, on the longest way to it."""
    found: dict[str, int] = {}
    for node in nodes:
        before = [start for start, end in edges(nodes) if end == node.name]
        found[node.name] = max((found[name] + 1 for name in before), default=0)
    return found


def _below(node: Node, nodes: Sequence[Node]) -> tuple[str, ...]:
    """Name the stages that can't run for a recording that failed in one: those that read what it writes, and so on."""
    columns, found = set(node.writes), list[str]()
    for other in nodes:
        if other.name != node.name and columns & set(other.reads):
            columns |= set(other.writes)
            found.append(other.name)
    return tuple(found)
