# SPDX-License-Identifier: Apache-2.0
"""What is in two splits of a finished dataset: a speaker, a channel, a recording, a sound, a text.

It looks at the files of the dataset as they are and trusts nothing that made them; no code is shared with `splits`.
An export of a dataset with splits begins with it, and fails where something is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import LeakFound
from speechmill.core.files import write_bytes
from speechmill.pipeline.arrow_numpy import integer_array
from speechmill.pipeline.filter import drop_codes
from speechmill.pipeline.refilter import read_index
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store import assigned
from speechmill.store.workspace import Workspace

VERSION = "1"  # raise it when the check finds more
_SHOWN = 5
_ROWS_AT_ONCE = 16_384

Indices = NDArray[np.int64]


class Leak(Struct, frozen=True):
    """Something that is in two splits."""

    kind: str  # speaker | channel | content | audio | text | moved | unsplit
    name: str  # of the speaker or channel; a recording's content; the text
    splits: tuple[str, ...]
    ids: tuple[str, ...]  # a recording or segment of each of `splits`, in their order

    def __str__(self) -> str:
        where = ", ".join(f"{split}: {name}" for split, name in zip(self.splits, self.ids, strict=True))
        return f"{_WORDS[self.kind].format(name=self.name)} ({where})"


_WORDS = {
    "speaker": "speaker {name!r} is in several splits",
    "channel": "channel {name!r} is in several splits",
    "content": "a recording is in several splits, sha256 {name}",
    "audio": "recordings sound alike: {name}",
    "text": "a text is in several splits: {name!r}",
    "moved": "a recording was of another split before, sha256 {name}",
    "unsplit": "kept segments are of no split",
}


class _Kept(NamedTuple):
    """The segments of a dataset that are kept, of which split, and of which recording."""

    rows: Indices
    splits: Indices  # code into `names`, -1: none
    recordings: Indices  # number of the recording in `facts`
    names: tuple[str, ...]


def find_leaks(workspace: Workspace) -> list[Leak]:
    """Return what is in two splits of the dataset; nothing where it was asked for none. Raises WorkspaceError."""
    index = read_index(workspace)
    if index.splits is None:
        return []
    columns = SegmentColumns(workspace.dataset / "segments.parquet")
    recordings = _recordings(workspace.dataset / "recordings.parquet")
    kept = _kept(columns, [row["id"] for row in recordings])
    found = [*_unsplit(columns, kept), *_by_label(columns, kept, recordings), *_moved(workspace, kept, recordings)]
    found += _audio(workspace.tables / f"landmarks-{index.table}.parquet", kept, recordings)
    if index.splits.text is not None:
        found += _texts(columns, kept, index.splits.text)
    return found


def refuse_leaks(workspace: Workspace) -> None:
    """Raise LeakFound where something is in two splits. Files that are as they were are not looked through again."""
    if not (workspace.dataset / "index.json").exists() or read_index(workspace).splits is None:
        return
    done, now = workspace.splits / "checked.json", _stamps(workspace)
    if done.exists() and done.read_bytes() == now:
        return
    found = find_leaks(workspace)
    if found:
        raise LeakFound(_refusal(workspace, found))
    write_bytes(done, now)


def _refusal(workspace: Workspace, found: Sequence[Leak]) -> str:
    shown = "; ".join(map(str, found[:_SHOWN]))
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    decisions = read_index(workspace).decisions_path(workspace)
    return (
        f"{workspace.root}: the splits leak, nothing is exported: {shown}{more}. See all: speechmill check "
        f"{workspace.root}. To decide anew, delete {workspace.dataset} and {decisions} and run the corpus again: "
        "no stage works twice"
    )


def _stamps(workspace: Workspace) -> bytes:
    """Say what was looked through: size and time of each file that a finding hangs on."""
    index = read_index(workspace)
    files = [workspace.dataset / name for name in ("segments.parquet", "recordings.parquet")]
    files += [workspace.tables / f"landmarks-{index.table}.parquet", assigned.path_in(workspace.splits)]
    stamps = [[path.name, *_stamp(path)] for path in files if path.exists()]
    return msgspec.json.encode([VERSION, index.table, index.decisions, index.splits, stamps])


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _recordings(path: Path) -> list[dict[str, Any]]:
    """Read what of recordings may be in two splits."""
    names = ["id", "sha256", "speaker", "origin", "alias_of", "rights.author"]
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(_ROWS_AT_ONCE, columns=names)
        return [row for batch in batches for row in batch.to_pylist()]


def _kept(columns: SegmentColumns, ids: Sequence[str]) -> _Kept:
    counts, _codes, _rules = drop_codes(columns.drops())
    rows = np.flatnonzero(counts == 0)
    split, recording = columns.coded("split"), columns.coded("recording_id")
    number = {name: place for place, name in enumerate(ids)}
    place = np.array([*(number[name] for name in recording.values), -1], dtype=np.int64)
    return _Kept(rows, split.codes[rows], place[recording.codes[rows]], split.values)


def _unsplit(columns: SegmentColumns, kept: _Kept) -> Iterator[Leak]:
    without = kept.rows[kept.splits < 0]
    if len(without):
        ids = columns.ids().take(integer_array(without[:1])).to_pylist()
        yield Leak("unsplit", f"{len(without)} segments", ("none",), tuple(ids))


def _by_label(columns: SegmentColumns, kept: _Kept, recordings: Sequence[dict[str, Any]]) -> Iterator[Leak]:
    """Find labels that are in two splits: each (label, split, recording) that there is, once."""
    seen: dict[tuple[str, str], dict[str, str]] = {}  # (kind, label) -> split -> the first recording of it
    for label, split, recording in sorted(_labels(columns, kept, recordings)):
        seen.setdefault(label, {}).setdefault(split, recording)
    for (kind, name), of in seen.items():
        if len(of) > 1:
            yield Leak(kind, name, tuple(of), tuple(of.values()))


def _labels(
    columns: SegmentColumns, kept: _Kept, recordings: Sequence[dict[str, Any]]
) -> Iterator[tuple[tuple[str, str], str, str]]:
    speaker = columns.coded("speaker")
    for place, split, who in _combinations(kept, speaker.codes[kept.rows]):
        name = recordings[place]["id"]
        if who >= 0 and not speaker.values[who].startswith(f"{name}#"):
            yield ("speaker", speaker.values[who]), kept.names[split], name
    for place, split in _pairs(kept):
        row, of = recordings[place], kept.names[split]
        yield ("content", row["sha256"] or row["id"]), of, row["id"]
        if row["alias_of"]:
            yield ("content", row["alias_of"]), of, row["id"]
        if row["speaker"] and not row["speaker"].startswith("#"):
            yield ("speaker", row["speaker"]), of, row["id"]
        author = (row["rights"] or {}).get("author")
        if author and row["origin"] != "local":
            yield ("channel", f"{row['origin']}: {author}"), of, row["id"]


def _combinations(kept: _Kept, other: Indices) -> list[tuple[int, int, int]]:
    """Return each recording, split and code of another column (-1: none) that go together in a kept segment."""
    many, splits = int(other.max(initial=-1)) + 2, len(kept.names)
    together = ((kept.recordings * splits + kept.splits) * many + other + 1)[kept.splits >= 0]
    found = np.unique(together).tolist()
    return [(one // many // splits, one // many % splits, one % many - 1) for one in found]


def _pairs(kept: _Kept) -> list[tuple[int, int]]:
    """Return each recording and split that go together in a kept segment."""
    return [(place, split) for place, split, _none in _combinations(kept, np.full(len(kept.rows), -1))]


def _moved(workspace: Workspace, kept: _Kept, recordings: Sequence[dict[str, Any]]) -> Iterator[Leak]:
    """Find recordings that are remembered to be of another split."""
    names = assigned.names_of(assigned.read(workspace.splits).of("recording"))
    for place, split in _pairs(kept):
        row = recordings[place]
        before = names.get(row["sha256"])
        if before is not None and before != kept.names[split]:
            yield Leak("moved", row["sha256"], (before, kept.names[split]), (row["id"], row["id"]))


def _audio(landmarks: Path, kept: _Kept, recordings: Sequence[dict[str, Any]]) -> Iterator[Leak]:
    """Find recordings of different splits that sound alike, where it was computed how they sound."""
    if not landmarks.exists():
        return
    from speechmill.measures.near_audio import near_duplicates

    split_of = {recordings[place]["id"]: kept.names[split] for place, split in _pairs(kept)}
    names, prints = [], []
    with pq.ParquetFile(landmarks) as file:
        for batch in file.iter_batches(1024, columns=["recording_id", "landmarks"]):
            for row in batch.to_pylist():
                if row["recording_id"] in split_of and row["landmarks"] is not None:
                    names.append(row["recording_id"])
                    prints.append(row["landmarks"])
    alike = near_duplicates(prints)
    for left, right in zip(alike.left.tolist(), alike.right.tolist(), strict=True):
        one, two = sorted((names[left], names[right]))
        if split_of[one] != split_of[two]:
            yield Leak("audio", f"{one}, {two}", (split_of[one], split_of[two]), (one, two))


def _texts(columns: SegmentColumns, kept: _Kept, threshold: float) -> Iterator[Leak]:
    """Find texts near to one of a split that is not for training. Texts of a word or three may repeat."""
    from speechmill.measures.near_text import MIN_WORDS, against, bags, taken

    said = bags(_texts_of(columns, kept.rows))
    long = np.diff(said.offsets) >= MIN_WORDS
    names = np.array([*kept.names, "none"])[kept.splits]
    for here, there in (("dev", ("test",)), ("train", ("dev", "test"))):
        mine = np.flatnonzero(long & (names == here))
        others = np.flatnonzero(long & np.isin(names, there))
        nearest = against(taken(said, mine), taken(said, others), threshold)
        near = nearest.other >= 0
        one, two = mine[near], others[nearest.other[near]]
        ids = (columns.ids().take(integer_array(kept.rows[rows])).to_pylist() for rows in (one, two))
        found = zip(_texts_of(columns, kept.rows[one]), names[two].tolist(), *ids, strict=True)
        for text, split, mine_id, other_id in found:
            yield Leak("text", text or "", (here, split), (mine_id, other_id))


def _texts_of(columns: SegmentColumns, rows: Indices) -> Iterable[str | None]:
    """Yield the texts of rows, which ascend."""
    first = 0
    for batch in columns.file.iter_batches(_ROWS_AT_ONCE, columns=["text"]):
        here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + len(batch))] - first
        yield from batch.column(0).take(integer_array(here)).to_pylist()
        first += len(batch)
