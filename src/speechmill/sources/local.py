# SPDX-License-Identifier: Apache-2.0
"""Audio files in a folder, with the tables and transcript files that lie beside them.

`recordings.tsv` at the folder's root adds metadata, `transcripts.tsv` at the root or in any folder below adds text
(the nearest wins). Names that start with a dot are passed over unless recordings.tsv lists them. Nothing is
decoded and nothing hashed; what can't be read becomes a source with `error` set.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.types import Rights, Source
from speechmill.sources._tables import Listed, name_key, read_recordings, read_transcripts

VERSION = "1"
REQUIRES = ()

AUDIO = (
    *("wav", "flac", "mp3", "m4a", "mp4", "ogg", "opus", "aac"),
    *("aiff", "aif", "wma", "webm", "mkv", "amr", "au", "caf"),
)
SIDECARS = (".textgrid", ".json", ".vtt", ".srt", ".lab", ".txt")  # richest first
_LANGUAGE_INFIX = re.compile(r"(.+)\.[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # talk.en, talk.zh-Hans
_MAX_STEM_BYTES = 80  # leaves room for segment times and suffixes in a file name of 255 bytes


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What to look for, and where."""

    path: str  # a folder or one file; relative to the corpus file's folder
    extensions: tuple[str, ...] = AUDIO  # any case, with or without a dot; containers that FFmpeg decodes
    recursive: bool = True  # corpora keep a folder per speaker


class _Found(Struct, frozen=True):
    relative: str  # POSIX path from the root, as the file system spells it
    error: str | None = None


class Backend:
    """Finds audio files."""

    def __init__(self, config: Config, base: Path) -> None:
        """Raise ConfigError where `path` doesn't exist or there are no extensions to look for."""
        path = Path(os.path.abspath(base / Path(config.path).expanduser()))
        if not os.path.lexists(path):
            raise ConfigError(f"local: no such file or folder: {path}")
        if not config.extensions:
            raise ConfigError("local: extensions is empty; name at least one, such as wav")
        self._only = None if path.is_dir() else path.name
        self._root = path if self._only is None else path.parent
        self._extensions = frozenset("." + extension.lower().lstrip(".") for extension in config.extensions)
        self._recursive = config.recursive
        self._sidecars: dict[str, dict[str, list[str]]] = {}  # by folder, then by stem
        self._texts: dict[str, dict[str, str]] = {}  # transcripts.tsv by folder

    def discover(self) -> Iterator[Source]:
        """Yield one source per audio file, sorted by POSIX path.

        Raises ConfigError where recordings.tsv or a transcripts.tsv is broken, with its line.
        """
        listed = self._listed()
        names: set[str] = set()
        for found in sorted(self._found(listed), key=lambda one: one.relative):
            source = self._source(found, listed.get(name_key(found.relative)), names)
            names.add(source.id)
            yield source

    def _listed(self) -> Mapping[str, Listed]:
        table = self._root / "recordings.tsv"
        listed = read_recordings(table) if table.is_file() else {}
        for row in listed.values():
            for path in (row.path, row.reference or row.path):
                _refuse_outside(table, row.line, path)
        return listed

    def _found(self, listed: Mapping[str, Listed]) -> list[_Found]:
        if self._only is not None:
            return [_Found(self._only)]
        references = {name_key(row.reference) for row in listed.values() if row.reference}
        walked = list(_walk(self._root, self._extensions, self._recursive))
        found = [one for one in walked if name_key(one.relative) not in references]
        known = {name_key(one.relative) for one in found}
        for key, row in listed.items():
            if key in known:
                continue
            here = os.path.lexists(self._root / row.path)
            error = None if here else f"missing: listed in recordings.tsv line {row.line}"
            found.append(_Found(posixpath.normpath(row.path), error))
        return found

    def _source(self, found: _Found, listed: Listed | None, taken: set[str]) -> Source:
        path = os.path.join(self._root, found.relative)
        size, error = (0, found.error) if found.error else _status(path)
        source = Source(
            id=_unique_id(found.relative, taken),
            uri=os.fsencode(path).decode(errors="backslashreplace"),
            size=size,
            rights=Rights(),
            error=error,
        )
        if listed is not None:
            source = msgspec.structs.replace(
                source,
                language=listed.language,
                speaker=listed.speaker,
                num_speakers=listed.num_speakers,
                channels=listed.channels,
                date=listed.date,
                rights=listed.rights,
                **self._reference(listed, error),
            )
            error = source.error
        if error is not None:
            return source
        try:
            sidecars = self._beside(path)
        except OSError as problem:  # a folder that may be entered but not listed
            return msgspec.structs.replace(source, error=f"unreadable: {problem.strerror}")
        return msgspec.structs.replace(source, sidecars=sidecars, text=self._text(found.relative))

    def _reference(self, listed: Listed, error: str | None) -> dict[str, str | None]:
        """Return `reference` and, where its file is not there, `error`."""
        if listed.reference is None:
            return {}
        path = os.path.join(self._root, listed.reference)
        if error is None and not os.path.isfile(path):
            error = f"missing: reference {listed.reference}, listed in recordings.tsv line {listed.line}"
        return {"reference": path, "error": error}

    def _beside(self, path: str) -> tuple[str, ...]:
        folder, name = os.path.split(path)
        if folder not in self._sidecars:
            self._sidecars[folder] = _sidecars(os.listdir(folder), self._extensions)
        stem = unicodedata.normalize("NFC", os.path.splitext(name)[0])
        return tuple(os.path.join(folder, beside) for beside in self._sidecars[folder].get(stem, ()))

    def _text(self, relative: str) -> str | None:
        """Look the file up in the tables from its own folder up to the root."""
        folder = posixpath.dirname(relative)
        while True:
            key = name_key(posixpath.relpath(relative, folder or "."))
            texts = self._table(folder)
            for name in (key, posixpath.splitext(key)[0]):
                if name in texts:
                    return texts[name]
            if folder in ("", "/") or folder.startswith(".."):
                return None
            folder = posixpath.dirname(folder)

    def _table(self, folder: str) -> dict[str, str]:
        if folder not in self._texts:
            table = self._root / folder / "transcripts.tsv"
            self._texts[folder] = read_transcripts(table) if table.is_file() else {}
        return self._texts[folder]


def _refuse_outside(table: Path, line: int, path: str) -> None:
    """Raise ConfigError where a table that came with a corpus names what lies elsewhere on this disk.

    A link in the folder may lead out of it: who made the folder made the link, and a table can't.
    """
    if PureWindowsPath(path).drive or posixpath.isabs(path) or posixpath.normpath(path).split("/")[0] == "..":
        raise ConfigError(f"{table}:{line}: {path[:200]} lies outside {table.parent}. Move it there, or link to it")
    if "\0" in path:
        raise ConfigError(f"{table}:{line}: {path[:200]!r} can't be a file's path")


def _walk(root: Path, extensions: frozenset[str], recursive: bool) -> Iterator[_Found]:
    """Yield files of these extensions; a link to a folder above itself is not followed."""
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while pending:
        folder, above = pending.pop()
        try:
            found = os.stat(root / folder)
            identity = (found.st_dev, found.st_ino)
            entries = [] if identity in above else list(os.scandir(root / folder))
        except OSError as error:
            yield _Found(folder or ".", f"unreadable: {error.strerror}")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            relative = posixpath.join(folder, entry.name)
            if _is_folder(entry):
                if recursive:
                    pending.append((relative, above | {identity}))
            elif os.path.splitext(entry.name)[1].lower() in extensions:
                yield _Found(relative)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; _status says so where it has an audio file's name
        return False


def _status(path: str) -> tuple[int, str | None]:
    """Return a file's size, and why it can't be read."""
    try:
        os.fsencode(path).decode()
        found = os.stat(path)
    except UnicodeDecodeError:
        return 0, "unreadable: its name is not UTF-8"
    except FileNotFoundError:
        return 0, "missing: dangling link" if os.path.islink(path) else "missing: gone since it was listed"
    except OSError as error:
        return 0, f"unreadable: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return 0, "unreadable: not a regular file"
    if not os.access(path, os.R_OK):
        return found.st_size, "unreadable: Permission denied"
    return found.st_size, None


def _sidecars(names: list[str], extensions: frozenset[str]) -> dict[str, list[str]]:
    """Group a folder's transcript files by the stem of their audio, best first."""
    parts = {name: os.path.splitext(unicodedata.normalize("NFC", name)) for name in names}
    audio = {stem for stem, suffix in parts.values() if suffix.lower() in extensions}
    ranked: dict[str, list[tuple[int, bool, str]]] = {}
    for name, (stem, suffix) in parts.items():
        if suffix.lower() not in SIDECARS:
            continue
        rank = SIDECARS.index(suffix.lower())
        ranked.setdefault(stem, []).append((rank, False, name))
        infix = _LANGUAGE_INFIX.fullmatch(stem)
        if infix and stem not in audio:
            ranked.setdefault(infix.group(1), []).append((rank, True, name))
    return {stem: [name for _, _, name in sorted(found)] for stem, found in ranked.items()}


def _unique_id(relative: str, taken: set[str]) -> str:
    """Safe stem and hash of the path; eight hex digits, more where files of one stem clash."""
    digest = hashlib.sha256(os.fsencode(relative)).hexdigest()
    stem = safe_stem(posixpath.splitext(posixpath.basename(relative))[0])
    lengths = (length for length in range(8, len(digest) + 1, 2) if f"{stem}-{digest[:length]}" not in taken)
    return f"{stem}-{digest[: next(lengths)]}"


def safe_stem(stem: str) -> str:
    """Keep letters, marks and digits of any script, `-` and `_`; anything else becomes `_`.

    NFC, at most 80 bytes, never empty, never a leading dash (which a command would take for an option).

    >>> safe_stem("Tập 1: khoa học?")
    'Tập_1__khoa_học_'
    """
    kept = (char if char in "-_" or unicodedata.category(char)[0] in "LMN" else "_" for char in _nfc(stem))
    safe = "".join(kept).encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    return "_" + safe[1:] if safe[:1] in ("", "-") else safe


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
