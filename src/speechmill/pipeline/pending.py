# SPDX-License-Identifier: Apache-2.0
"""What is still to be done: stages without a result, for each recording, as tasks for an engine.

A permanent failure is a result. A transient one is tried again within bounds, across runs, and then
quarantined: it counts as failed until it is asked for with `--retry-failed`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from speechmill.core.groups import in_groups
from speechmill.core.types import Canonical, Source
from speechmill.pipeline.intake import Memory
from speechmill.pipeline.packed import Packed
from speechmill.pipeline.plan import Node
from speechmill.pipeline.worker import Task
from speechmill.store.ledger import Ledger, State

SHARD_S = 3600.0  # an hour of audio is some minutes of work: small enough to lose, large enough to schedule
SHARD_RECORDINGS = 500
SHARDS_AT_ONCE = 8  # whose upstream columns are in memory together
GUESSED_BYTES_PER_S = 8_000  # of a container that states no duration: 64 kbit/s


class Member(Struct, frozen=True):
    """A row of runs/<id>/shards.parquet: which recording is in which shard. Frozen with the run."""

    shard: str
    key: str
    recording_id: str
    duration: float
    row: int = -1  # of sources.parquet; -1: not known
    homes: tuple[str, ...] = ()  # other shards in which earlier runs have left results of it


def shards(
    sources: Iterable[Source], memory: Memory, among: Callable[[Source], bool] = lambda _source: True
) -> Packed[Member]:
    """Cut a run's distinct, readable recordings into shards of about an hour of audio."""
    return Packed(_cut(sources, memory, among), Member)


def _cut(sources: Iterable[Source], memory: Memory, among: Callable[[Source], bool]) -> Iterator[Member]:
    number, seconds, count = 0, 0.0, 0
    for row, source in enumerate(sources):
        if source.alias_of or source.error or not among(source):
            continue
        duration = memory.duration(source.uri) or source.size / GUESSED_BYTES_PER_S
        if count and (seconds + duration > SHARD_S or count >= SHARD_RECORDINGS):
            number, seconds, count = number + 1, 0.0, 0
        yield Member(f"{number:05d}", source.key, source.id, round(duration, 3), row)
        seconds, count = seconds + duration, count + 1


def pending(
    nodes: Sequence[Node],
    states: Mapping[str, Mapping[str, State]],
    key: str,
    retry_failed: bool,
    among: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Return the stages an item still needs, leaving out those that wait for a failed one.

    among: the stages that may be run now; what waits for another one is left out too. None: all.
    """
    available: set[str] = set()
    needed = []
    for node in nodes:
        state = states.get(node.name, {}).get(key)
        if not set(node.reads) <= available:
            continue
        if state is None or (not state.ok and (retry_failed or _may_retry(node, state))):
            if among is not None and node.name not in among:
                continue
            needed.append(node.name)
        elif not state.ok:
            continue
        available |= set(node.writes)
    return tuple(needed)


def _may_retry(node: Node, state: State) -> bool:
    return not state.permanent and state.attempts <= node.resources.retries


def tasks(
    ledger: Ledger,
    nodes: Sequence[Node],
    sources: Mapping[str, Source],
    members: Sequence[Member],
    needed: Mapping[str, tuple[str, ...]],
    timeout_s: float | None = None,
) -> Iterator[Task]:
    """Yield a task for each member that needs stages, with the columns earlier runs made for it.

    Shard after shard, so that each gets few parts. Of the last ones together the longest come first: the last worker
    then ends soon after the others.
    """
    waiting: dict[str, array[int]] = {}  # by shard: places among the members
    for place, member in enumerate(members):
        if needed.get(member.key):
            waiting.setdefault(member.shard, array("i")).append(place)
    order = sorted(waiting)
    for begin in range(0, len(order), SHARDS_AT_ONCE):
        group = order[begin : begin + SHARDS_AT_ONCE]
        mine = [members[place] for shard in group for place in waiting[shard]]
        source = {member.key: sources[member.key] for member in mine}  # looked up in the order they lie in
        mine.sort(key=_longest_first)
        if group[-1] != order[-1]:
            mine.sort(key=_shard)
        columns = _upstream(ledger, nodes, mine, needed)
        for member in mine:
            names = needed[member.key]
            limit = timeout_s or _time_limit([node for node in nodes if node.name in names], member.duration)
            yield Task(source[member.key], names, columns[member.key], member.shard, member.duration, limit)


def _longest_first(member: Member) -> float:
    return -member.duration


def _shard(member: Member) -> str:
    return member.shard


def _upstream(
    ledger: Ledger, nodes: Sequence[Node], members: Sequence[Member], needed: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {member.key: {} for member in members}
    reads = {node.name: set(node.reads) for node in nodes}
    for node in nodes:
        keys = [
            member.key
            for member in members
            if node.name not in needed[member.key] and _wanted(node.writes, needed[member.key], reads)
        ]
        if keys:
            for key, columns in ledger.load(node.folder, keys, node.writes).items():
                found[key] |= columns
    return found


def _wanted(writes: Collection[str], needed: Collection[str], reads: Mapping[str, set[str]]) -> bool:
    return any(set(writes) & reads[name] for name in needed)


def _time_limit(nodes: Sequence[Node], duration: float) -> float:
    return sum(node.resources.timeout_s + node.resources.timeout_per_audio_s * duration for node in nodes)


def without_audio(ledger: Ledger, normalise: Node, needed: Mapping[str, tuple[str, ...]], workspace: Path) -> set[str]:
    """Return the keys whose canonical audio is wanted but gone from the disk; it must be made again."""
    keys = [key for key, names in needed.items() if names and normalise.name not in names]
    lost = set()
    for group in in_groups(keys):
        for key, columns in ledger.load(normalise.folder, group, normalise.writes).items():
            canonical: Canonical = columns["audio"]
            if not all((workspace / path).exists() for path in canonical.paths):
                lost.add(key)
    return lost
