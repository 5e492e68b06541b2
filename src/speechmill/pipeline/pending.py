# SPDX-License-Identifier: Apache-2.0
"""What is still to be done: stages without a result, for each recording, as tasks for an engine.

A permanent failure is a result. A transient one is tried again within bounds, across runs, and then
quarantined: it counts as failed until it is asked for with `--retry-failed`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from speechmill.core.types import Canonical, Source
from speechmill.formats.manifest import read_rows, write_rows
from speechmill.pipeline.intake import Memory
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


def shards(sources: Sequence[Source], memory: Memory) -> list[Member]:
    """Cut a run's distinct, readable recordings into shards of about an hour of audio."""
    members, number, seconds, count = [], 0, 0.0, 0
    for source in sources:
        if source.alias_of or source.error:
            continue
        duration = memory.duration(source.uri) or source.size / GUESSED_BYTES_PER_S
        if count and (seconds + duration > SHARD_S or count >= SHARD_RECORDINGS):
            number, seconds, count = number + 1, 0.0, 0
        members.append(Member(f"{number:05d}", source.key, source.id, round(duration, 3)))
        seconds, count = seconds + duration, count + 1
    return members


def write_members(path: Path, members: Sequence[Member]) -> None:
    """Write shards.parquet."""
    write_rows(path, members, Member)


def read_members(path: Path) -> list[Member]:
    """Read shards.parquet."""
    return read_rows(path, Member)


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

    Within some shards at a time the longest come first: the last worker then ends soon after the others.
    """
    waiting = [member for member in members if needed.get(member.key)]
    order = sorted({member.shard for member in waiting})
    for begin in range(0, len(order), SHARDS_AT_ONCE):
        group = set(order[begin : begin + SHARDS_AT_ONCE])
        mine = sorted((m for m in waiting if m.shard in group), key=lambda member: -member.duration)
        columns = _upstream(ledger, nodes, mine, needed)
        for member in mine:
            names = needed[member.key]
            limit = timeout_s or _time_limit([node for node in nodes if node.name in names], member.duration)
            yield Task(sources[member.key], names, columns[member.key], member.shard, member.duration, limit)


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
    loaded = ledger.load(normalise.folder, keys, normalise.writes) if keys else {}
    lost = set()
    for key, columns in loaded.items():
        canonical: Canonical = columns["audio"]
        if not all((workspace / path).exists() for path in canonical.paths):
            lost.add(key)
    return lost
