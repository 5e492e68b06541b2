# SPDX-License-Identifier: Apache-2.0
"""The Internet Archive, LibriVox with it: one recording for each audio file that somebody uploaded.

Listings come from the scraping interface (search/v1/scrape, with cursors), everything else from /metadata/ITEM. An
item is a book or a show; of its files the uploaded ones are taken, and of each only one form, never a derived MP3 and
Ogg of the same chapter beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection, _answers, _captions, _media
from speechmill.sources._http import Client
from speechmill.sources._languages import language_of
from speechmill.sources._licences import Licence, denies, rights_of, strictest

VERSION = "1"
REQUIRES = ("urllib3>=2",)
BUDGET = 500  # items an hour: a library's servers
HOSTS = ("archive.org", "*.archive.org")
SHORTHAND = "query"
_SITE = "https://archive.org"
_FIELDS = "identifier,title,creator,date,publicdate,language,downloads"
_LISTED = 100  # items a scrape; its least
_OPENED = 10  # items whose files are listed in one page of ours
_MAX_HELD = 64  # items whose metadata is kept: a book's chapters are visited one after the other
_LOSSLESS = ("flac", "wav", "aiff", "aif", "shn", "ape")
_RATES = re.compile(r"[_-](?:\d{2,3}kb(?:ps)?|vbr)(?:_mp3)?$", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to look for; several fields narrow each other."""

    query: str | None = None  # in the site's own language: "subject:podcast AND language:vie"
    collection: str | None = None  # "librivoxaudio" is LibriVox
    creator: str | None = None
    items: tuple[str, ...] = ()  # identifiers, in place of a search


class _Place(Struct, frozen=True):
    """Where a listing goes on: a page of the search, and how many of its items are done."""

    scrape: str | None = None
    done: int = 0


class _File(Struct, frozen=True):
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


class _Item(Struct, frozen=True):
    """What is read of /metadata/ITEM."""

    identifier: str
    title: str | None
    author: str | None
    date: str | None
    language: str | None
    category: str | None
    licence: Licence
    licence_field: str | None
    files: tuple[_File, ...]


def kind(config: Config) -> str:
    """Return what statistics tell this listing apart by."""
    return "item" if config.items else "search" if config.query else "collection" if config.collection else "creator"


def check(config: Config) -> None:
    """Raise ConfigError where nothing is asked for, or an identifier can't be one."""
    searched = any((config.query, config.collection, config.creator))
    if searched == bool(config.items):
        raise ConfigError("internet_archive: give items, or else a query, a collection or a creator")
    for identifier in config.items:
        if not _IDENTIFIER.fullmatch(identifier):
            raise ConfigError(f"internet_archive: {identifier[:60]!r} is not the identifier of an item")


class Backend:
    """Lists items, opens them, fetches their files."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._config = config
        self._client = Client(connection, HOSTS)
        self._max_bytes = connection.max_bytes
        self._held: dict[str, _Item] = {}
        self._scraped: tuple[str | None, Sequence[Mapping[str, Any]], str | None] | None = None

    @property
    def num_requests(self) -> int:
        return self._client.num_requests

    def discover(self, cursor: str | None) -> Page:
        """Return the recordings of the next items; one that can't be opened is listed whole, the visit says why."""
        place = msgspec.json.decode(cursor, type=_Place) if cursor else _Place()
        found, following = self._listed(place.scrape)
        chosen = found[place.done : place.done + _OPENED]
        refs = [ref for row in chosen for ref in self._refs(row)]
        done = place.done + len(chosen)
        if done < len(found):
            after: _Place | None = _Place(place.scrape, done)
        else:
            after = _Place(following) if following else None
        return Page(tuple(refs), msgspec.json.encode(after).decode() if after else None)

    def _listed(self, scrape: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return rows of the search and the cursor of its next page; the last answer is kept for its other items."""
        if self._config.items:
            return [{"identifier": identifier} for identifier in self._config.items], None
        if self._scraped is None or self._scraped[0] != scrape:
            params = {"q": _query(self._config), "fields": _FIELDS, "count": str(_LISTED)}
            answer = self._client.json(f"{_SITE}/services/search/v1/scrape", params=params | _given("cursor", scrape))
            if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
                said = _answers.text(_answers.mapping(answer).get("error")) or "no list of items"
                raise FetchError("format", "unknown-answer", f"the search answered: {said[:200]}")
            rows = [row for row in _answers.entries(answer["items"]) if _identifier(row.get("identifier"))]
            following = _answers.text(answer.get("cursor"))
            self._scraped = (scrape, rows, following if following != scrape else None)
        return self._scraped[1], self._scraped[2]

    def _refs(self, row: Mapping[str, Any]) -> list[Ref]:
        identifier = str(row["identifier"])
        views = _answers.whole(row.get("downloads"))
        try:
            item = self._item(identifier)
        except FetchError as error:
            if error.kind != "permanent":
                raise
            return [Ref("internet_archive", identifier, _page(identifier), title=_answers.text(row.get("title")))]
        return [
            Ref(
                "internet_archive",
                file.id,
                _page(identifier, file.name),
                title=_title(item, file),
                duration=file.duration,
                channel=item.author,
                channel_id=identifier,
                views=views,
                date=item.date,
                language=item.language,
            )
            for file in item.files
        ]

    def describe(self, ref: Ref) -> Description:
        """Return what the item says of a file."""
        item, file = self._find(ref.id)
        known = {"duration": file.duration, "author": item.author, "date": item.date, "language": item.language}
        missing = [name for name, value in known.items() if value is None]
        page = _page(item.identifier, file.name)
        field = f"{item.licence_field} in " if item.licence_field else ""
        return Description(
            "internet_archive",
            ref.id,
            page,
            _title(item, file),
            duration=file.duration,
            author=item.author,
            channel_id=item.identifier,
            author_url=_page(item.identifier),
            date=item.date,
            language=item.language,
            views=ref.views,
            category=item.category,
            licence=item.licence.title,
            rights=rights_of(
                item.licence,
                title=_title(item, file),
                author=item.author,
                url=page,
                evidence=f"{field}{_SITE}/metadata/{item.identifier}",
            ),
            tracks=tuple(dict.fromkeys(track for _, track in file.captions)),
            missing=tuple(missing),
        )

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch SubRip and WebVTT files that lie beside the audio under its name."""
        tracks = _captions.asked_for(description.tracks, languages, kinds)
        if not tracks:
            return ()
        item, file = self._find(description.id)
        names = {track: name for name, track in reversed(file.captions)}

        def fetched(track: CaptionTrack) -> bytes | None:
            url = _download(item.identifier, names[track])
            return _captions.as_webvtt(self._client.get(url, max_bytes=_captions.MAX_BYTES).content)

        return _captions.gather((track for track in tracks if track in names), fetched)

    def fetch(self, description: Description) -> Fetched:
        """Fetch a file, and compare it with the digest that the archive keeps."""
        item, file = self._find(description.id)
        url = _download(item.identifier, file.name)
        fetched = self._client.download(url, extension=file.extension, expected_size=file.size)
        return _media.verified(fetched, sha1=file.sha1, md5=file.md5)

    def close(self) -> None:
        self._client.close()

    def _find(self, id: str) -> tuple[_Item, _File]:
        identifier, _, name = id.partition("~")
        item = self._item(identifier)
        for file in item.files:
            if file.id == id:
                return item, file
        raise FetchError(
            "permanent", "gone-from-item" if name else "no-audio", f"{_page(identifier)} has no such audio"
        )

    def _item(self, identifier: str) -> _Item:
        """Read an item's metadata, or return it from before. Raises FetchError "permanent" for dark ones."""
        if identifier not in self._held:
            if not _identifier(identifier):
                raise FetchError("permanent", "no-identifier", repr(identifier[:60]))
            answer = self._client.json(f"{_SITE}/metadata/{quote(identifier, safe='')}")
            item = _read_item(identifier, answer, self._max_bytes)
            while len(self._held) >= _MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[identifier] = item
        return self._held[identifier]


def _query(config: Config) -> str:
    parts = [f"({config.query})"] if config.query else []
    for field, value in (("collection", config.collection), ("creator", config.creator)):
        if value:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'{field}:"{escaped}"')
    return " AND ".join([*parts, "mediatype:audio"])


def _given(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}


def _identifier(value: Any) -> bool:
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def _page(identifier: str, name: str | None = None) -> str:
    return f"{_SITE}/details/{identifier}" + (f"/{quote(name)}" if name else "")


def _download(identifier: str, name: str) -> str:
    return f"{_SITE}/download/{identifier}/{quote(name)}"


def _title(item: _Item, file: _File) -> str:
    """Name a chapter with its book."""
    return ": ".join(dict.fromkeys(part for part in (item.title or item.identifier, file.title) if part))


def _read_item(identifier: str, answer: Any, max_bytes: int) -> _Item:
    if not isinstance(answer, dict):
        raise FetchError("format", "unknown-answer", f"{_SITE}/metadata/{identifier} is no object")
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
    return _Item(
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
    """Return the licence of `licenseurl`, unless `rights` says otherwise; of `rights` alone where there is no other."""
    addresses, words = _answers.texts(stated.get("licenseurl")), _answers.texts(stated.get("rights"))
    if addresses:  # prose in `rights` then only counts where it takes something back
        return strictest([*addresses, *filter(denies, words)]), "licenseurl"
    return strictest(words), "rights" if words else None


def _files(identifier: str, rows: Sequence[Mapping[str, Any]], language: str | None, max_bytes: int) -> list[_File]:
    """Return one form of every recording, in the order of the item's list."""
    named = [row for row in rows if _file_name(row) and not _is_true(row.get("private"))]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in named:
        if _is_recording(row):
            groups.setdefault(_root(row), []).append(row)
    texts = [row["name"] for row in named if row["name"].lower().endswith((".srt", ".vtt"))]
    found = []
    for root, forms in groups.items():
        best = min(forms, key=lambda row: _order(row, max_bytes))
        beside = tuple(_beside(root, texts, language))
        found.append(_file(identifier, root, best, forms, beside))
    return found


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
) -> _File:
    durations = (_answers.seconds(row.get("length")) for row in (best, *forms))
    return _File(
        f"{identifier}~{_safe(root)}",
        best["name"],
        _media.extension_of(best["name"]) or "bin",
        next((title for row in (best, *forms) if (title := _answers.plain(row.get("title")))), None),
        next((duration for duration in durations if duration), None),
        _answers.whole(best.get("size")),
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


def _beside(root: str, names: Sequence[str], language: str | None) -> Iterable[tuple[str, CaptionTrack]]:
    """Yield captions of a recording: root.srt, root.vi.vtt; those of a recogniser are called root.asr.srt."""
    for name in names:
        stem = name.rpartition(".")[0]
        if stem != root and not stem.startswith(root + "."):
            continue
        marks = [mark for mark in stem[len(root) :].lower().split(".") if mark]
        spoken = next((code for mark in marks if mark != "asr" and (code := language_of(mark))), language)
        yield name, CaptionTrack(spoken or "und", "automatic" if "asr" in marks else "manual")
