# SPDX-License-Identifier: Apache-2.0
"""Which pieces of the dataset each shard holds: what was in one stays there, what is new goes into new ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from speechmill.core.files import digest
from speechmill.core.types import SPLITS
from speechmill.pipeline.export.limits import Limits
from speechmill.pipeline.export.marker import Export, Unit
from speechmill.store.contents import Piece

WHOLE = -1  # the hour of a unit that is a whole recording


class Member(Struct, frozen=True):
    """A unit of the dataset: an hour of a recording, or all of it."""

    unit: Unit
    split: str
    ranges: tuple[tuple[int, int], ...]  # rows of segments.parquet: first, and the one after the last
    segments: int
    seconds: float
    digest: str


class Members(Struct, frozen=True):
    """A shard that is to be: its name and what it holds."""

    name: str
    split: str
    members: tuple[Member, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(member.unit for member in self.members)

    def digest(self, identity: str) -> str:
        """Name what the shard's bytes follow from. identity: of the exporter as it is asked for."""
        parts = (part for member in self.members for part in (member.unit[0], str(member.unit[1]), member.digest))
        return digest(identity, self.name, self.split, *parts)[:32]


def members_of(pieces: Iterable[Piece], unit: str, without: Collection[str] = ()) -> list[Member]:
    """Return the units that a dataset has, in its order.

    unit: "hour" or "recording". without: recordings that may not be used.
    """
    found: dict[Unit, Member] = {}
    for piece in pieces:
        if piece.recording_id in without:
            continue
        key = (piece.recording_id, piece.hour if unit == "hour" else WHOLE)
        mine = Member(key, piece.split, ((piece.first, piece.last + 1),), piece.kept, piece.seconds, piece.digest)
        found[key] = _joined(found[key], mine) if key in found else mine
    return list(found.values())


def _joined(one: Member, other: Member) -> Member:
    return Member(
        one.unit,
        one.split,
        one.ranges + other.ranges,
        one.segments + other.segments,
        one.seconds + other.seconds,
        digest(one.digest, other.digest)[:32],
    )


def assign(members: Sequence[Member], before: Export | None, limits: Limits) -> tuple[list[Members], dict[str, int]]:
    """Return the shards, ordered by split and number, and the number that each split's next one gets.

    before: the export that there is; None packs everything anew.
    """
    left = {member.unit: member for member in members}
    order = {member.unit: i for i, member in enumerate(members)}
    shards = []
    for old in before.shards if before is not None else ():
        stay = [left.pop(unit) for unit in old.units if unit in left and left[unit].split == old.split]
        if stay:
            shards.append(Members(old.name, old.split, tuple(sorted(stay, key=lambda one: order[one.unit]))))
    numbers = dict(before.numbers) if before is not None else {}
    for split in SPLITS:
        new = (member for member in left.values() if member.split == split)
        for group in _packed(new, limits):
            shards.append(Members(shard_name(split, numbers.get(split, 0)), split, group))
            numbers[split] = numbers.get(split, 0) + 1
    return sorted(shards, key=_place), numbers


def shard_name(split: str, number: int) -> str:
    """Name a shard.

    >>> shard_name("train", 3)
    'train-00003'
    """
    return f"{split}-{number:05d}"


def _place(shard: Members) -> tuple[int, int]:
    return SPLITS.index(shard.split), int(shard.name.rpartition("-")[2])


def _packed(members: Iterator[Member], limits: Limits) -> Iterator[tuple[Member, ...]]:
    group: list[Member] = []
    rows, size = 0, 0.0
    for member in members:
        more = limits.estimate(member.segments, member.seconds)
        if group and (rows + member.segments > limits.max_rows or size + more > limits.max_bytes):
            yield tuple(group)
            group, rows, size = [], 0, 0.0
        group.append(member)
        rows, size = rows + member.segments, size + more
    if group:
        yield tuple(group)
