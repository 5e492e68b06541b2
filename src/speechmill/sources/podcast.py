# SPDX-License-Identifier: Apache-2.0
"""Podcasts by their feeds: RSS or Atom, with licence, transcripts and pages.

A feed names the hosts that its media lies on, often behind counters that redirect, so by default any public host may
be asked; addresses inside a network never are. A plain http feed is asked with TLS unless its address in the corpus
file says http.

robots.txt is honoured at every hop: for feeds, transcripts, media and the counters before it. Players of podcasts don't
ask it, as each acts for a listener; RFC 9309 makes no exception for what a crawler found in a feed. So an episode whose
counter or host turns crawlers away is left ("robots-disallow"), and no way past the counter is looked for.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection, _captions
from speechmill.sources._feeds import MAX_BYTES, Entry, Feed, read_feed
from speechmill.sources._http import Client
from speechmill.sources._licences import rights_of

VERSION = "1"
REMOTE = True
REQUIRES = ("defusedxml>=0.7.1", "urllib3>=2")
BUDGET = 1_000  # items an hour; feeds lie on many hosts, and an item costs one request for its media
HOSTS = ()
SHORTHAND = "feed"
_MAX_PAGES = 500  # of one feed; a feed whose pages lead back to the first never ends otherwise
_MAX_KNOWN = 50_000  # entries kept between calls


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Feeds to follow."""

    feed: str | None = None  # address of an RSS or Atom feed
    feeds: tuple[str, ...] = ()  # or of several, which then share one listing, its limit and its policy
    allowed_hosts: tuple[str, ...] = ("*",)  # besides the feeds' own; "*": any public one, as feeds name them


class _Place(Struct, frozen=True):
    """Where a listing goes on. It is stored: so no addresses of pages, which may hold a subscriber's token."""

    feed: int = 0  # index
    page: int = 0
    gone: tuple[int, ...] = ()  # feeds that will never come


def kind(config: Config) -> str:
    """Return what statistics tell this listing apart by."""
    return "feed"


def hosts(config: Config) -> tuple[str, ...]:
    """Return the feeds' hosts, without TLS where the corpus file says so, and those that media may lie on."""
    own = (f"{'http://' * (parts.scheme == 'http')}{parts.netloc}" for parts in map(urlsplit, _feeds(config)))
    return (*dict.fromkeys(own), *config.allowed_hosts)


def check(config: Config) -> None:
    """Raise ConfigError where there are no feeds or one is no web address."""
    if not _feeds(config):
        raise ConfigError("podcast: no feed; name the address of one")
    for feed in _feeds(config):
        parts = urlsplit(feed)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigError(f"podcast: {parts.hostname or feed!r} is not the http(s) address of a feed")


def _feeds(config: Config) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*([config.feed] if config.feed else []), *config.feeds)))


class Backend:
    """Reads feeds, and fetches what they enclose."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._feeds = _feeds(config)
        self._client = Client(connection, hosts(config), robots=True)
        self._known: dict[str, Entry] = {}  # by id
        self._ahead: tuple[int, int, str] | None = None  # feed, page and its address, of the page that comes next

    @property
    def num_requests(self) -> int:
        return self._client.num_requests

    def discover(self, cursor: str | None) -> Page:
        """Return one page of one feed. A feed that is gone is said at the end, when the others are listed.

        Another object, or this after another listing, reads a feed from its first page again.
        """
        place = msgspec.json.decode(cursor, type=_Place) if cursor else _Place()
        if place.feed >= len(self._feeds):
            gone = ", ".join(_shown(self._feeds[index]) for index in place.gone if index < len(self._feeds))
            raise FetchError("permanent", "feeds-gone", f"{len(place.gone)} of {len(self._feeds)} feeds: {gone}")
        try:
            feed = self._page(place)
        except FetchError as error:
            if error.kind != "permanent" or len(self._feeds) == 1:
                raise
            return Page((), self._after(_Place(place.feed, gone=(*place.gone, place.feed)), None))
        own = self._feeds[place.feed]
        refs = (_ref(entry, _id(own, feed, entry), _shown(own)) for entry in feed.entries)
        return Page(tuple(refs), self._after(place, feed.next_page))

    def _after(self, place: _Place, next_page: str | None) -> str | None:
        """Return the cursor of what follows: the feed's next page, the next feed, the list of feeds that are gone."""
        if next_page and place.page + 1 < _MAX_PAGES and _same_site(next_page, self._feeds[place.feed]):
            following = _Place(place.feed, place.page + 1, place.gone)
            self._ahead = (following.feed, following.page, next_page)
        else:
            following = _Place(place.feed + 1, gone=place.gone)
        if following.feed >= len(self._feeds) and not following.gone:
            return None
        return msgspec.json.encode(following).decode()

    def describe(self, ref: Ref) -> Description:
        """Return what the feed says of an episode; "permanent" where the feed no longer lists it."""
        entry = self._entry(ref.id, ref.channel_id)
        missing = [*entry.missing, *(["title"] if not entry.title else [])]
        field = f"{entry.licence_field} in " if entry.licence_field else ""
        return Description(
            "podcast",
            ref.id,
            entry.url,
            entry.title or ref.title or entry.guid,
            duration=entry.duration,
            author=entry.author,
            channel_id=ref.channel_id,
            date=entry.date,
            language=entry.language,
            licence=entry.licence.title,
            rights=rights_of(
                entry.licence,
                title=entry.title or None,
                author=entry.author,
                url=entry.url,
                evidence=f"{field}{ref.channel_id}",
            ),
            tracks=tuple(dict.fromkeys(_track(one.language) for one in entry.transcripts)),
            missing=tuple(missing),
        )

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch timed transcripts; the first of a language that can be had is taken."""
        tracks = _captions.asked_for(description.tracks, languages, kinds)
        if not tracks:
            return ()
        entry = self._entry(description.id, description.channel_id)
        return _captions.gather(tracks, lambda track: self._transcript(entry, track))

    def _transcript(self, entry: Entry, track: CaptionTrack) -> bytes | None:
        """Return the first transcript of a track that is there and has times, of those that the feed names."""
        last: FetchError | None = None
        for transcript in entry.transcripts:
            if _track(transcript.language) != track:
                continue
            try:
                content = _captions.as_webvtt(self._client.get(transcript.url, max_bytes=_captions.MAX_BYTES).content)
            except FetchError as error:
                if error.kind != "permanent":
                    raise
                last = error
                continue
            if content is not None:
                return content
        if last is not None:
            raise last
        return None

    def fetch(self, description: Description) -> Fetched:
        """Fetch the enclosure. The length that feeds state is not believed: advertisements change it."""
        entry = self._entry(description.id, description.channel_id)
        return self._client.download(entry.media, extension=entry.extension)

    def close(self) -> None:
        self._client.close()

    def _entry(self, id: str, feed: str | None) -> Entry:
        """Return an entry that this backend has read, or look for it in its feed, page by page."""
        if id in self._known:
            return self._known[id]
        own = [one for one in self._feeds if _shown(one) == feed]
        if not own:
            raise FetchError("permanent", "other-feed", "its feed is no longer in the corpus file")
        for _ in (page for one in own for page in self._pages(one)):
            if id in self._known:
                return self._known[id]
        raise FetchError("permanent", "gone-from-feed", f"{feed} does not list it any more")

    def _page(self, place: _Place) -> Feed:
        own = self._feeds[place.feed]
        if self._ahead is not None and self._ahead[:2] == (place.feed, place.page):
            return self._load(own, self._ahead[2])
        # An empty page where the feed has become shorter.
        return next(itertools.islice(self._pages(own), place.page, None), Feed(None, None, (), None))

    def _pages(self, own: str) -> Iterator[Feed]:
        url: str | None = None
        for _ in range(_MAX_PAGES):
            yield (feed := self._load(own, url))
            url = feed.next_page
            if url is None or not _same_site(url, own):
                return

    def _load(self, own: str, url: str | None) -> Feed:
        """Get a page of a feed, and remember its entries."""
        response = self._client.get(url or own, max_bytes=MAX_BYTES)
        feed = read_feed(response.content, response.url)
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known.update((_id(own, feed, entry), entry) for entry in feed.entries)
        return feed


def _id(own: str, feed: Feed, entry: Entry) -> str:
    """Return a name for an episode that stays when the show moves, where the feed says who it is."""
    show = feed.guid or own.split("://", 1)[1]
    return hashlib.sha256(f"{show}\n{entry.guid}".encode(errors="replace")).hexdigest()[:24]


def _ref(entry: Entry, id: str, shown: str) -> Ref:
    return Ref(
        "podcast",
        id,
        entry.url,
        title=entry.title or None,
        duration=entry.duration,
        channel=entry.author,
        channel_id=shown,
        date=entry.date,
        language=entry.language,
    )


def _track(language: str | None) -> CaptionTrack:
    return CaptionTrack(language or "und", "manual")


def _same_site(url: str, own: str) -> bool:
    """Tell whether a page lies where its feed does: a feed can't send the crawler through others."""
    return urlsplit(url).hostname == urlsplit(own).hostname


def _shown(url: str) -> str:
    """Return an address without its query, which may hold a subscriber's token."""
    return url.split("?")[0]
