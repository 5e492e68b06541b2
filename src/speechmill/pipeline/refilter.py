# SPDX-License-Identifier: Apache-2.0
"""Filtering again: rules over the joined table, then the dataset; no stage is touched.

`dataset/index.json` is written last: it says which table, decisions and rules the dataset is made of.
What runs stages isn't imported here: another threshold takes about a second, start of the program included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from speechmill.core.documents import read_document
from speechmill.core.errors import WorkspaceError
from speechmill.core.files import write_bytes
from speechmill.pipeline import table, versions
from speechmill.pipeline.dataset_options import Deduplicate, Speakers, Splits
from speechmill.pipeline.decide import Places, decide, fingerprint, write_decisions
from speechmill.pipeline.export.commit import cut_off
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, read_marker
from speechmill.pipeline.filter import rules_from
from speechmill.store import assigned
from speechmill.store.takedowns import taken_down
from speechmill.store.workspace import Workspace


class Asked(Struct, frozen=True):
    """What a corpus file asks of its dataset as a whole."""

    filter: Any = None  # as written in the corpus file or on the command line
    deduplicate: Deduplicate | None = None
    splits: Splits | None = None
    speakers: Speakers = "names"


class Index(Struct, frozen=True):
    """What the dataset is made of."""

    run: str
    table: str  # fingerprint
    decisions: str  # fingerprint
    rules: tuple[str, ...]
    filter: Any  # as written in the corpus file or on the command line
    scores: tuple[str, ...] = ()
    deduplicate: Deduplicate | None = None
    splits: Splits | None = None
    speakers: Speakers = "names"

    @property
    def asked(self) -> Asked:
        """What was asked for."""
        return Asked(self.filter, self.deduplicate, self.splits, self.speakers)

    def segments_path(self, workspace: Workspace) -> Path:
        """The joined table, without decisions."""
        return workspace.tables / f"segments-{self.table}.parquet"

    def recordings_path(self, workspace: Workspace) -> Path:
        """The joined table of recordings."""
        return workspace.tables / f"recordings-{self.table}.parquet"

    def places(self, workspace: Workspace) -> Places:
        """Where what is decided on lies."""
        landmarks = workspace.tables / f"landmarks-{self.table}.parquet"
        return Places(self.segments_path(workspace), self.recordings_path(workspace), landmarks, workspace.splits)

    def decisions_path(self, workspace: Workspace) -> Path:
        """What becomes of each segment, in the order of the table."""
        return workspace.decisions / f"decisions-{self.decisions}.parquet"


def exports_of(workspace: Workspace) -> dict[str, Export]:
    """Return the finished exports by format."""
    folders = sorted(path.parent for path in workspace.exports.glob(f"[!.]*/{EXPORT_MARKER}"))
    found = {folder.name: made for folder in folders if (made := read_marker(folder)) is not None}
    return cut_off(workspace.exports) | found


def stale_exports(workspace: Workspace) -> list[str]:
    """List the formats whose export was made of an earlier dataset."""
    index = read_index(workspace)
    made = exports_of(workspace)
    return [name for name, one in made.items() if (one.table, one.decisions) != (index.table, index.decisions)]


def read_index(workspace: Workspace) -> Index:
    """Read what the dataset is made of. Raises WorkspaceError where there is none yet."""
    try:
        return read_document(workspace.dataset / "index.json", Index)
    except FileNotFoundError:
        raise WorkspaceError(
            f"{workspace.root} holds no dataset yet. Make one with: speechmill run CORPUS --out {workspace.root}"
        ) from None


def refilter(workspace: Workspace, run: str, joined: str, asked: Asked, scores: Sequence[str]) -> tuple[Index, bool]:
    """Decide anew over a table. Returns what the dataset would be made of, and whether work was done."""
    rules = rules_from(asked.filter, scores)
    withdrawn = taken_down(workspace.root)
    decided = None
    if asked.splits is not None and not assigned.founded(workspace.splits):
        # The memory of splits is written first: cut off after that, the same is decided again.
        places = Index(run, joined, "", (), asked.filter).places(workspace)
        decided = decide(places, rules, withdrawn, asked.deduplicate, asked.splits)
    memory = assigned.founded(workspace.splits) if asked.splits is not None else ""
    name = fingerprint(rules, joined, withdrawn, asked.deduplicate, asked.splits, memory)
    written = tuple(rule.expression for rule in rules)
    index = Index(
        run, joined, name, written, asked.filter, tuple(scores), asked.deduplicate, asked.splits, asked.speakers
    )
    path = index.decisions_path(workspace)
    if path.exists():
        return index, False
    if decided is None:
        decided = decide(index.places(workspace), rules, withdrawn, asked.deduplicate, asked.splits)
    write_decisions(path, decided)
    return index, True


def honour_takedowns(workspace: Workspace) -> Index:
    """Leave what was taken down since out of the dataset. Returns what that is made of now."""
    index = read_index(workspace)
    index, _worked = refilter(workspace, index.run, index.table, index.asked, index.scores)
    materialise(workspace, index)
    return index


def materialise(workspace: Workspace, index: Index) -> bool:
    """Write dataset/ from table and decisions, the index last. Returns whether there was anything to do."""
    try:
        current = read_index(workspace)
    except WorkspaceError:
        current = None
    if current is not None and (current.table, current.decisions) == (index.table, index.decisions):
        if current.asked != index.asked:
            _write_index(workspace, structs.replace(index, run=current.run))
        _published(workspace, structs.replace(index, run=current.run))  # cut off before this, it wasn't yet
        return False
    recordings = index.recordings_path(workspace)
    if current is not None:
        _write_index(workspace, structs.replace(index, decisions=""))  # cut off between files, it is that of none
    table.materialise(index.segments_path(workspace), recordings, index.decisions_path(workspace), workspace.dataset)
    _write_index(workspace, index)
    _published(workspace, index)
    return True


def _published(workspace: Workspace, index: Index) -> None:
    """Make the dataset a version, and write its card."""
    from speechmill.pipeline import card  # imports every metric, which filtering never needs

    versions.record(workspace, index)
    newest = versions.Shelf(workspace).newest()
    if newest is not None and not card.is_written(workspace, newest):
        card.write_dataset_card(workspace, newest)


def _write_index(workspace: Workspace, index: Index) -> None:
    write_bytes(workspace.dataset / "index.json", msgspec.json.format(msgspec.json.encode(index), indent=2))
