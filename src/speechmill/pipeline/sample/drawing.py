# SPDX-License-Identifier: Apache-2.0
"""A stratified random sample of a dataset's segments, with what each stands for.

Within a stratum the segments with the lowest hash of seed and id are drawn: a simple random sample that is the same
wherever it is drawn, and a larger one holds the smaller one's.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core.errors import ConfigError, FormatError, WorkspaceError
from speechmill.core.files import digest, write_bytes
from speechmill.pipeline.filter import drop_codes
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.sample.strata import Rows, stratify
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store.takedowns import taken_down
from speechmill.store.workspace import Workspace

FEWEST = 2  # of a stratum: one alone tells nothing of how much its segments differ
NAME = re.compile("[0-9a-f]{12}")
Of = Literal["kept", "dropped"]


class Drawn(Struct, frozen=True):
    """A segment of the sample."""

    id: str
    stratum: str
    weight: float  # how many segments of the dataset it stands for


class Part(Struct, frozen=True):
    """A stratum: how many segments it has, and how many were drawn."""

    name: str
    population: int
    drawn: int


class Sample(Struct, frozen=True):
    """What was drawn of which dataset."""

    id: str
    table: str  # fingerprints of what the dataset is made of
    decisions: str
    of: Of
    stratify: str
    seed: int
    strata: tuple[Part, ...]
    segments: tuple[Drawn, ...]

    @property
    def population(self) -> int:
        """How many segments it was drawn from."""
        return sum(part.population for part in self.strata)


def draw(workspace: Workspace, number: int, by: str, seed: int, of: Of = "kept") -> Sample:
    """Draw a sample and remember it. Raises ConfigError where there is nothing to draw from."""
    if number < 1:
        raise ConfigError(f"--n {number}: a sample has at least one segment")
    index = read_index(workspace)
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    rows = _rows(workspace, columns, of)
    if not len(rows):
        raise ConfigError(f"{workspace.root}: the dataset has no {of} segments to draw from")
    strata = stratify(columns, rows, by, max(1, number // FEWEST))
    ids = columns.ids()
    parts, segments = [], []
    for stratum, count in zip(strata, allocation([len(one.rows) for one in strata], number), strict=True):
        names = _lowest(ids.take(stratum.rows).to_pylist(), seed, count)
        parts.append(Part(stratum.name, len(stratum.rows), count))
        segments += [Drawn(name, stratum.name, len(stratum.rows) / count) for name in names]
    segments.sort(key=lambda one: _place(one.id, seed))  # so that whoever stops early has judged a bit of each
    made = digest("sample", index.table, index.decisions, of, by, str(number), str(seed))[:12]
    sample = Sample(made, index.table, index.decisions, of, by, seed, tuple(parts), tuple(segments))
    write_bytes(_remembered(workspace, made), msgspec.json.encode(sample))
    return sample


def remembered(workspace: Workspace, name: str) -> Sample:
    """Return a sample that was drawn from this workspace. Raises WorkspaceError where it wasn't."""
    if not NAME.fullmatch(name):
        raise WorkspaceError(f"{name!r} names no sample: it is not 12 hexadecimal digits")
    path = _remembered(workspace, name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sample)
    except FileNotFoundError:
        raise WorkspaceError(
            f"{workspace.root} remembers no sample {name}; draw one with: speechmill sample {workspace.root}"
        ) from None
    except msgspec.DecodeError as error:
        raise FormatError(f"{path}: {error}") from error


def allocation(sizes: Sequence[int], number: int) -> list[int]:
    """Share `number` out over strata by size: FEWEST of each at least, or all it has.

    What is left goes one by one to the stratum that has least for its size (Sainte-Laguë's divisors 1, 3, 5, ...).
    There must be no more strata than `number` // FEWEST, or one.

    >>> allocation([90, 9, 1], 10)
    [7, 2, 1]
    """
    number = min(number, sum(sizes))
    given = [min(size, FEWEST, number) for size in sizes]
    queue = [
        (-size / (2 * have + 1), i) for i, (size, have) in enumerate(zip(sizes, given, strict=True)) if have < size
    ]
    heapq.heapify(queue)
    for _ in range(number - sum(given)):
        _, i = heapq.heappop(queue)
        given[i] += 1
        if given[i] < sizes[i]:
            heapq.heappush(queue, (-sizes[i] / (2 * given[i] + 1), i))
    return given


def _rows(workspace: Workspace, columns: SegmentColumns, of: Of) -> Rows:
    """Return the rows to draw from: kept or dropped, and not taken down."""
    counts, _codes, _rules = drop_codes(columns.drops())
    wanted = counts == 0 if of == "kept" else counts > 0
    withdrawn = taken_down(workspace.root)
    if withdrawn:
        coded = columns.coded("recording_id")
        gone = [code for code, name in enumerate(coded.values) if name in withdrawn]
        wanted &= ~np.isin(coded.codes, gone)
    return np.flatnonzero(wanted)


def _lowest(names: Sequence[str], seed: int, count: int) -> list[str]:
    return sorted(names, key=lambda name: _place(name, seed))[:count]


def _place(name: str, seed: int) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8, key=str(seed).encode()).digest()


def _remembered(workspace: Workspace, name: str) -> Path:
    return workspace.samples / f"{name}.json"
