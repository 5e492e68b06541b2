# SPDX-License-Identifier: Apache-2.0
"""Podcast feeds: RSS 2.0 and Atom with the namespaces of iTunes, Podcasting 2.0, Creative Commons and Dublin Core.

Specifications: RSS 2.0, RFC 4287 (Atom), RFC 5005 (pages of a feed), podcastindex.org/namespace/1.0. Only what is
named here is read; entities are refused, so that a small file can't become a large one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from speechmill.core.errors import FetchError
from speechmill.sources import _answers, _media
from speechmill.sources._languages import language_of
from speechmill.sources._licences import OPEN, UNSTATED, Licence, denies, strictest
from speechmill.sources._xml import parse_xml

MAX_BYTES = 32 << 20  # of one page; long-running shows have feeds of some MB
_PREFIXES = {
    "": "",
    "http://www.w3.org/2005/atom": "atom",
    "http://purl.org/atom/ns#": "atom",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "https://podcastindex.org/namespace/1.0": "podcast",
    "https://github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md": "podcast",
    "http://backend.userland.com/creativecommonsrssmodule": "cc",
    "http://cyber.law.harvard.edu/rss/creativecommonsrssmodule.html": "cc",
    "http://web.resource.org/cc/": "cc",
    "http://creativecommons.org/ns#": "cc",
    "https://creativecommons.org/ns#": "cc",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://search.yahoo.com/mrss/": "media",
}
_LICENCES = ("cc:license", "podcast:license", "dcterms:license", "media:license")
_NOTICES = ("copyright", "dc:rights", "dcterms:rights", "atom:rights", "media:copyright")
_MAX_STATEMENTS = 20  # of rights, by one element; every entry is held against its channel's
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html)", re.IGNORECASE)
_CAPTION_TYPES = ("text/vtt", "text/srt", "application/srt", "application/x-subrip", "application/json")


class Transcript(Struct, frozen=True):
    """A file of captions that a feed names."""

    url: str
    language: str | None


class Entry(Struct, frozen=True):
    """One episode."""

    guid: str  # unique within its feed
    title: str
    url: str  # its page, or else its media's without a query
    media: str  # address of the audio or video
    extension: str
    licence: Licence
    licence_field: str | None  # the element that it was read from
    duration: float | None = None  # seconds, as the feed says
    date: str | None = None
    language: str | None = None
    author: str | None = None
    transcripts: tuple[Transcript, ...] = ()
    missing: tuple[str, ...] = ()


class Feed(Struct, frozen=True):
    """One page of a feed."""

    title: str | None
    guid: str | None  # that the show keeps when it moves
    entries: tuple[Entry, ...]
    next_page: str | None


class _Stated(Struct, frozen=True):
    """What an element says of rights: licences that it names, and notices in prose."""

    licences: tuple[str, ...]
    notices: tuple[str, ...]
    fields: tuple[str, ...]


_Children = Mapping[str, Sequence[Any]]


def read_feed(content: bytes, url: str) -> Feed:
    """Read a page of a feed. url: where it was got, which relative addresses start at.

    Entries without media are left out. Raises FetchError: "incomplete" where the XML is broken off or broken,
    "permanent" where it is no feed, is hostile, or asks not to be taken up.
    """
    root = _root(content)
    kind = _name(root.tag)
    if kind == "atom:feed":
        channel, items = _children(root), "atom:entry"
    else:
        found = [child for child in root if _name(child.tag) == "channel"]
        if kind not in ("rss", "RDF") or not found:
            raise FetchError("permanent", "not-a-feed", f"neither RSS nor Atom but {str(root.tag)[:60]!r}")
        channel, items = _children(found[0]), "item"
    if _says_yes(channel, "podcast:block") or _says_yes(channel, "itunes:block"):
        raise FetchError("permanent", "feed-blocked", "the feed asks directories not to take it up")
    whole = _Channel(channel, url, root.get(_LANG))
    entries = (whole.entry(_children(item)) for item in channel.get(items, ()))
    return Feed(
        _text(channel, "title", "atom:title"),
        _text(channel, "podcast:guid"),
        tuple(entry for entry in entries if entry is not None),
        next(iter(_links(channel, url, "next") + _links(channel, url, "prev-archive")), None),
    )


def _root(content: bytes) -> Any:
    try:
        return parse_xml(content.lstrip(), "the feed")
    except FetchError as error:
        if _PAGE.match(content[:1000]):
            raise FetchError("permanent", "not-a-feed", "a web page") from error
        if error.kind == "format":  # this feed's fault, and no reason to leave others alone
            raise FetchError("permanent", error.reason, error.detail) from error
        raise


def _name(tag: Any) -> str:
    """Return "itunes:duration" of a tag, whichever prefix the file gave its namespace.

    >>> _name("{http://www.itunes.com/DTDs/Podcast-1.0.dtd}duration"), _name("item"), _name("{http://x}item")
    ('itunes:duration', 'item', '?:item')
    """
    if not isinstance(tag, str):
        return ""  # a comment
    namespace, _, local = tag.rpartition("}")
    prefix = _PREFIXES.get(namespace.lstrip("{").lower(), "?")
    return f"{prefix}:{local}" if prefix else local


def _children(element: Any) -> _Children:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for child in element:
        found[_name(child.tag)].append(child)
    return found


def _text(children: _Children, *names: str) -> str | None:
    """Return the first of these elements that has text."""
    texts = (_answers.plain("".join(child.itertext())) for name in names for child in children.get(name, ()))
    return next((text for text in texts if text is not None), None)


def _says_yes(children: _Children, name: str) -> bool:
    """Tell of an element for everybody; one with an id is meant for one service."""
    return any((child.text or "").strip().lower() == "yes" for child in children.get(name, ()) if not child.get("id"))


def _links(children: _Children, base: str, relation: str) -> list[str]:
    """Return addresses of Atom links of a kind."""
    links = (link for link in children.get("atom:link", ()) if (link.get("rel") or "alternate") == relation)
    return [url for link in links if (url := address(link.get("href"), base))]


def address(value: Any, base: str) -> str | None:
    """Return an absolute web address; None for other schemes and what can't be read.

    >>> address("a.mp3", "https://x.test/feed"), address("file:///etc/passwd", "https://x.test/feed")
    ('https://x.test/a.mp3', None)
    """
    written = _answers.text(value)
    if written is None or len(written) >= _answers.MAX_CHARS:
        return None
    try:
        joined = urljoin(base, written.replace(" ", "%20"))
        return joined if urlsplit(joined).scheme in ("http", "https") and urlsplit(joined).hostname else None
    except ValueError:
        return None  # brackets that are no IPv6 address


class _Channel:
    """What entries inherit of their feed."""

    def __init__(self, children: _Children, url: str, language: str | None) -> None:
        self._url = url
        self._language = language_of(_text(children, "language", "dc:language") or language)
        self._author = _author(children) or _text(children, "title", "atom:title")
        self._stated = _stated(children, url)

    def entry(self, item: _Children) -> Entry | None:
        """Read an item; None where it has no media."""
        media = self._media(item)
        if media is None:
            return None
        shown, title = media[0].split("?")[0], _text(item, "title", "itunes:title", "atom:title") or ""
        page = _links(item, self._url, "alternate")
        link = address(_text(item, "link"), self._url)
        licence, field = _licence(_stated(item, self._url), self._stated)
        duration = _answers.seconds(_text(item, "itunes:duration"))
        date = _answers.date(_text(item, "pubDate", "atom:published", "dc:date", "atom:updated"))
        language = language_of(_text(item, "dc:language")) or self._language
        author = _author(item) or self._author
        usual = {"duration": duration, "date": date, "language": language, "author": author}
        return Entry(
            # A query may hold a subscriber's token, and titles tell apart what lies behind one script.
            guid=_text(item, "guid", "atom:id") or f"{shown} {title}".strip(),
            title=title,
            url=link or next(iter(page), shown),
            media=media[0],
            extension=media[1],
            licence=licence,
            licence_field=field,
            duration=duration,
            date=date,
            language=language,
            author=author,
            transcripts=self._transcripts(item, language),
            missing=tuple(name for name, value in usual.items() if value is None),
        )

    def _media(self, item: _Children) -> tuple[str, str] | None:
        """Return address and extension of the audio, or else of the video."""
        links = [link for link in item.get("atom:link", ()) if link.get("rel") == "enclosure"]
        found = []
        for element in (*item.get("enclosure", ()), *links, *item.get("media:content", ())):
            url = address(element.get("url") or element.get("href"), self._url)
            content_type = (element.get("type") or "").strip().lower()
            if url and _media.is_media(url, content_type):
                found.append((content_type.startswith("video/"), url, _media.extension_of(url, content_type) or "bin"))
        return min(found, key=lambda one: one[0])[1:] if found else None

    def _transcripts(self, item: _Children, language: str | None) -> tuple[Transcript, ...]:
        """Return timed transcripts; HTML and plain text have no times."""
        found = []
        for element in item.get("podcast:transcript", ())[:50]:
            url = address(element.get("url"), self._url)
            content_type = (element.get("type") or "").split(";")[0].strip().lower()
            if url and content_type in _CAPTION_TYPES:
                order = _CAPTION_TYPES.index(content_type)
                found.append((order, Transcript(url, language_of(element.get("language")) or language)))
        return tuple(transcript for _, transcript in sorted(found, key=lambda one: one[0]))


def _author(children: _Children) -> str | None:
    """Return who made it by name; addresses of mail are nobody's to publish."""
    names = [_text(children, "itunes:author", "dc:creator")]
    names += [_text(_children(author), "atom:name") for author in children.get("atom:author", ())]
    names += [_text(children, "author")]
    return next((name for name in map(_without_mail, names) if name), None)


def _without_mail(name: str | None) -> str | None:
    """Take "a@b.c (Ann)" for Ann.

    >>> _without_mail("ann@x.test (Ann Nguyen)"), _without_mail("ann@x.test")
    ('Ann Nguyen', None)
    """
    kept = re.sub(r"\S{1,200}@\S{1,200}", "", name or "").strip()
    return kept.removeprefix("(").removesuffix(")").strip() or None if kept != name else name


def _stated(children: _Children, url: str) -> _Stated:
    licences: list[str] = []
    fields: list[str] = []
    for name in _LICENCES:
        for element in children.get(name, ()):
            given = (element.get("url"), element.get("href"), element.get(_RESOURCE), "".join(element.itertext()))
            licences += texts if (texts := _texts(given)) else ["without a name"]  # it says something, and not what
            fields.append(name)
    linked = _links(children, url, "license")
    notices = _texts("".join(element.itertext()) for name in _NOTICES for element in children.get(name, ()))
    fields += ["atom:link"] * bool(linked)
    if len(licences) + len(linked) + len(notices) > _MAX_STATEMENTS:
        return _Stated(("more statements than a work can have",), (), tuple(fields or ["copyright"]))
    return _Stated(tuple(licences + linked), tuple(notices), tuple(fields))


def _texts(values: Iterable[Any]) -> list[str]:
    return [text for text in map(_answers.text, values) if text]


def _licence(item: _Stated, channel: _Stated) -> tuple[Licence, str | None]:
    """Return what an item is licensed as, and by which element: its own, or else its channel's.

    A notice is a licence only where it is one's name or address and nothing more, and takes back what a licence
    beside or above it gives where it reserves rights.
    """
    for stated, notices in ((item, item.notices), (channel, item.notices + channel.notices)):
        if stated.licences:
            licence, field = strictest(stated.licences), stated.fields[0]
            denial = next((notice for notice in notices if denies(notice)), None)
            if licence.state in OPEN and denial is not None:
                return Licence("standard", f"{licence.title}, but: {denial[:200]}"), field
            return licence, field
    for stated in (item, channel):
        if stated.notices:
            return strictest(stated.notices), "copyright"
    return UNSTATED, None
