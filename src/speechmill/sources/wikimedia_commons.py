# SPDX-License-Identifier: Apache-2.0
"""Wikimedia Commons: the audio of a category or a search, through the Action API.

Asked as the site asks for: a User-Agent that says who, `maxlag`, one request at a time, up to fifty files in a listing.
An item is named by its page's number, which stays when a file is renamed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.remote import Caption, CaptionTrack, Description, Fetched, Page, Ref, Wanted
from speechmill.sources import Connection, _answers, _captions, _media
from speechmill.sources._http import Client, Response
from speechmill.sources._languages import language_of
from speechmill.sources._licences import OPEN, Licence, denies, rights_of, strictest

VERSION = "1"
REMOTE = True
REQUIRES = ("urllib3>=2",)
BUDGET = 500  # items an hour
HOSTS = ("commons.wikimedia.org", "upload.wikimedia.org")
SHORTHAND = "search"
_API = "https://commons.wikimedia.org/w/api.php"
_FILES = "https://upload.wikimedia.org/"
_COUNT = 50
_MAX_LAG_S = 5  # behind its master, above which a database wants no robots; the site's own recommendation
_MAX_HELD = 16
_CONTINUE = ("continue", "gcmcontinue", "gsroffset", "iicontinue")
_USUAL = ("title", "duration", "author", "date", "licence")


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to list: one of both."""

    category: str | None = None  # "Category:Spoken Wikipedia - Vietnamese", with or without its first word
    search: str | None = None  # in the site's own language: "incategory:Interviews intitle:history"
    video: bool = False  # films too, for their sound


def kind(config: Config) -> str:
    """Return what statistics tell this listing apart by."""
    return "category" if config.category else "search"


def check(config: Config) -> None:
    """Raise ConfigError unless there is either a category or a search."""
    if bool(config.category) == bool(config.search):
        raise ConfigError("wikimedia_commons: give either a category or a search")
    if config.category and ("|" in config.category or "\x1f" in config.category):
        raise ConfigError("wikimedia_commons: a category has no '|' in its name")


class Backend:
    """Asks the Action API, and fetches files."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._config = config
        self._client = Client(connection, HOSTS)
        self._held: dict[str, Mapping[str, Any]] = {}

    @property
    def num_requests(self) -> int:
        return self._client.num_requests

    def discover(self, cursor: str | None) -> Page:
        """Return the sound files among the next fifty."""
        params = _listing(self._config) | {"prop": "imageinfo", "iiprop": "size|mime|mediatype|timestamp"}
        answer = self._ask(params | _read_cursor(cursor))
        refs = [ref for page in _pages(answer) if (ref := _ref(page, self._config.video)) is not None]
        following = _answers.mapping(answer.get("continue"))
        given = {name: following[name] for name in _CONTINUE if isinstance(following.get(name), str | int)}
        kept = {name: _answers.text(str(value)[:500]) or "" for name, value in given.items()}
        return Page(tuple(refs), msgspec.json.encode(kept).decode() if set(kept) - {"continue"} else None)

    def describe(self, ref: Ref) -> Description:
        """Return what a file's page says, templates read out by the site itself."""
        page = self._page(ref.id)
        details = _info(page)
        stated = _answers.mapping(details.get("extmetadata"))
        url = _page_url(str(page["title"]))
        title = _field(stated, "ObjectName") or _file_name(page)
        author = _field(stated, "Attribution") or _field(stated, "Artist")
        licence = _licence(stated)
        duration = _answers.seconds(details.get("duration"))
        date = _answers.date(details.get("timestamp"))
        values = (title, duration, author, date, _field(stated, "LicenseShortName"))
        return Description(
            "wikimedia_commons",
            ref.id,
            url,
            title or ref.id,
            duration=duration,
            author=author,
            channel_id=_answers.text(details.get("user")),
            date=date,
            licence=licence.title,
            rights=rights_of(
                licence,
                title=title,
                author=author,
                url=url,
                evidence=f"LicenseShortName and LicenseUrl of page {ref.id}, {url}",
            ),
            tracks=tuple(CaptionTrack(language, "manual") for language in _languages(details)),
            missing=tuple(name for name, value in zip(_USUAL, values, strict=True) if value is None),
        )

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        """Fetch TimedText pages, which are SubRip."""
        tracks = _captions.asked_for(description.tracks, languages, kinds)
        if not tracks:
            return ()
        page = self._page(description.id)
        codes = _languages(_info(page))

        def fetched(track: CaptionTrack) -> bytes | None:
            params = {
                "action": "timedtext",
                "title": str(page.get("title")),
                "lang": codes[track.language],
                "trackformat": "srt",
                "maxlag": str(_MAX_LAG_S),
            }
            response = self._client.get(_API, params=params, max_bytes=_captions.MAX_BYTES)
            _check_captions(response)
            return _captions.as_webvtt(response.content)

        return _captions.gather((track for track in tracks if track.language in codes), fetched)

    def fetch(self, description: Description) -> Fetched:
        """Fetch the uploaded file, and compare it with the digest that the site keeps."""
        details = _info(self._page(description.id))
        url = _answers.text(details.get("url")) or ""
        if not url.startswith(_FILES):
            raise FetchError("incomplete", "no-file", f"page {description.id} names no file on {_FILES}")
        extension = _media.extension_of(url, _answers.text(details.get("mime")))
        size, sha1 = _answers.whole(details.get("size")) or None, _answers.text(details.get("sha1"))
        fetched = self._client.download(url, extension=extension or "bin", expected_size=size)
        return _media.verified(fetched, sha1=sha1)

    def close(self) -> None:
        self._client.close()

    def _page(self, id: str) -> Mapping[str, Any]:
        """Return a file's page with everything of it. Raises FetchError "permanent" for a deleted one."""
        if id in self._held:
            return self._held[id]
        if not (id.isascii() and id.isdecimal() and len(id) < 16):
            raise FetchError("permanent", "no-page-id", repr(id[:60]))
        wanted = "url|size|sha1|mime|mediatype|timestamp|user|extmetadata|timedtext"
        answer = self._ask({"pageids": id, "prop": "videoinfo", "viprop": wanted, "viextmetadatalanguage": "en"})
        page = next(iter(_pages(answer)), {})
        if "missing" in page or "invalid" in page:
            raise FetchError("permanent", "deleted", f"page {id} is gone")
        details = _info(page)
        if "filehidden" in details or "filemissing" in details:
            raise FetchError("permanent", "deleted", f"the file of page {id} is hidden or gone")
        if not _file_name(page) or not _answers.mapping(
            details.get("extmetadata")
        ):  # every page has at least a name and a date
            raise FetchError("incomplete", "no-metadata", f"the answer for page {id} lacks what its page says")
        while len(self._held) >= _MAX_HELD:
            del self._held[next(iter(self._held))]
        self._held[id] = page
        return page

    def _ask(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Ask the API, whose refusals come with status 200."""
        common = {"action": "query", "format": "json", "formatversion": "2", "maxlag": str(_MAX_LAG_S)}
        response = self._client.get(_API, params=common | dict(params))
        answer = _decoded(response)
        if not isinstance(answer, dict):
            raise FetchError("format", "unknown-answer", "the API answered no object")
        if "error" in answer:
            raise _refusal(_answers.mapping(answer["error"]), response.headers)
        return answer


def _check_captions(response: Response) -> None:
    """Raise FetchError where the answer is an error in JSON: one that won't pass costs these captions alone."""
    if not response.content.lstrip().startswith(b"{"):
        return
    error = _refusal(_answers.mapping(_answers.mapping(_decoded(response)).get("error")), response.headers)
    raise error if error.kind in ("rate", "net") else FetchError("permanent", "no-captions", error.detail)


def _decoded(response: Response) -> Any:
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FetchError("incomplete", "broken-json", f"{len(response.content)} bytes that are no JSON") from error


def _refusal(error: Mapping[str, Any], headers: Mapping[str, str]) -> FetchError:
    code, detail = _answers.text(error.get("code")) or "", (_answers.text(error.get("info")) or "")[:200]
    if code in ("maxlag", "ratelimited", "readonly"):
        wait = _answers.number(headers.get("retry-after"))
        return FetchError("rate", code, detail, retry_after=float(_MAX_LAG_S) if wait is None else wait)
    if code.startswith("internal_api_error") or code.endswith("-search-error"):
        return FetchError("net", "internal-error", detail)
    return FetchError("format", "api-error", f"{code[:60]}: {detail}")


def _listing(config: Config) -> dict[str, str]:
    if config.category:
        title = config.category if config.category.startswith("Category:") else f"Category:{config.category}"
        return {"generator": "categorymembers", "gcmtitle": title, "gcmtype": "file", "gcmlimit": str(_COUNT)}
    types = "filetype:audio|video" if config.video else "filetype:audio"
    return {
        "generator": "search",
        "gsrsearch": f"{config.search} {types}",
        "gsrnamespace": "6",
        "gsrlimit": str(_COUNT),
    }


def _read_cursor(cursor: str | None) -> dict[str, str]:
    found = msgspec.json.decode(cursor, type=dict[str, str]) if cursor else {}
    return {name: value for name, value in found.items() if name in _CONTINUE}


def _pages(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return _answers.entries(_answers.mapping(answer.get("query")).get("pages"))


def _info(page: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the newest version's row, under either of its names."""
    found = [*_answers.entries(page.get("videoinfo")), *_answers.entries(page.get("imageinfo"))]
    return found[0] if found else {}


def _ref(page: Mapping[str, Any], with_video: bool) -> Ref | None:
    """Return a file of a listing; None where it has no sound. One of unknown type is left to its visit."""
    number, title, details = _answers.whole(page.get("pageid")), _answers.text(page.get("title")), _info(page)
    media, mime = details.get("mediatype"), _answers.text(details.get("mime")) or ""
    is_sound = media in (None, "AUDIO", *(("VIDEO",) if with_video else ())) and _media.is_media(title or "", mime)
    if not number or title is None or not is_sound or _answers.number(details.get("duration")) == 0:
        return None
    return Ref(
        "wikimedia_commons",
        str(number),
        _page_url(title),
        title=_file_name(page),
        duration=_answers.seconds(details.get("duration")),
        date=_answers.date(details.get("timestamp")),
    )


def _file_name(page: Mapping[str, Any]) -> str | None:
    """Return a file's name without namespace and extension; None where the page has no title."""
    name = (_answers.text(page.get("title")) or "").removeprefix("File:")
    return name.rpartition(".")[0] or name or None


def _page_url(title: str) -> str:
    return f"https://commons.wikimedia.org/wiki/{quote(title.replace(' ', '_'), safe=':/')}"


def _field(stated: Mapping[str, Any], name: str) -> str | None:
    """Return a field of the page without its markup."""
    return _answers.plain(_answers.mapping(stated.get(name)).get("value"))


def _licence(stated: Mapping[str, Any]) -> Licence:
    """Return what both the licence's name and its address allow; templates give them in pairs."""
    licence = strictest([_field(stated, "LicenseShortName"), _field(stated, "LicenseUrl")])
    marked = (_field(stated, "NonFree") or "").lower() == "true"
    if licence.state in OPEN and (marked or any(denies(_field(stated, name)) for name in ("UsageTerms", "License"))):
        return Licence("standard", f"{licence.title}, marked as not free")
    return licence


def _languages(details: Mapping[str, Any]) -> dict[str, str]:
    """Return the site's codes of subtitles, by ours."""
    codes = (_answers.text(track.get("srclang")) for track in _answers.entries(details.get("timedtext"))[:300])
    return {language: code for code in codes if code and (language := language_of(code)) and _is_code(code)}


def _is_code(code: str) -> bool:
    return re.fullmatch(r"[A-Za-z-]{2,20}", code) is not None
