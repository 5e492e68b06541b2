# SPDX-License-Identifier: Apache-2.0
"""What an index page, a list of addresses or a recordings.tsv on the web names: files of speech, captions, folders."""

from __future__ import annotations

import logging
import os
import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from msgspec import Struct

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.types import Rights
from speechmill.sources._media import extension_of
from speechmill.sources._tables import read_recordings

_log = logging.getLogger(__name__)
MAX_FILES = 200_000  # of one listing
_CAPTIONS = (".vtt", ".srt")
_INFIX = re.compile(r"(.+)\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)")  # talk.en, talk.zh-Hans
# html.parser takes minutes for 100 kB of "<a <a <a": it is shown one whole tag at a time, of bounded length.
_TAG = re.compile(r"<(?:a|area|audio|video|source|base)\s[^<>]{1,4000}>", re.IGNORECASE)
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")


class CaptionFile(Struct, frozen=True):
    """Captions that lie beside a recording."""

    url: str
    language: str | None  # by its name: talk.en.vtt


class Found(Struct, frozen=True):
    """A file of speech that a listing names."""

    url: str
    extension: str
    captions: tuple[CaptionFile, ...] = ()
    language: str | None = None
    date: str | None = None
    rights: Rights | None = None  # where a table states them

    @property
    def title(self) -> str:
        return _stem(self.url)


class Listing(Struct, frozen=True):
    """One document's files in its order, and the folders below it."""

    files: tuple[Found, ...]
    folders: tuple[str, ...] = ()


def read_page(content: bytes, url: str, may_lie_on: Iterable[str]) -> Listing:
    """Read the links of an index page: files below its own folder or on other hosts that may be asked, and folders.

    may_lie_on: hosts besides its own. Links to what lies above or beside the folder are nobody's business.
    """
    folder = urljoin(url, ".")
    others = frozenset(may_lie_on) - {_host(url)}
    links = [link for link in _links(content, url) if _is_below(link, folder) or _host(link) in others]
    folders = (link for link in links if link.endswith("/") and link != folder and _is_below(link, folder))
    return Listing(_files(links), tuple(dict.fromkeys(folders)))


def _is_below(address: str, folder: str) -> bool:
    return address.startswith(folder) and ".." not in unquote(urlsplit(address).path).split("/")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _links(content: bytes, url: str) -> Iterator[str]:
    base = url
    for tag, target in _targets(content.decode("utf-8", errors="replace")):
        address = absolute(base, target)
        if address is None:
            continue
        if tag == "base":
            base = address
        else:
            yield address


class _Tag(HTMLParser):
    """Reads one tag at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[str, str]] = []

    def read(self, tag: str) -> list[tuple[str, str]]:
        """Return the tag's name and where it points to; nothing where it points nowhere."""
        self.reset()
        self._found = []
        self.feed(tag)
        return self._found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = "src" if tag in ("audio", "video", "source") else "href"
        self._found = [(tag, value.strip()) for name, value in attrs if name == wanted and value][:1]


def _targets(text: str) -> Iterator[tuple[str, str]]:
    parser = _Tag()
    for piece in _without_comments(text):
        for match in _TAG.finditer(piece):
            yield from parser.read(match.group())


def _without_comments(text: str) -> Iterator[str]:
    position = 0
    while (start := text.find("<!--", position)) >= 0:
        yield text[position:start]
        position = text.find("-->", start)
        if position < 0:
            return
    yield text[position:]


def read_list(content: bytes, url: str) -> Listing:
    """Read addresses, one a line, relative ones too; "#" starts a comment. Files whose kind can't be told are left."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FetchError("format", "broken-list", f"{_shown(url)} is not UTF-8") from error
    stripped = (line.strip() for line in lines)
    named = (absolute(url, line) for line in stripped if line and not line.startswith("#"))
    addresses = [address for address in named if address is not None]
    listing = Listing(_files(addresses))
    _say_what_is_left(url, sum(not _is_captions(address) for address in addresses) - len(listing.files))
    return listing


def _say_what_is_left(url: str, number: int) -> None:
    if number:
        _log.warning("%s: %d entries left out: named twice, or no file that holds speech", _shown(url), number)


def read_table(content: bytes, url: str, folder: Path) -> Listing:
    """Read a recordings.tsv, whose paths are relative to its own address. Raises FetchError with the line."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".tsv", "listing-", folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        rows = read_recordings(Path(name)).values()
    except ConfigError as error:
        raise FetchError("format", "broken-table", str(error).replace(name, _shown(url))) from error
    finally:
        os.unlink(name)
    found = []
    for row in rows:
        address = absolute(url, row.path if "://" in row.path else quote(row.path))
        extension = None if address is None else extension_of(address)
        if address is not None and extension is not None:
            found.append(Found(address, extension, (), row.language, row.date, row.rights))
    _say_what_is_left(url, len(rows) - len(found))
    return Listing(tuple(found))


def absolute(base: str, target: str) -> str | None:
    """Return an address in its one spelling, without a fragment; None for what is no web address.

    >>> absolute("https://x.example/a/", "B c.mp3#t=1"), absolute("https://x.example/a/", "mailto:a@b")
    ('https://x.example/a/B%20c.mp3', None)
    """
    from urllib3.util import parse_url

    try:
        parsed = parse_url(urljoin(base, target))
    except ValueError:
        return None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.auth:
        return None
    # urllib3 writes %7e as %7E too, but not in a process in which yt-dlp was imported: that patches it.
    return _TRIPLET.sub(lambda found: found[0].upper(), parsed._replace(fragment=None, path=parsed.path or "/").url)


def _files(addresses: Iterable[str]) -> tuple[Found, ...]:
    """Pair files of speech with captions of the same name; each once, in their order."""
    media: dict[str, str] = {}
    captions: dict[str, list[CaptionFile]] = {}
    for address in addresses:
        if _is_captions(address):
            _note_captions(captions, address)
        elif (extension := extension_of(address)) is not None:
            media.setdefault(address, extension)
        if len(media) > MAX_FILES:
            raise FetchError("format", "too-many-files", f"a listing of more than {MAX_FILES} files")
    return tuple(
        Found(address, extension, tuple(captions.get(_place(address), ()))) for address, extension in media.items()
    )


def _is_captions(address: str) -> bool:
    return posixpath.splitext(urlsplit(address).path)[1].lower() in _CAPTIONS


def _note_captions(captions: dict[str, list[CaptionFile]], address: str) -> None:
    place = _place(address)
    infix = _INFIX.fullmatch(_stem(address))
    whole = captions.setdefault(place, [])
    if all(known.url != address for known in whole):
        whole.append(CaptionFile(address, None))
    if infix is not None:
        shorter = captions.setdefault(posixpath.join(posixpath.dirname(place), infix[1]), [])
        if all(known.url != address for known in shorter):
            shorter.append(CaptionFile(address, infix[2]))


def _place(address: str) -> str:
    """Return what a recording and its captions share: where they lie, without extension."""
    parts = urlsplit(address)
    return f"{parts.netloc}{posixpath.dirname(parts.path)}/{_stem(address)}"


def _stem(address: str) -> str:
    return posixpath.splitext(posixpath.basename(unquote(urlsplit(address).path)))[0]


def _shown(url: str) -> str:
    return url.partition("?")[0]
