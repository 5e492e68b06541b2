# SPDX-License-Identifier: Apache-2.0
"""What a purged recording could be known by: names, hashes, texts and the very samples of its audio.

Names and hashes are looked for as they are, escaped, and as raw bytes; of a hash, its first 16 digits, for files are
named by less than all of it. A text counts where it has four words and nobody else here says it. Audio is known by
the MD5 in the header of its FLAC, whole and cut, and by 64 bytes in the middle of every segment (WAV, raw PCM).
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.errors import AudioError
from speechmill.core.files import digest
from speechmill.core.types import Source
from speechmill.formats.audio import read_canonical
from speechmill.formats.flac import stream_info
from speechmill.formats.manifest import read_rows
from speechmill.formats.samples import to_pcm16
from speechmill.pipeline.purge.leaves import leaves
from speechmill.pipeline.purge.needles import ANCHOR, Needles
from speechmill.pipeline.purge.scan import Wanted
from speechmill.pipeline.purge.target import Target, known, manifests, of_recordings, segment_tables
from speechmill.store import corrections
from speechmill.store.pseudonyms import KEY, pseudonyms
from speechmill.store.workspace import Workspace

HEX = 16  # digits of a hash: 64 bits are nobody else's by chance
WORDS, LETTERS = 4, 12  # a text of so many words, or in a script without blanks of so many letters, is distinctive
WINDOW = 64  # bytes of PCM16
RATES = (24_000, 16_000)  # at which exporters cut
_TEXTS = ("text", "title", "attribution")


class Marks(Struct, frozen=True):
    """names: what rows and files are told apart by. everything: with texts and audio, for the last look."""

    names: Wanted
    everything: Wanted
    counts: dict[str, int]  # how many of each kind are looked for


def marks(workspace: Workspace, target: Target) -> Marks:
    """Gather what there is to look for; of a purge that is gone on with, what is left of it."""
    names = set(_names(workspace, target))
    said = set(texts(workspace, target)) - spoken_by_others(workspace, target)
    heard = set(audio(workspace, target))
    values = frozenset(name.encode() for name in target.speakers)
    stays = [name.encode() for name in target.stays]
    written = {form for text in said for form in forms(text)}
    return Marks(
        Wanted(Needles(names, stays), values),
        Wanted(Needles(names | written | heard, stays), values),
        {"names and hashes": len(names), "texts": len(said), "pieces of audio": len(heard), "speakers": len(values)},
    )


def _names(workspace: Workspace, target: Target) -> Iterator[bytes]:
    hashes = {name for one in target.recordings for name in (one.key, one.sha256) if name}
    for name in hashes | set(renamed_keys(workspace, hashes)):
        yield name[:HEX].encode()
        yield bytes.fromhex(name)[:ANCHOR]
    for one in target.recordings:
        for name in (one.id, one.uri, *one.beside, *((one.url,) if one.url else ())):
            yield from forms(name)
            yield quote(name).encode()
    if (workspace.root / KEY).exists():
        hidden = pseudonyms(workspace.root)
        for speaker in target.speakers:
            yield (hidden.of(speaker) or "").encode()


def renamed_keys(workspace: Workspace, hashes: Iterable[str]) -> Iterator[str]:
    """Yield the keys under which results of corrected recordings lie: by every run's corrections, and by each since."""
    import msgspec

    wanted = set(hashes)
    keys: dict[str, set[str]] = {}
    for path in sorted(workspace.runs.glob("*/sources.parquet")):
        for source in read_rows(path, Source):
            if source.sha256 in wanted or source.key in wanted:
                keys.setdefault(source.sha256, set()).add(source.key)
                yield from _renamed(source.key, source.corrections, msgspec.json.Encoder())
    entries = corrections.log(workspace.corrections)
    mine = [entry for entry in entries if entry.sha256 in keys or entry.dropped]
    for end in range(1, len(mine) + 1):
        standing = [one for one in corrections.standing(mine[:end]) if one.correction is not None]
        for sha256, found in keys.items():
            rows = [one.correction for one in standing if one.sha256 == sha256 and one.correction is not None]
            ordered = tuple(sorted(rows, key=lambda row: (row.start, row.channel)))
            for key in found:
                yield from _renamed(key, ordered, msgspec.json.Encoder())


def _renamed(key: str, found: Iterable[object], encoder: object) -> Iterator[str]:
    """See pipeline.corrected.renamed."""
    import msgspec

    working = [one for one in found if getattr(one, "text", None) is not None]
    if working:
        yield digest(key, msgspec.json.encode(working))


def texts(workspace: Workspace, target: Target) -> Iterator[str]:
    """Yield the distinctive texts of the target: of segments, of titles, and of every result that has one."""
    ids = target.ids
    for path in segment_tables(workspace):
        table = _read(path, ["text", "recording_id"])
        yield from _distinctive(of_recordings(table, "recording_id", ids, within=True)["text"].to_pylist())
    for path in manifests(workspace):
        yield from _texts_in(of_recordings(_read(path), "id", ids, within=True))
    for table in _results(workspace, target, within=True):
        yield from _texts_in(table)


def _results(workspace: Workspace, target: Target, *, within: bool) -> Iterator[pa.Table]:
    """Yield the rows of every stage's results that are the target's, or those that are not."""
    keys = {one.key[:HEX] for one in target.recordings if one.key}
    keys |= {key[:HEX] for key in renamed_keys(workspace, {one.sha256 for one in target.recordings})}
    for path in sorted(workspace.root.glob("stages/*/*/*.parquet")):
        table = _read(path)
        if "key" in table.column_names:
            asked = [(str(key)[:HEX] in keys) is within for key in table["key"].to_pylist()]
            if any(asked):
                yield table.filter(pa.array(asked))


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except (pa.ArrowInvalid, OSError):
        return pa.table({name: pa.array([], pa.string()) for name in columns or ["id"]})


def _texts_in(table: pa.Table) -> Iterator[str]:
    for name in table.column_names:
        for chunk in table[name].chunks:
            for leaf in _fields(name, chunk):
                yield from _distinctive(leaf.to_pylist())


def _fields(name: str, column: pa.Array) -> Iterator[pa.Array]:
    """Yield the string arrays that hold what was said or written, by the names of their fields."""
    kind = column.type
    if pa.types.is_struct(kind):
        for field, child in zip(kind, column.flatten(), strict=True):
            yield from _fields(field.name, child)
    elif pa.types.is_list(kind):
        yield from _fields(name, column.flatten())
    elif pa.types.is_string(kind) and name in _TEXTS:
        yield column


def _distinctive(found: Iterable[str | None]) -> Iterator[str]:
    for text in found:
        for line in (text or "").splitlines():
            if is_distinctive(line):
                yield line.strip()


def is_distinctive(text: str) -> bool:
    """Tell whether a text is long enough to be somebody's.

    >>> is_distinctive("thank you very much"), is_distinctive("thank you"), is_distinctive("今天我们来讨论一下这个问题")
    (True, False, True)
    """
    foreign = sum(ord(letter) > 0x2E80 for letter in text)
    return len(text.split()) >= WORDS or foreign >= LETTERS


def spoken_by_others(workspace: Workspace, target: Target) -> set[str]:
    """Return which of the target's texts others here have too: finding those tells nothing of it.

    In the dataset, in any result of a stage, or in a correction that no run has seen yet.
    """
    mine = {text.encode(): text for text in texts(workspace, target)}
    needles = Needles(mine)
    return {mine[one] for content in _texts_of_others(workspace, target) for _at, one in needles.find(content)}


def _texts_of_others(workspace: Workspace, target: Target) -> Iterator[bytes | memoryview]:
    for path in [*segment_tables(workspace), *manifests(workspace)]:
        column = "recording_id" if path in segment_tables(workspace) else "id"
        rest = of_recordings(_read(path), column, target.ids, within=False)
        for name in ("text", "rights"):
            for chunk in rest[name].chunks if name in rest.column_names else ():
                yield from _contents(leaf for leaf, _rows in leaves(chunk))
    for table in _results(workspace, target, within=False):
        for name in table.column_names:
            yield from _contents(leaf for chunk in table[name].chunks for leaf in _fields(name, chunk))
    hashes = {one.sha256 for one in target.recordings}
    for entry in corrections.log(workspace.corrections):
        if entry.correction is not None and entry.correction.text and entry.sha256 not in hashes:
            yield entry.correction.text.encode()


def _contents(found: Iterable[pa.Array]) -> Iterator[memoryview]:
    for leaf in found:
        if (content := leaf.buffers()[2]) is not None:
            yield memoryview(content)


def forms(text: str) -> set[bytes]:
    """Return how a text may stand in a file."""
    return {
        text.encode(),
        json.dumps(text)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        html.escape(text).encode(),
        html.escape(text, quote=False).encode(),
    }


def audio(workspace: Workspace, target: Target) -> Iterator[bytes]:
    """Yield what the target's audio can be known by, as far as it is there."""
    paths = {one.id: one.audio for one in target.recordings if one.audio}
    mine = {path: _md5(workspace, path) for found in paths.values() for path in found}
    others = sound_of_others(workspace, target)
    paths = {id: found for id, found in paths.items() if not any(mine[path] in others for path in found)}
    for path in {path for found in paths.values() for path in found}:
        if (md5 := mine[path]) is not None:
            yield from _hashed(md5)
    own = workspace.dataset / "segments.parquet"
    if own.exists():
        columns = ["recording_id", "start", "duration", "channel"]
        table = of_recordings(_read(own, columns), "recording_id", target.ids, within=True)
        for row in table.to_pylist():
            found = paths.get(row["recording_id"], ())
            if found:
                path = workspace.root / found[min(row["channel"], len(found) - 1)]
                yield from _clip(path, row["start"], row["duration"])


def sound_of_others(workspace: Workspace, target: Target) -> dict[bytes, str]:
    """Return the MD5 of the audio of each recording that stays, and its id: equal samples tell nothing of the target.

    What was uploaded twice has other bytes, and may have the same samples.
    """
    gone = set(target.ids)
    rest = {path: one.id for one in known(workspace) if one.id not in gone for path in one.audio}
    found = {_md5(workspace, path): id for path, id in rest.items()}
    return {md5: id for md5, id in found.items() if md5 is not None}


def same_sound(workspace: Workspace, target: Target) -> set[str]:
    """Return the ids of recordings that stay and have the samples of one that goes."""
    others = sound_of_others(workspace, target)
    mine = {_md5(workspace, path) for one in target.recordings for path in one.audio}
    return {id for md5, id in others.items() if md5 in mine}


def _md5(workspace: Workspace, path: str) -> bytes | None:
    try:
        return stream_info(workspace.root / path).md5
    except AudioError:
        return None


def _clip(path: Path, start: float, duration: float) -> Iterator[bytes]:
    for rate in RATES:
        try:
            samples = to_pcm16(read_canonical(path, start, duration, sampling_rate=rate)).astype("<i2")
        except AudioError:
            return
        if len(samples) and np.ptp(samples):
            yield from _hashed(hashlib.md5(samples.tobytes(), usedforsecurity=False).digest())
            middle = samples[len(samples) // 2 :][: WINDOW // 2]
            if len(np.unique(middle)) > WINDOW // 8:  # silence and steps are everybody's
                yield middle.tobytes()


def _hashed(md5: bytes) -> Iterator[bytes]:
    yield md5
    yield md5.hex().encode()
