# SPDX-License-Identifier: Apache-2.0
"""Audio files on a web server: those that an index page links to, or a list or table of them names.

A server says nothing of licences: the operator states one, with its evidence, or what is found is held as unstated.
Captions beside a recording (talk.vtt, talk.en.srt) come with it. robots.txt is heeded.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.core.types import Rights
from speechmill.sources import Connection, _answers, _captions
from speechmill.sources._http import Client
from speechmill.sources._http_listing import CaptionFile, Found, Listing, absolute, read_list, read_page, read_table
from speechmill.sources._licences import stated_rights
from speechmill.sources._media import extension_of

VERSION = "1"
REMOTE = True
REQUIRES = ("urllib3>=2",)
BUDGET = 600  # items an hour: one server, often a small one
HOSTS = ()
SHORTHAND = "url"
_REFS = 1_000  # of one page of ours
_MAX_PENDING = 5_000  # folders that a listing may still have to visit
_MAX_HELD = 16  # listings that are kept between calls
_log = logging.getLogger(__name__)


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where to look."""

    url: str  # an index page, a list of addresses (.txt) or a table with the columns of recordings.tsv (.tsv)
    listing: Literal["page", "list", "table"] | None = None  # None: by the url's extension
    depth: int = 0  # levels of folders below an index page that are listed too
    allowed_hosts: tuple[str, ...] = ()  # besides the url's own; exact names, where files lie elsewhere
    licence: str | None = None  # of all that is found: "CC BY 4.0"; a table's own column wins
    evidence: str | None = None  # where the licence is stated: an address, a letter, a contract
    attribution: str | None = None  # whom to name
    language: str | None = None  # of all that is found; a table's own column wins


class _Place(Struct, frozen=True):
    """Where a listing goes on: documents still to read, the last first, and files of that one that were given."""

    pending: tuple[tuple[str, int], ...]  # address, levels below it
    given: int = 0


def kind(config: Config) -> str:
    """Return what statistics tell this listing apart by."""
    if config.listing is not None:
        return config.listing
    return {".txt": "list", ".tsv": "table"}.get(posixpath.splitext(urlsplit(config.url).path)[1].lower(), "page")


def hosts(config: Config) -> tuple[str, ...]:
    """Return the url's host, without TLS only where the corpus file says so, and those that files may lie on."""
    parts = urlsplit(config.url)
    return (f"{'http://' * (parts.scheme == 'http')}{parts.netloc}", *config.allowed_hosts)


def check(config: Config) -> None:
    """Raise ConfigError where the url is none, or a licence is stated without evidence."""
    parts = urlsplit(config.url)
    if absolute(config.url, config.url) is None or "@" in parts.netloc:
        raise ConfigError(f"http: {parts.hostname or config.url!r} is not an http(s) address without a user name")
    if config.licence and not config.evidence:
        raise ConfigError("http: a licence needs evidence: where it is stated that these files have it")
    if not 0 <= config.depth <= 8:
        raise ConfigError(f"http: depth is {config.depth}; it is 0 to 8 levels of folders")


class Backend:
    """Lists a web server's files, and fetches them."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._config = config
        self._folder = connection.folder
        self._client = Client(connection, hosts(config), robots=True)
        self._listings: dict[str, Listing] = {}
        self._known: dict[str, Found] = {}  # of those listings, by address

    @property
    def num_requests(self) -> int:
        return self._client.num_requests

    def discover(self, cursor: str | None) -> Page:
        """Return files of one index page, list or table. A folder below that is gone is left out with a warning."""
        place = msgspec.json.decode(cursor, type=_Place) if cursor else _Place(((self._start, self._config.depth),))
        *others, (url, depth) = place.pending
        try:
            listing = self._listing(url)
        except FetchError as error:
            if url == self._start or error.kind != "permanent":
                raise
            _log.warning("a folder is left out: %s", error)
            listing = Listing(())
        given = listing.files[place.given : place.given + _REFS]
        refs = tuple(self._ref(found) for found in given)
        if place.given + len(given) < len(listing.files):
            return Page(refs, _cursor(_Place(place.pending, place.given + len(given))))
        below = [(folder, depth - 1) for folder in reversed(listing.folders)] if depth else []
        pending = (*others, *below)
        if len(pending) > _MAX_PENDING:
            raise FetchError("format", "too-many-folders", f"{self._config.url} has more than {_MAX_PENDING} folders")
        return Page(refs, _cursor(_Place(pending)) if pending else None)

    @property
    def _start(self) -> str:
        return absolute(self._config.url, self._config.url) or self._config.url

    def _listing(self, url: str) -> Listing:
        if url not in self._listings:
            if len(self._listings) >= _MAX_HELD:
                self._listings.clear()
                self._known.clear()
            listing = self._read(url)
            self._listings[url] = listing
            self._known |= {found.url: found for found in listing.files}
        return self._listings[url]

    def _read(self, url: str) -> Listing:
        response = self._client.get(url)
        # What a page links to is relative to where it was found; a folder without its slash redirects.
        content, where = response.content, response.url
        form = kind(self._config)
        if form == "list":
            return read_list(content, where)
        if form == "table":
            return read_table(content, where, self._folder)
        return read_page(content, where, self._config.allowed_hosts)

    def _ref(self, found: Found) -> Ref:
        return Ref(
            "http",
            item_id(found.url),
            found.url,
            title=_answers.text(found.title),
            date=found.date,
            language=found.language or self._config.language,
        )

    def describe(self, ref: Ref) -> Description:
        """Return what the listing says of a file, which may ask for the listing again.

        Raises FetchError "permanent" where a list or table no longer names it: its rights stood there.
        """
        found = self._find(ref.url)
        title = _answers.text(found.title) or ref.id
        rights = self._rights(found, title)
        return Description(
            "http",
            ref.id,
            ref.url,
            title,
            date=found.date,
            language=found.language or self._config.language,
            licence=rights.licence,
            rights=rights,
            tracks=tuple(dict.fromkeys(self._track(file) for file in found.captions)),
        )

    def _find(self, url: str) -> Found:
        if url in self._known:
            return self._known[url]
        is_page = kind(self._config) == "page"
        for listing in (urljoin(url, "."), self._start) if is_page and self._config.depth else (self._start,):
            try:
                self._listing(listing)
            except FetchError as error:  # a folder need not have a page of its own
                if listing == self._start or error.kind != "permanent":
                    raise
            if url in self._known:
                return self._known[url]
        extension = extension_of(url)
        if not is_page or extension is None:
            raise FetchError("permanent", "not-listed", f"{url.partition('?')[0]} is not listed any more")
        return Found(url, extension)  # a page states no rights: the file itself tells whether it is there

    def _rights(self, found: Found, title: str) -> Rights:
        """Return what the table states of a file, or else the corpus file of all."""
        config = self._config
        stated = Rights(config.licence, evidence=config.evidence, attribution=config.attribution)
        if found.rights is not None and found.rights.licence:
            stated = found.rights
        return stated_rights(stated, title=title, url=found.url, evidence=self._start.partition("?")[0])

    def _track(self, file: CaptionFile) -> CaptionTrack:
        return CaptionTrack(file.language or self._config.language or "und", "manual")

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch the files of captions that lie beside a recording, as WebVTT."""
        files: dict[CaptionTrack, str] = {}
        for file in self._find(description.url).captions:
            files.setdefault(self._track(file), file.url)

        def fetch(track: CaptionTrack) -> bytes | None:
            return _captions.as_webvtt(self._client.get(files[track], max_bytes=_captions.MAX_BYTES).content)

        return _captions.gather(_captions.asked_for(files, languages, kinds), fetch)

    def fetch(self, description: Description) -> Fetched:
        """Fetch a file."""
        return self._client.download(description.url, extension=self._find(description.url).extension)

    def close(self) -> None:
        self._client.close()


def item_id(url: str) -> str:
    """Name a file by its address: what is long or odd there must not get into paths."""
    return hashlib.sha256(url.encode()).hexdigest()[:24]


def _cursor(place: _Place) -> str:
    return msgspec.json.encode(place).decode()
