# SPDX-License-Identifier: Apache-2.0
"""What is of which split, remembered: `splits/assigned.parquet` in the workspace.

Rows are only ever added: a recording (by the hash of its bytes), a speaker or a channel that was of one split stays
there, whatever shares, seed and rules become. To start over, delete the folder `splits/`: then what was tested on may
become training data, and no model that was trained before may be tested on the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.errors import FormatError, WorkspaceError
from speechmill.core.files import atomic, digest
from speechmill.core.types import SPLITS
from speechmill.formats.manifest import arrow_schema, read_parquet, table_of

Kind = Literal["recording", "speaker", "channel"]
KINDS: tuple[Kind, ...] = ("recording", "speaker", "channel")
_FOUNDED = b"speechmill.founded"


class Row(Struct, frozen=True):
    """A row of the file."""

    kind: str
    name: str
    split: str


class Assigned(NamedTuple):
    """What is known: name -> place in SPLITS, by kind. `founded`: names the first rows that were written; "": none."""

    splits: Mapping[Kind, Mapping[str, int]]
    founded: str = ""

    def of(self, kind: Kind) -> Mapping[str, int]:
        """Return what of one kind is of which split."""
        return self.splits.get(kind, {})


def names_of(splits: Mapping[str, int]) -> dict[str, str]:
    """Return splits by their names."""
    return {name: SPLITS[split] for name, split in splits.items()}


def path_in(folder: Path) -> Path:
    """Return the file in the folder `splits/`."""
    return folder / "assigned.parquet"


def founded(folder: Path) -> str:
    """Return what names the memory, "" where there is none: it is in the fingerprint of decisions with splits.

    So a person who deletes the folder gets new decisions, not those that were remembered by them.
    """
    try:
        with pq.ParquetFile(path_in(folder)) as file:
            return str((file.schema_arrow.metadata or {}).get(_FOUNDED, b"").decode())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:  # Arrow's own errors are ValueErrors
        raise _broken(folder, str(error)) from error


def read(folder: Path | None) -> Assigned:
    """Read what is remembered; nothing where nothing is. Raises FormatError where the file is broken."""
    if folder is None or not path_in(folder).exists():
        return Assigned({})
    try:
        columns = read_parquet(path_in(folder)).to_pydict()
        found: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        for kind, name, split in zip(columns["kind"], columns["name"], columns["split"], strict=True):
            found[kind][name] = SPLITS.index(split)
    except (FormatError, KeyError, ValueError) as error:
        raise _broken(folder, str(error)) from error
    return Assigned(found, founded(folder))


def remember(folder: Path, known: Assigned, new: Mapping[Kind, Mapping[str, int]]) -> Assigned:
    """Add what is not known yet, atomically; return all. Raises WorkspaceError where something would change its split.

    The file's bytes depend on what is in it alone, not on the order in which it came.
    """
    fresh = {kind: _fresh(kind, known.of(kind), new.get(kind, {}), folder) for kind in KINDS}
    if not any(fresh.values()):
        return known
    together = {kind: {**known.of(kind), **fresh[kind]} for kind in KINDS}
    name = known.founded or digest(msgspec.json.encode(list(_rows(together))))[:16]
    _write(folder, together, name)
    return Assigned(together, name)


def _fresh(kind: Kind, known: Mapping[str, int], new: Mapping[str, int], folder: Path) -> dict[str, int]:
    for name, split in new.items():
        if known.get(name, split) != split:
            raise WorkspaceError(
                f"{path_in(folder)} has the {kind} {name!r} in {SPLITS[known[name]]}, and it would go to "
                f"{SPLITS[split]}. This is a fault of speechmill: please report it with that file"
            )
    return {name: split for name, split in new.items() if name not in known}


def _rows(splits: Mapping[Kind, Mapping[str, int]]) -> Iterable[Row]:
    for kind in KINDS:
        for name, split in sorted(splits[kind].items()):
            yield Row(kind, name, SPLITS[split])


def _write(folder: Path, splits: Mapping[Kind, Mapping[str, int]], name: str) -> None:
    schema = arrow_schema(Row)
    schema = schema.with_metadata({**schema.metadata, _FOUNDED: name.encode()})
    with atomic(path_in(folder)) as temporary:
        pq.write_table(table_of(list(_rows(splits)), schema), temporary, compression="zstd")


def _broken(folder: Path, detail: str) -> FormatError:
    return FormatError(
        f"{path_in(folder)}: broken ({detail}). What was tested on would be forgotten: bring the file back from a "
        f"backup. Or start over, with splits that know nothing of those before: delete {folder}"
    )
