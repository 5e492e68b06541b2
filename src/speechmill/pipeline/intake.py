# SPDX-License-Identifier: Apache-2.0
"""Intake: sources found, hashed, keyed and told apart; the hand-over is an immutable batch manifest.

An item's key is the hash of the source's bytes, its transcript files' bytes and kinds, and the metadata that
affects decoding, text or a `when:` condition. Hashes are remembered by (path, size, modification time), so that
a million files aren't read again. What can't be read is keyed by its URI and carries the reason.
"""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec import Struct, structs

from speechmill.core.errors import AudioError, ConfigError, FormatError
from speechmill.core.files import digest, sha256_file
from speechmill.core.groups import in_groups
from speechmill.core.types import Source, Stamp
from speechmill.formats.manifest import arrow_schema, table_of, write_parquet
from speechmill.pipeline.batches import is_remote, read_batch, refuse_elsewhere
from speechmill.pipeline.packed import Packed, stream_rows
from speechmill.pipeline.spec import Corpus, language_code
from speechmill.store.denied import item_name, read_denied

SAVE_S = 30.0  # hashing a large archive takes a day; a crash must not cost more than this,
SAVES_SHARE = 20  # unless saving, which takes longer the more is known, took a twentieth of the time


class Known(Struct, frozen=True):
    """What is remembered of a file while its size and modification time stay."""

    uri: str
    size: int
    mtime_ns: int
    sha256: str
    duration: float | None = None  # seconds, as the container says; None for transcripts and where it doesn't


class Memory:
    """Hashes and durations of files seen before: `hashes.parquet` in the workspace."""

    def __init__(self, path: Path, *, kept: bool = True) -> None:
        self.kept = kept  # False: nothing is written, for a dry run where there is no workspace yet
        self._path = path
        self._saved = time.monotonic()
        self._wait_s = SAVE_S
        try:
            self._known = {row.uri: _packed(row) for row in stream_rows(path, Known)}
        except (FileNotFoundError, FormatError):  # a cache: what is lost is made again
            self._known = {}
        self._changed = False
        self.denied = read_denied(path.parent)

    def of(self, path: Path, *, is_audio: bool) -> Known:
        """Return hash (and duration) of a file. Raises OSError where it can't be read."""
        status = path.stat()
        known = self._get(str(path))
        if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known
        duration = _duration(path) if is_audio else None
        known = Known(str(path), status.st_size, status.st_mtime_ns, sha256_file(path), duration)
        self._known[known.uri] = _packed(known)
        self._changed = True
        if self.kept and time.monotonic() - self._saved > self._wait_s:
            self.save()
        return known

    def crawled(self, source: Source) -> Known:
        """Return what a batch manifest says of an original; its bytes were hashed when they were stored."""
        known = self._get(source.uri)
        if known is None or known.sha256 != source.sha256:
            path = Path(source.uri)
            duration = _duration(path) if path.exists() else None
            known = Known(source.uri, source.size, 0, source.sha256, duration)
            self._known[source.uri] = _packed(known)
            self._changed = True
        return known

    def forget(self, source: Source) -> None:
        """Remember nothing of a source's files: what was purged leaves no hash. They are hashed again each time."""
        for uri in source.files:
            self._changed |= self._known.pop(uri, None) is not None

    def save(self) -> None:
        """Write what was learnt."""
        began = time.monotonic()
        if self._changed and self.kept:
            schema = arrow_schema(Known)
            rows = (self._unpacked(uri) for uri in self._known)
            tables = [table_of(group, schema) for group in in_groups(rows)]
            write_parquet(self._path, pa.concat_tables([schema.empty_table(), *tables]))
            self._changed = False
        self._saved = time.monotonic()
        self._wait_s = max(SAVE_S, SAVES_SHARE * (self._saved - began))

    def duration(self, uri: str) -> float | None:
        """Return the duration that a file's container states, in seconds, if it was seen and states one."""
        known = self._get(uri)
        return known.duration if known else None

    def _get(self, uri: str) -> Known | None:
        return self._unpacked(uri) if uri in self._known else None

    def _unpacked(self, uri: str) -> Known:
        return Known(uri, *msgspec.msgpack.decode(self._known[uri]))


def _packed(known: Known) -> bytes:
    """Return all but the URI, in half the bytes that objects take: every file of a corpus is remembered at once."""
    return msgspec.msgpack.encode((known.size, known.mtime_ns, known.sha256, known.duration))


def _duration(path: Path) -> float | None:
    from speechmill.formats.audio import probe

    try:
        return probe(path).duration
    except AudioError:
        return None  # decoding it will say what is wrong


def discover(corpus: Corpus, memory: Memory, workspace: Path, limit: int | None = None) -> Packed[Source]:
    """Find, hash and key every source that was not purged; a later one with an earlier one's key becomes its alias.

    So does what was crawled with the very sound of another item, though dates and captions differ: one upload is used.
    """
    return Packed(_discover(corpus, memory, workspace, limit), Source)


def _discover(corpus: Corpus, memory: Memory, workspace: Path, limit: int | None) -> Iterator[Source]:
    first: dict[str, str] = {}
    crawled: dict[str, str] = {}  # sound -> the key of its first item
    ids: set[str] = set()
    for source in _limited(_all(corpus, workspace), limit):
        keyed = keyed_as_in(corpus, source, memory)
        if memory.denied.holds(keyed.sha256, item_name(keyed.id)):
            memory.forget(keyed)
            continue
        if keyed.id in ids:  # two sources may hold the same relative path
            keyed = structs.replace(keyed, id=f"{keyed.id}-{digest(keyed.uri)[:8]}")
        ids.add(keyed.id)
        if source.sha256 and keyed.error is None:
            keyed = structs.replace(keyed, key=crawled.setdefault(source.sha256, keyed.key))
        if keyed.error is None and keyed.key in first:
            keyed = structs.replace(keyed, alias_of=first[keyed.key])
        elif keyed.error is None:
            first[keyed.key] = keyed.id
        yield keyed


def _all(corpus: Corpus, workspace: Path) -> Iterator[Source]:
    inside = os.path.join(workspace.resolve(), "")
    seen: set[str] = set()
    for choice in corpus.sources:
        if is_remote(choice):
            found: Iterable[Source] = read_batch(workspace, choice)
            refuse_elsewhere(found, workspace, _originals(corpus))
        else:
            local = choice.module.Backend(choice.config, corpus.base).discover()
            # A workspace inside the audio folder must not feed on itself.
            found = (source for source in local if not os.path.realpath(source.uri).startswith(inside))
        for source in found:
            # A crawled item's file is named by its content: two items may have the same one.
            name = source.id if source.sha256 else source.uri
            if name not in seen:
                seen |= {name, source.uri}
                yield source


def _originals(corpus: Corpus) -> Path | None:
    """Return the folder in which the corpus file wants what was crawled; None where it names none on this disk."""
    asked = corpus.crawl.originals
    return None if asked is None or "://" in asked else corpus.base / Path(asked).expanduser()


def _limited(sources: Iterable[Source], limit: int | None) -> Iterator[Source]:
    for count, source in enumerate(sources):
        if limit is not None and count >= limit:
            return
        yield source


def keyed_as_in(corpus: Corpus, source: Source, memory: Memory) -> Source:
    """Return a source with what it takes from the corpus, its hash, and the key that names its results."""
    return _keyed(_with_defaults(source, corpus), memory)


def _with_defaults(source: Source, corpus: Corpus) -> Source:
    try:
        language = language_code(source.language) if source.language else corpus.language
    except ConfigError as error:
        raise ConfigError(f"{source.uri}, as recordings.tsv has it: {error}") from error
    return structs.replace(source, language=language, channels=source.channels or corpus.channels)


def _keyed(source: Source, memory: Memory) -> Source:
    if source.error is None:
        try:
            audio = memory.crawled(source) if source.sha256 else memory.of(Path(source.uri), is_audio=True)
            sidecars = [memory.of(Path(path), is_audio=False) for path in source.sidecars]
            reference = [memory.of(Path(source.reference), is_audio=True)] if source.reference else []
            kinds = [_kind(source.uri, path) for path in source.sidecars]
        except (OSError, ValueError) as error:  # ValueError: a name that this locale can't encode
            source = structs.replace(source, error=f"unreadable: {getattr(error, 'strerror', None) or error}")
        else:
            text = [kinds, source.text, source.language]
            conditions = [source.speaker, source.num_speakers, source.channels, source.origin, source.date]
            hashes = [sidecar.sha256 for sidecar in sidecars]
            clean = [file.sha256 for file in reference]
            key = digest(audio.sha256, *hashes, msgspec.json.encode([*text, *conditions]), *clean)
            # What a crawler stored bears its hash as its name and never changes.
            files = () if source.sha256 else (audio, *sidecars, *reference)
            stamps = tuple(Stamp(file.size, file.mtime_ns) for file in files)
            return structs.replace(source, key=key, sha256=audio.sha256, size=audio.size, stamps=stamps)
    return structs.replace(source, key=digest("uri", source.uri))


def _kind(audio: str, sidecar: str) -> str:
    """Return what follows the audio's stem (".en.srt"): the same bytes are read otherwise as .srt and as .txt."""
    stem, name = (
        unicodedata.normalize("NFC", os.path.basename(path)) for path in (os.path.splitext(audio)[0], sidecar)
    )
    return name.removeprefix(stem)
