# SPDX-License-Identifier: Apache-2.0
"""The Internet Archive, LibriVox with it: one recording for each audio file that somebody uploaded.

Listings come from the scraping interface (search/v1/scrape, with cursors), everything else from /metadata/ITEM. An
item is a book or a show; see `_archive_items` for which of its files are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection, _answers, _captions, _media
from speechmill.sources._archive_items import AudioFile, Item, read_item
from speechmill.sources._http import Client
from speechmill.sources._licences import rights_of

VERSION = "1"
REMOTE = True
REQUIRES = ("urllib3>=2",)
BUDGET = 500  # items an hour: a library's servers
HOSTS = ("archive.org", "*.archive.org")
SHORTHAND = "query"
_SITE = "https://archive.org"
_FIELDS = "identifier,title,downloads"
_LISTED = 100  # items a scrape; its least
_OPENED = 10  # items whose files are listed in one page of ours
_MAX_HELD = 64  # items whose metadata is kept: a book's chapters are visited one after the other
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to look for; several fields narrow each other."""

    query: str | None = None  # in the site's own language: "subject:podcast AND language:vie"
    collection: str | None = None  # "librivoxaudio" is LibriVox
    creator: str | None = None  # as items name it: "LibriVox"
    items: tuple[str, ...] = ()  # identifiers, in place of a search


class _Place(Struct, frozen=True):
    """Where a listing goes on: a page of the search, and how many of its items are done."""

    scrape: str | None = None
    done: int = 0


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
        self._held: dict[str, Item] = {}
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

    def _find(self, id: str) -> tuple[Item, AudioFile]:
        identifier, _, name = id.partition("~")
        item = self._item(identifier)
        for file in item.files:
            if file.id == id:
                return item, file
        raise FetchError(
            "permanent", "gone-from-item" if name else "no-audio", f"{_page(identifier)} has no such audio"
        )

    def _item(self, identifier: str) -> Item:
        """Read an item's metadata, or return it from before. Raises FetchError "permanent" for dark ones."""
        if identifier not in self._held:
            if not _identifier(identifier):
                raise FetchError("permanent", "no-identifier", repr(identifier[:60]))
            answer = self._client.json(f"{_SITE}/metadata/{quote(identifier, safe='')}")
            item = read_item(identifier, answer, self._max_bytes)
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


def _title(item: Item, file: AudioFile) -> str:
    """Name a chapter with its book."""
    return ": ".join(dict.fromkeys(part for part in (item.title or item.identifier, file.title) if part))
