# SPDX-License-Identifier: Apache-2.0
"""Items of the Internet Archive: what /metadata/ITEM says, and which of an item's files are its recordings.

Of the files the uploaded ones count, and of each only one form, never a derived MP3 and Ogg of the same chapter.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from speechmill.core.errors import FetchError
from speechmill.core.remote import CaptionTrack
from speechmill.sources import _answers, _media
from speechmill.sources._languages import language_of
from speechmill.sources._licences import Licence, denies, strictest

_LOSSLESS = ("flac", "wav", "aiff", "aif", "shn", "ape")
_RATES = re.compile(r"[_-](?:\d{2,3}kb(?:ps)?|vbr)(?:_mp3)?$", re.IGNORECASE)

_MAX_MARKS = 3  # in a name of captions: language, region, "asr"


class AudioFile(Struct, frozen=True):
    """One recording of an item, in the form that is fetched."""

    id: str
    name: str  # of the form that is fetched
    extension: str
    title: str | None
    duration: float | None
    size: int | None
    sha1: str | None
    md5: str | None
    captions: tuple[tuple[str, CaptionTrack], ...]  # names of files


class Item(Struct, frozen=True):
    """What is read of /metadata/ITEM."""

    identifier: str
    title: str | None
    author: str | None
    date: str | None
    language: str | None
    category: str | None
    licence: Licence
    licence_field: str | None
    files: tuple[AudioFile, ...]


def read_item(identifier: str, answer: Any, max_bytes: int) -> Item:
    """Read an item. max_bytes: of one file; where the upload is larger, a form derived of it is taken.

    Raises FetchError: "permanent" for items that are not there, dark or restricted, "incomplete" for half an answer.
    """
    if not isinstance(answer, dict):
        raise FetchError("format", "unknown-answer", f"the metadata of {identifier} is no object")
    if not answer or answer.get("error") == "not found":
        raise FetchError("permanent", "not-found", f"there is no item {identifier}")
    stated = _answers.mapping(answer.get("metadata"))
    if answer.get("is_dark") or answer.get("nodownload"):
        raise FetchError("permanent", "dark", f"{identifier} was taken out of circulation")
    if str(stated.get("access-restricted-item", "")).lower() in ("true", "1"):
        raise FetchError("permanent", "restricted", f"{identifier} is lent or kept for some readers")
    if not stated or not isinstance(answer.get("files"), list):
        raise FetchError("incomplete", "no-metadata", f"the answer for {identifier} has no metadata or no files")
    languages = [language_of(name) for name in _answers.texts(stated.get("language"))]
    language = languages[0] if len(set(languages)) == 1 else None  # of several none is that of a given file
    licence, field = _licence(stated)
    return Item(
        identifier,
        _answers.plain(next(iter(_answers.texts(stated.get("title"))), None)),
        ", ".join(_answers.texts(stated.get("creator"))[:10]) or None,
        _date(stated),
        language,
        next(iter(_answers.texts(stated.get("collection"))), None),
        licence,
        field,
        tuple(_files(identifier, _answers.entries(answer["files"]), language, max_bytes)),
    )


def _date(stated: Mapping[str, Any]) -> str | None:
    """Return the work's date where it is a whole one, or else when the item was published."""
    dates = (text for name in ("date", "publicdate", "addeddate") for text in _answers.texts(stated.get(name))[:1])
    return next((found for found in map(_answers.date, dates) if found), None)


def _licence(stated: Mapping[str, Any]) -> tuple[Licence, str | None]:
    """Return the licence of `licenseurl`, unless others say otherwise; of `rights` alone where there is no other."""
    addresses, words = _answers.texts(stated.get("licenseurl")), _answers.texts(stated.get("rights"))
    if addresses:  # prose in `rights` then only counts where it takes something back
        beside = [word for word in words if denies(word) or re.fullmatch(r"\w+://\S+", word)]
        return strictest([*addresses, *_answers.texts(stated.get("license")), *beside]), "licenseurl"
    return strictest(words), "rights" if words else None


def _files(identifier: str, rows: Sequence[Mapping[str, Any]], language: str | None, max_bytes: int) -> list[AudioFile]:
    """Return one form of every recording, in the order of the item's list."""
    named = [row for row in rows if _file_name(row) and not _is_true(row.get("private"))]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in named:
        if _is_recording(row):
            groups.setdefault(_root(row), []).append(row)
    beside: dict[str, list[tuple[str, CaptionTrack]]] = {}
    for row in named:
        if (found := _captions_of(row["name"], groups, language)) is not None:
            beside.setdefault(found[0], []).append((row["name"], found[1]))
    files = []
    for root, forms in groups.items():
        best = min(forms, key=lambda row: _order(row, max_bytes))
        files.append(_file(identifier, root, best, forms, tuple(beside.get(root, ()))))
    return files


def _file_name(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has a name that can be asked for."""
    name = row.get("name")
    return isinstance(name, str) and 0 < len(name) < 500 and ".." not in name.split("/") and name.isprintable()


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("true", "1")


def _is_recording(row: Mapping[str, Any]) -> bool:
    """Tell whether a file is one that somebody uploaded, or made of one; samples are none."""
    if _media.extension_of(row["name"]) is None:
        return False
    return row.get("source") in ("original", "derivative") and "sample" not in str(row.get("format", "")).lower()


def _root(row: Mapping[str, Any]) -> str:
    """Return what all forms of one recording share: the uploaded file's name without extension and bit rate."""
    original = row.get("original")
    name = original if row.get("source") == "derivative" and isinstance(original, str) and original else row["name"]
    return _RATES.sub("", re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name))


def _order(row: Mapping[str, Any], max_bytes: int) -> tuple[bool, bool, bool, str]:
    """Order forms: what may be fetched, what was uploaded, what lost nothing."""
    size = _answers.number(row.get("size"))
    lossy = not row["name"].lower().endswith(_LOSSLESS)
    return (size is not None and size > max_bytes, row.get("source") != "original", lossy, row["name"])


def _file(
    identifier: str,
    root: str,
    best: Mapping[str, Any],
    forms: Iterable[Mapping[str, Any]],
    beside: tuple[tuple[str, CaptionTrack], ...],
) -> AudioFile:
    durations = (_answers.seconds(row.get("length")) for row in (best, *forms))
    return AudioFile(
        f"{identifier}~{_safe(root)}",
        best["name"],
        _media.extension_of(best["name"]) or "bin",
        next((title for row in (best, *forms) if (title := _answers.plain(row.get("title")))), None),
        next((duration for duration in durations if duration), None),
        _answers.whole(best.get("size")) or None,
        _digest(best.get("sha1"), 40),
        _digest(best.get("md5"), 32),
        beside,
    )


def _safe(root: str) -> str:
    """Return a name for a file of an item: its own where that is plain, or else a digest of it.

    >>> _safe("chapter_01"), _safe("CD 1/Chương 1")
    ('chapter_01', 'e16afe3e9003')
    """
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}", root)
    return root if plain else hashlib.sha256(root.encode(errors="replace")).hexdigest()[:12]


def _digest(value: Any, length: int) -> str | None:
    written = _answers.text(value)
    return written.lower() if written and re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", written) else None


def _captions_of(name: str, roots: Container[str], language: str | None) -> tuple[str, CaptionTrack] | None:
    """Return which recording a file has captions of: root.srt, root.vi.vtt; a recogniser's are called root.asr.srt."""
    stem, _, extension = name.rpartition(".")
    if extension.lower() not in ("srt", "vtt"):
        return None
    marks: list[str] = []
    while (root := _RATES.sub("", stem)) not in roots:
        stem, dot, mark = stem.rpartition(".")
        if not dot or len(marks) == _MAX_MARKS:
            return None
        marks.append(mark.lower())
    spoken = next((code for mark in marks if mark != "asr" and (code := language_of(mark))), language)
    return root, CaptionTrack(spoken or "und", "automatic" if "asr" in marks else "manual")
