# SPDX-License-Identifier: Apache-2.0
"""YouTube by search, channel, playlist or video, through yt-dlp as a library.

Two requests describe a video (`player` and `next`), and the same answer leads to its captions and sound. Nothing of
it is worked round: what asks for an age, an account or a payment is left. What the requests say of who asks is what
YouTube's own players say, for it answers no others: `player` goes with the User-Agent of the player client, all others
with the browser's that yt-dlp sends. Slowness, budgets and stopping where it says so are what is polite here.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from speechmill.core.errors import ConfigError, FetchError, MissingDependency
from speechmill.core.remote import Caption, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import (
    Connection,
    _captions,
    _youtube_captions,
    _youtube_describe,
    _youtube_media,
    _youtube_query,
)
from speechmill.sources._youtube_query import Listing

if TYPE_CHECKING:
    from speechmill.sources._youtube_api import Api
    from speechmill.sources._ytdlp import Library

VERSION = "1"
REQUIRES = ("yt-dlp", "requests")
REMOTE = True
SHORTHAND = "search"
BUDGET = 250  # videos an hour: what YouTube lets a guest see before it limits the rate, as yt-dlp's users report
_PAGES = ("youtube.com", "*.youtube.com")
HOSTS = (*_PAGES, "*.googlevideo.com", "www.googleapis.com")

MIN_YTDLP = "2026.8.19"  # the first with the player client `visionos`; the one before it (`android_vr`) gets 403
_ACCOUNT_CLIENT = "tv_downgraded"  # sends cookies; its sound needs player code on most videos
_MAX_LISTED = 100_000  # entries of one listing; more is a feed that goes round
_MAX_KEPT = 64  # videos whose addresses of media are kept between describing and fetching
_MAX_CAPTION_BYTES = 32 << 20
_LISTED_VIDEOS = 50  # of `video`, in a page


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to look for: exactly one of search, channel, playlist and video."""

    search: str | None = None  # words, as in YouTube's search box
    channel: str | None = None  # id (UC...), handle (@name) or address
    playlist: str | None = None  # id (PL...) or address
    video: str | tuple[str, ...] | None = None  # ids or addresses
    creative_commons: bool = False  # lets YouTube's search list only what is marked so; far fewer need describing
    player_client: tuple[str, ...] = ("visionos",)  # yt-dlp's name; this one needs neither player code nor a token
    javascript: bool = False  # lets yt-dlp run YouTube's player code in deno, which most other clients need
    api: bool = False  # lists and describes by the Data API v3, where the crawl has a key for it


def check(config: Config) -> None:
    """Raise ConfigError where it isn't clear what is asked for, or an id is none."""
    given = [name for name in ("search", "channel", "playlist", "video") if getattr(config, name) is not None]
    if len(given) != 1:
        raise ConfigError(
            f"youtube: give exactly one of search, channel, playlist and video; given: {', '.join(given) or 'none'}"
        )
    if config.creative_commons and config.search is None:
        raise ConfigError("youtube: creative_commons narrows a search; there is none")
    if config.search is not None and not config.search.strip():
        raise ConfigError("youtube: search is empty")
    if not config.player_client:
        raise ConfigError("youtube: player_client is empty; name at least one, such as visionos")
    if not (_listings(config) or _videos(config)):
        raise ConfigError("youtube: video is empty; give at least one")


def kind(config: Config) -> str:
    """Return what kind of query it is."""
    return next(name for name in ("search", "channel", "playlist", "video") if getattr(config, name) is not None)


def visiting(config: Config) -> Config:
    """Return what visits need of it: all but the query, so that those of many channels go by the same connections."""
    return replace(config, search=None, channel=None, playlist=None, video=None, creative_commons=False)


class Backend:
    """Asks YouTube. Raises ConfigError and MissingDependency when it is opened."""

    def __init__(self, config: Config, connection: Connection) -> None:
        if config != visiting(config):
            check(config)
        self._config = config
        self._connection = connection
        self._listings = _listings(config)
        self._walk: _Walk | None = None
        self._media: OrderedDict[str, _youtube_media.Media] = OrderedDict()
        self._described: OrderedDict[str, Description] = OrderedDict()
        self._library = _library(config, connection)
        self._api = _api(config, connection)

    @property
    def num_requests(self) -> int:
        """Requests sent so far."""
        return self._library.num_requests + (self._api.num_requests if self._api else 0)

    def discover(self, cursor: str | None) -> Page:
        """Return about one answer's worth of a listing.

        cursor: "LISTING:POSITION", or the Data API's token. This object keeps the listing it is in; another one, or
        this after an error, reads it from its start again and passes over what comes before the position.
        """
        if self._config.video is not None:
            return _named(_videos(self._config), int(cursor or 0))
        if self._api is not None:
            return self._api_page(self._api, cursor)
        index, position = (int(part) for part in (cursor or "0:0").split(":"))
        listing = self._listings[index]
        found = self._entries(listing, index, position)
        refs = tuple(
            _youtube_describe.ref_of(entry, shorts=listing.shorts, listing=self._walk.whole if self._walk else None)
            for entry in found
            if entry.get("ie_key") == "Youtube" and _youtube_query.is_video_id(entry.get("id"))
        )
        return Page(refs, self._cursor_after(index, position, len(found)))

    def describe(self, ref: Ref) -> Description:
        """Return what YouTube says of a video: two requests, or one fiftieth of one by the Data API."""
        # The Data API doesn't name captions' languages: where they decide, the page is asked.
        if self._api is None or self._config.captions is not None:
            return self._asked(ref.id)[0]
        try:
            return self._api_description(self._api, ref.id)
        except FetchError as error:
            if error.reason != "api-refused":
                raise
            return self._asked(ref.id)[0]

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Return captions as WebVTT; none that were translated, and none in which nothing is said."""
        urls = self._media_of(description.id).captions
        found = []
        for track in _captions.asked_for(urls, languages, kinds):
            content = _youtube_captions.as_vtt(self._caption(urls[track]), track.kind)
            if content is not None:
                found.append(Caption(track.language, track.kind, content))
        return found

    def fetch(self, description: Description) -> Fetched:
        """Fetch the sound as it lies there: AAC in .m4a or Opus in .webm."""
        try:
            return self._fetched(description)
        except FetchError as error:
            if error.reason not in ("refused", "gone"):
                raise
        # Addresses of media are good for hours and for one way: a new one is asked for, once.
        self._media.pop(description.id, None)
        try:
            return self._fetched(description)
        except FetchError as error:
            if error.reason not in ("refused", "gone"):
                raise
            raise FetchError("incomplete", "media-refused", f"{error.detail} for an address just given") from None

    def close(self) -> None:
        """Close connections."""
        self._walk = None
        self._library.close()
        if self._api is not None:
            self._api.close()

    def _entries(self, listing: Listing, index: int, position: int) -> list[dict[str, Any]]:
        if position > _MAX_LISTED:
            raise FetchError("format", "endless-listing", f"more than {_MAX_LISTED} entries")
        walk, self._walk = self._walk, None
        try:
            with self._library.asking():
                if walk is None or (walk.index, walk.position) != (index, position):
                    walk = _Walk(self._library, listing, index, position)
                found = walk.next(listing.page)
        except FetchError as error:
            if error.reason == "no-such-tab" and len(self._listings) > 1:
                return []
            raise
        # A page that fails inside a listing looks like its end to yt-dlp.
        if failure := self._library.failure():
            raise failure
        self._walk = walk
        return found

    def _cursor_after(self, index: int, position: int, num_found: int) -> str | None:
        if num_found >= self._listings[index].page:
            return f"{index}:{position + num_found}"
        return f"{index + 1}:0" if index + 1 < len(self._listings) else None

    def _asked(self, video: str) -> tuple[Description, _youtube_media.Media]:
        """Ask for a video, keep what leads to its media."""
        with self._library.asking():
            info = self._library.extracted(_youtube_query.watch_url(video), "Youtube")
        if info.get("_type") in ("url", "url_transparent"):
            raise FetchError("permanent", "paid", "YouTube shows a trailer in its place")
        if info.get("id") != video:
            raise FetchError("incomplete", "other-video", "YouTube answered for another video")
        # yt-dlp goes on without `next`, and then the licence is lost without a word.
        if failure := self._library.failure("/next"):
            raise failure
        description = _youtube_describe.description_of(info, _youtube_describe.today_utc())
        media = _youtube_media.media_of(info, _youtube_describe.caption_urls(info), time.time())
        _keep(self._media, video, media)
        return description, media

    def _media_of(self, video: str) -> _youtube_media.Media:
        kept = self._media.get(video)
        fresh = kept is not None and kept.expires > time.time() + 2 * self._connection.timeout_s
        return kept if kept is not None and fresh else self._asked(video)[1]

    def _caption(self, url: str) -> bytes:
        try:
            with self._library.asking():
                response = self._library.opened(url)
                try:
                    return bytes(response.read(_MAX_CAPTION_BYTES))
                finally:
                    response.close()
        except FetchError as error:
            if error.reason != "gone":
                raise
            raise FetchError("incomplete", "captions-gone", error.detail) from None

    def _fetched(self, description: Description) -> Fetched:
        sound = _youtube_media.check(self._media_of(description.id), self._connection, description.duration)
        return _youtube_media.download(self._library, sound, self._connection)

    def _api_page(self, api: Api, cursor: str | None) -> Page:
        config = self._config
        if config.search is not None:
            page = api.search(config.search, cursor, creative_commons_only=config.creative_commons)
        elif config.channel is not None:
            page = api.channel(config.channel, cursor)
        else:
            page = api.playlist(config.playlist or "", cursor)
        if page.refs:
            for video, described in api.describe([ref.id for ref in page.refs], _youtube_describe.today_utc()).items():
                _keep(self._described, video, described)
        return page

    def _api_description(self, api: Api, video: str) -> Description:
        kept = self._described.pop(video, None)
        found = kept or api.describe([video], _youtube_describe.today_utc()).get(video)
        if found is None:
            raise FetchError("permanent", "deleted", "the Data API has no such video: deleted or private")
        return found


class _Walk:
    """A listing that is being read; yt-dlp asks for its next page when the entries of the last are used up."""

    def __init__(self, library: Library, listing: Listing, index: int, position: int) -> None:
        self.index = index
        self.position = 0
        self.whole = library.extracted(listing.url, listing.extractor)
        if self.whole.get("_type") == "url":  # a channel without tabs leads to the playlist of its uploads
            self.whole = library.extracted(self.whole["url"], self.whole.get("ie_key") or "YoutubeTab")
        self._entries: Iterator[dict[str, Any]] = iter(self.whole.pop("entries", None) or ())
        self.next(position)

    def next(self, count: int) -> list[dict[str, Any]]:
        found = list(itertools.islice(self._entries, count))
        self.position += len(found)
        return found


def _listings(config: Config) -> tuple[Listing, ...]:
    if config.search is not None:
        return (_youtube_query.search_listing(config.search.strip(), creative_commons=config.creative_commons),)
    if config.channel is not None:
        return _youtube_query.channel_listings(config.channel, streams=config.live, shorts=config.shorts)
    return (_youtube_query.playlist_listing(config.playlist),) if config.playlist is not None else ()


def _videos(config: Config) -> list[str]:
    given = (config.video,) if isinstance(config.video, str) else config.video or ()
    return list(dict.fromkeys(_youtube_query.video_id(one) for one in given))


def _named(videos: list[str], position: int) -> Page:
    here = videos[position : position + _LISTED_VIDEOS]
    refs = tuple(Ref("youtube", video, _youtube_query.watch_url(video)) for video in here)
    after = position + len(here)
    return Page(refs, str(after) if after < len(videos) else None)


def _library(config: Config, connection: Connection) -> Library:
    check_version()
    from speechmill.sources import _ytdlp

    clients = config.player_client
    accepting = [_ytdlp.accepts_accounts(client) for client in clients]
    skipped = ("webpage", "configs") if config.javascript else ("webpage", "configs", "js")
    video: dict[str, tuple[str, ...]] = {
        "player_client": clients,
        "player_skip": skipped,
        "skip": ("hls", "dash", "translated_subs"),
        "raise_incomplete_data": ("1",),
    }
    arguments: dict[str, dict[str, tuple[str, ...]]] = {
        "youtube": video,
        "youtubetab": {"skip": ("webpage", "authcheck")},
    }
    library = _ytdlp.Library(connection, (*_PAGES, "*.googlevideo.com"), arguments, javascript=config.javascript)
    if library.has_account and not any(accepting):
        library.params["extractor_args"]["youtube"]["player_client"] = [_ACCOUNT_CLIENT]
    return library


def check_version() -> None:
    """Raise MissingDependency where yt-dlp is absent or too old."""
    try:
        from yt_dlp.version import __version__ as found
    except ImportError:
        found = "none"
    numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdecimal())
    if numbers < tuple(int(part) for part in MIN_YTDLP.split(".")):
        raise MissingDependency(
            f"youtube needs yt-dlp {MIN_YTDLP} or newer; installed: {found}. "
            f"Run: pip install 'speechmill[crawl]' 'yt-dlp>={MIN_YTDLP}'"
        )


def _api(config: Config, connection: Connection) -> Api | None:
    if not config.api or not connection.api_key:
        return None
    from speechmill.sources._youtube_api import Api

    return Api(connection, connection.api_key)


def _keep(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    """Keep the newest values."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > _MAX_KEPT:
        kept.popitem(last=False)
