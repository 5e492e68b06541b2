# SPDX-License-Identifier: Apache-2.0
"""PeerTube: a channel, an account, a search or single videos of one instance, by its REST interface (api/v1).

Only what the instance itself hosts is listed, unless `federated` asks for what it knows of others; those items carry
the address of their origin. Files may lie on an object store or on the origin: any public host, see `media_hosts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection, _answers, _captions, _media
from speechmill.sources._http import Client
from speechmill.sources._languages import language_of
from speechmill.sources._licences import UNSTATED, Licence, read_licence, rights_of

VERSION = "1"
REMOTE = True
REQUIRES = ("urllib3>=2",)
BUDGET = 250  # items an hour: instances are run by volunteers, and an item costs two requests beside its media
HOSTS = ()
_COUNT = 100  # videos a page; the most that instances give
_MAX_START = 100_000  # videos of one listing
_MAX_HELD = 16
_MAX_BYTES = 4 << 20  # of an answer; a hundred videos are some 300 kB
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9A-Za-z]{22}")
_HANDLE = re.compile(r"[\w.-]{1,80}(?:@[\w.-]{1,120}(?::\d{1,5})?)?")
_LABELS = {  # of licences, which an instance's operator can change: the number alone is no licence
    1: ("Attribution", "CC BY"),
    2: ("Attribution - Share Alike", "CC BY-SA"),
    3: ("Attribution - No Derivatives", "CC BY-ND"),
    4: ("Attribution - Non Commercial", "CC BY-NC"),
    5: ("Attribution - Non Commercial - Share Alike", "CC BY-NC-SA"),
    6: ("Attribution - Non Commercial - No Derivatives", "CC BY-NC-ND"),
    7: ("Public Domain Dedication", "CC0"),
}
_PUBLIC = 1  # of privacy; others are unlisted, private, internal, with a password
_PUBLISHED = 1  # of state


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One instance and one of its listings; with none of them, everything that it hosts."""

    instance: str  # "https://tube.example", or the bare host
    channel: str | None = None  # its name, "talks" or "talks@other.example"
    account: str | None = None  # its name, with all its channels
    search: str | None = None  # words
    videos: tuple[str, ...] = ()  # ids or addresses of single videos
    federated: bool = False  # videos of other instances too, which this one knows
    media_hosts: tuple[str, ...] = ("*",)  # besides the instance; "*": any public one


def kind(config: Config) -> str:
    """Return what statistics tell this listing apart by."""
    for name, value in _asked(config).items():
        if value:
            return name
    return "instance"


def hosts(config: Config) -> tuple[str, ...]:
    """Return the instance's host and those that media may lie on."""
    return (_pattern(config.instance), *config.media_hosts)


def check(config: Config) -> None:
    """Raise ConfigError where more than one listing is asked for, or something can't be what it should be."""
    if not urlsplit(_base(config.instance)).hostname or "@" in config.instance:
        raise ConfigError("peertube: instance is not the address of one, such as https://tube.example")
    given = [name for name, value in _asked(config).items() if value]
    if len(given) > 1:
        raise ConfigError(f"peertube: {' and '.join(given)} are two listings; write two sources")
    for name in (config.channel, config.account):
        if name and not _HANDLE.fullmatch(name):
            raise ConfigError(f"peertube: {name[:60]!r} is not the name of a channel or an account")
    for video in config.videos:
        _video_id(video)


def _asked(config: Config) -> dict[str, object]:
    return {
        "channel": config.channel,
        "account": config.account,
        "search": config.search,
        "video": config.videos,
    }


def _base(instance: str) -> str:
    return (instance if "://" in instance else f"https://{instance}").rstrip("/")


def _pattern(instance: str) -> str:
    parts = urlsplit(_base(instance))
    return f"{'http://' * (parts.scheme == 'http')}{parts.netloc}"


def _video_id(written: str) -> str:
    """Return the id in an id or an address. Raises ConfigError.

    >>> _video_id("https://tube.test/w/3fbif9S3WmtTP8gGsC5HBd?start=1")
    '3fbif9S3WmtTP8gGsC5HBd'
    """
    last = urlsplit(written).path.rstrip("/").rpartition("/")[2]
    if not _UUID.fullmatch(last):
        raise ConfigError(f"peertube: {written[:80]!r} is not the id or the address of a video")
    return last


class Backend:
    """Asks one instance."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._config = config
        self._base = _base(config.instance)
        self._client = Client(connection, [_pattern(config.instance)])
        self._media = Client(connection, hosts(config), robots=True)
        self._held: dict[str, Mapping[str, Any]] = {}  # files of videos, by id

    @property
    def num_requests(self) -> int:
        return self._client.num_requests + self._media.num_requests

    def discover(self, cursor: str | None) -> Page:
        """Return the next hundred videos, newest first."""
        if self._config.videos:
            ids = [_video_id(video) for video in self._config.videos]
            return Page(tuple(Ref("peertube", id, f"{self._base}/w/{id}") for id in ids))
        start = int(cursor or 0)
        answer = self._client.json(
            f"{self._base}/api/v1/{_path(self._config)}", params=_params(self._config, start), max_bytes=_MAX_BYTES
        )
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise FetchError("format", "unknown-answer", f"{self._base} answered no list of videos")
        rows = _answers.entries(answer["data"])
        refs = [_ref(row, self._base) for row in rows if _is_id(row.get("uuid")) and self._is_wanted(row)]
        after = start + len(answer["data"])
        total = _answers.whole(answer.get("total"))
        more = bool(rows) and (total is None or after < total) and after < _MAX_START
        return Page(tuple(refs), str(after) if more else None)

    def _is_wanted(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a video is this instance's own; older ones list others' whatever they are asked."""
        return self._config.federated or row.get("isLocal") is not False

    def describe(self, ref: Ref) -> Description:
        """Return what the instance says of a video, and which captions it has."""
        video = self._video(ref.id)
        captions = self._client.json(f"{self._api(ref.id)}/captions")
        url = _origin(video, f"{self._base}/w/{ref.id}")
        maker, channel = _answers.mapping(video.get("account")), _answers.mapping(video.get("channel"))
        title, author = _answers.text(video.get("name")), _named(maker) or _named(channel)
        # Every answer has the field; one without was not read for certain.
        licence = _licence(video["licence"]) if "licence" in video else Licence("failed")
        duration, date, language = _answers.seconds(video.get("duration")), _date(video), _language(video)
        usual = {"title": title, "duration": duration, "author": author, "date": date, "language": language}
        return Description(
            "peertube",
            ref.id,
            url,
            title or ref.title or ref.id,
            duration=duration,
            author=author,
            channel_id=_handle(channel),
            channel_handle=_handle(channel),
            author_url=_address(maker.get("url")),
            date=date,
            language=language,
            views=_answers.whole(video.get("views")),
            category=_answers.text(_answers.mapping(video.get("category")).get("label")),
            licence=_answers.text(_answers.mapping(video.get("licence")).get("label")),
            rights=rights_of(licence, title=title, author=author, url=url, evidence=self._evidence(ref.id, video)),
            tracks=tuple(dict.fromkeys(track for track, _ in _tracks(captions))),
            live=video.get("isLive") is True,
            missing=(
                *(name for name, value in usual.items() if value is None),
                *(["licence"] if "licence" not in video else []),
            ),
        )

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch captions; instances store WebVTT."""
        tracks = _captions.asked_for(description.tracks, languages, kinds)
        if not tracks:
            return ()
        files = dict(reversed(_tracks(self._client.json(f"{self._api(description.id)}/captions"))))

        def fetched(track: CaptionTrack) -> bytes | None:
            url = urljoin(self._base, files[track])
            return _captions.as_webvtt(self._media.get(url, max_bytes=_captions.MAX_BYTES).content)

        return _captions.gather((track for track in tracks if track in files), fetched)

    def fetch(self, description: Description) -> Fetched:
        """Fetch the smallest file that has sound: no picture is kept. "format" where there are only HLS playlists."""
        url, size = _smallest(self._video(description.id), self._base)
        return self._media.download(url, extension=_media.extension_of(url) or "mp4", expected_size=size)

    def close(self) -> None:
        self._client.close()
        self._media.close()

    def _evidence(self, id: str, video: Mapping[str, Any]) -> str:
        """Say where a licence was read. Of others' videos an instance keeps the number, and gives it its own label."""
        relayed = "" if video.get("isLocal") is True else ", as relayed from its origin"
        return f"licence in {self._api(id)}{relayed}"

    def _api(self, id: str) -> str:
        return f"{self._base}/api/v1/videos/{quote(id, safe='')}"

    def _video(self, id: str) -> Mapping[str, Any]:
        """Return a video's details. Raises FetchError "permanent" for one that is not public."""
        if id not in self._held:
            if not _is_id(id):
                raise FetchError("permanent", "no-video-id", repr(id[:60]))
            answer = self._client.json(self._api(id), max_bytes=_MAX_BYTES)
            if not isinstance(answer, dict) or not ("files" in answer or "streamingPlaylists" in answer):
                raise FetchError("incomplete", "no-details", f"{self._api(id)} answered without files")
            _check_public(answer)
            while len(self._held) >= _MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[id] = answer
        return self._held[id]


def _path(config: Config) -> str:
    if config.channel:
        return f"video-channels/{quote(config.channel, safe='@')}/videos"
    if config.account:
        return f"accounts/{quote(config.account, safe='@')}/videos"
    return "search/videos" if config.search else "videos"


def _params(config: Config, start: int) -> dict[str, str]:
    params = {"start": str(start), "count": str(_COUNT), "sort": "-publishedAt"}
    if config.search:
        params |= {"search": config.search, "searchTarget": "local"}
    return params if config.federated else params | {"isLocal": "true"}


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _ref(row: Mapping[str, Any], base: str) -> Ref:
    channel = _answers.mapping(row.get("channel"))
    return Ref(
        "peertube",
        row["uuid"],
        _origin(row, f"{base}/w/{row['uuid']}"),
        title=_answers.text(row.get("name")),
        duration=_answers.seconds(row.get("duration")),
        channel=_named(channel),
        channel_id=_handle(channel),
        views=_answers.whole(row.get("views")),
        date=_date(row),
        live=row["isLive"] if isinstance(row.get("isLive"), bool) else None,
        language=_language(row),
    )


def _language(row: Mapping[str, Any]) -> str | None:
    return language_of(_answers.text(_answers.mapping(row.get("language")).get("id")))


def _date(video: Mapping[str, Any]) -> str | None:
    """Return when it was first published, anywhere."""
    return _answers.date(video.get("originallyPublishedAt")) or _answers.date(video.get("publishedAt"))


def _origin(video: Mapping[str, Any], here: str) -> str:
    """Return the address of a video where it was uploaded."""
    return here if video.get("isLocal") is True else _address(video.get("url")) or here


def _address(value: Any) -> str | None:
    url = _answers.text(value)
    return url if url and re.match(r"https?://[\w.-]", url) else None


def _named(actor: Mapping[str, Any]) -> str | None:
    return _answers.text(actor.get("displayName")) or _answers.text(actor.get("name"))


def _handle(actor: Mapping[str, Any]) -> str | None:
    """Return "talks@tube.example"."""
    name, host = _answers.text(actor.get("name")), _answers.text(actor.get("host"))
    return f"{name}@{host}" if name and host else name


def _licence(stated: Any) -> Licence:
    """Return a licence that has both the number and the label which PeerTube gives it.

    >>> _licence({"id": 1, "label": "Attribution"}).state, _licence({"id": 1, "label": "Ask me"}).state
    ('cc-by', 'standard')
    """
    given = _answers.mapping(stated)
    number, label = given.get("id"), _answers.text(given.get("label"))
    if number is None or isinstance(number, bool):
        return UNSTATED
    usual, name = _LABELS.get(number, (None, None)) if isinstance(number, int) else (None, None)
    return read_licence(name) if name and label == usual else Licence("standard", label or "a licence without a name")


def _check_public(video: Mapping[str, Any]) -> None:
    privacy = _answers.mapping(video.get("privacy")).get("id", _PUBLIC)
    if privacy != _PUBLIC:
        raise FetchError("permanent", "not-public", f"its privacy is {str(privacy)[:20]!r}")
    if video.get("blacklisted") is True:
        raise FetchError("permanent", "blocked", "the instance's moderators took it down")
    state = _answers.mapping(video.get("state")).get("id", _PUBLISHED)
    if state != _PUBLISHED and video.get("isLive") is not True:
        raise FetchError("incomplete", "not-ready", f"the instance is still at work on it (state {str(state)[:20]!r})")


def _tracks(answer: Any) -> list[tuple[CaptionTrack, str]]:
    """Return captions and where they are."""
    found = []
    for row in _answers.entries(_answers.mapping(answer).get("data"))[:200]:
        language = _language(row)
        where = _address(row.get("fileUrl")) or _answers.text(row.get("captionPath"))
        if where:
            automatic = row.get("automaticallyGenerated") is True
            found.append((CaptionTrack(language or "und", "automatic" if automatic else "manual"), where))
    return found


def _smallest(video: Mapping[str, Any], base: str) -> tuple[str, int | None]:
    """Return address and size of the file with the least picture: whole files first, then those of HLS."""
    playlists = _answers.entries(video.get("streamingPlaylists"))
    for rows in (
        _answers.entries(video.get("files")),
        [row for one in playlists for row in _answers.entries(one.get("files"))],
    ):
        found = []
        for row in rows:
            url = _address(row.get("fileUrl")) or _address(row.get("fileDownloadUrl"))
            if url and row.get("hasAudio") is not False and not url.split("?")[0].endswith(".m3u8"):
                height = _answers.number(_answers.mapping(row.get("resolution")).get("id"))
                found.append((float("inf") if height is None else height, url, _answers.whole(row.get("size")) or None))
        if found:
            return min(found, key=lambda one: one[:2])[1:]
    raise FetchError("format", "hls-only", f"{base} offers no file of it, only HLS playlists")
