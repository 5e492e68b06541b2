# SPDX-License-Identifier: Apache-2.0
"""Audio files under a prefix of an S3-compatible store, with the rights that the operator states.

Endpoint and credentials come from the environment, as those of the store of originals do (AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, ...); gs:// and az:// come with the same library, untested. A `recordings.tsv` at the prefix has the
columns that it has beside local files; of it are taken language, date and rights, and clean `reference` files are
no recordings. A row of it without an object is passed over. An object is an item by its bucket and key: one that is
replaced under its key is not fetched again.

`reference(description)` is the object's own address. A crawl with `audio: reference` notes that instead of copying.
"""

from __future__ import annotations

import hashlib
import posixpath
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from speechmill.core.errors import ConfigError, FetchError
from speechmill.core.files import TEMPORARY
from speechmill.core.remote import Caption, Description, Fetched, Kind, Page, Ref, Wanted
from speechmill.core.types import Rights
from speechmill.sources import Connection, _answers
from speechmill.sources._licences import stated_rights
from speechmill.sources._tables import Listed, name_key, read_recordings
from speechmill.sources.local import AUDIO, safe_stem
from speechmill.store.blobs import remote
from speechmill.store.blobs.keys import is_unfinished

VERSION = "1"
REQUIRES = ("obstore",)
REMOTE = True
BUDGET = None  # it is the operator's own store
HOSTS = ()  # see hosts
SHORTHAND = "uri"

PAGE = 1000  # keys; what S3 lists in one answer
_TABLE = "recordings.tsv"
_STATED_FOR_ALL = "licence of this source in the corpus file"
_TABLE_MAX = 64 << 20  # bytes; half a million rows
_PATIENCE = 3  # times a request's timeout, for which a store that fails is asked again
_KINDS: Mapping[remote.Reason, Kind] = {
    "missing": "permanent",
    # Nothing of it is the item's fault: the circuit opens, and the operator reads why.
    "refused": "format",
    "unusable": "format",
    "slow-down": "rate",
    "unavailable": "net",
}


class Config(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which objects, and what the operator says of them all."""

    uri: str  # s3://bucket/prefix
    extensions: tuple[str, ...] = AUDIO  # any case, with or without a dot
    licence: str | None = None  # a name or Creative Commons address, where recordings.tsv has none: "CC BY 4.0"
    language: str | None = None  # ISO 639, where recordings.tsv has none


def check(config: Config) -> None:
    """Raise ConfigError where there is no such place or nothing to look for."""
    remote.parse(config.uri)
    if not config.extensions:
        raise ConfigError("s3: extensions is empty; name at least one, such as wav")


def hosts(config: Config) -> tuple[str, ...]:
    """Return the server that the environment names, or else the providers' own."""
    endpoint = remote.endpoint_url()
    if remote.parse(config.uri).scheme == "s3" and endpoint:
        return (urlsplit(endpoint).hostname or endpoint,)
    return ("*.amazonaws.com", "storage.googleapis.com", "*.blob.core.windows.net")


def kind(config: Config) -> str:
    """Return what statistics are told apart by."""
    return "prefix"


class Backend:
    """Lists and fetches objects."""

    def __init__(self, config: Config, connection: Connection) -> None:
        check(config)
        self.num_requests = 0
        self._config = config
        self._connection = connection
        self._place = remote.parse(config.uri)
        self._extensions = frozenset("." + extension.lower().lstrip(".") for extension in config.extensions)
        self._open: Any = None
        self._rows: Mapping[str, Listed] | None = None

    def discover(self, cursor: str | None) -> Page:
        """List the keys after `cursor`, which is the last one of the page before."""
        import obstore

        rows = self._listed()
        with self._asking(""):
            pages = obstore.list(self._store(), offset=cursor, chunk_size=PAGE)
            found: list[dict[str, Any]] = next(iter(pages), [])
        clean = {name_key(row.reference) for row in rows.values() if row.reference}
        refs = (self._ref(one, rows) for one in found if self._is_wanted(one, clean))
        return Page(tuple(refs), found[-1]["path"] if len(found) == PAGE else None)

    def describe(self, ref: Ref) -> Description:
        import obstore

        key = self._key(ref.url)
        row = self._listed().get(name_key(key))
        with self._asking(key):
            found = obstore.head(self._store(), key)
        return Description(
            platform=ref.platform,
            id=ref.id,
            url=ref.url,
            title=_title(key),
            date=_date(found, row),
            language=(row.language if row else None) or self._config.language,
            licence=(row.rights.licence if row else None) or self._config.licence,
            rights=self._rights(key, row),
        )

    def captions(self, description: Description, languages: Sequence[str], kinds: Sequence[str]) -> Sequence[Caption]:
        return ()

    def fetch(self, description: Description) -> Fetched:
        key = self._key(description.url)
        extension = _suffix(key).lstrip(".")
        path = self._connection.folder / f"{TEMPORARY}{uuid.uuid4().hex[:12]}.{extension}"
        try:
            size, sha256 = self._download(key, path, self._connection.max_bytes)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Fetched(path, extension, size, sha256)

    def reference(self, description: Description) -> str | None:
        """Return the address under which an item's media stays, for a crawl that copies nothing."""
        return f"{self._place}/{self._key(description.url)}"

    def close(self) -> None:
        self._open = None

    def _store(self) -> Any:
        if self._open is None:
            connection = self._connection
            patience_s = _PATIENCE * connection.timeout_s
            self._open = remote.connect(
                self._place, patience_s, user_agent=connection.user_agent, proxy=connection.proxy
            )
        return self._open

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Count a request, and raise what becomes of it as a FetchError."""
        self.num_requests += 1
        with _fetch_errors(), remote.failures(self._place, key):
            yield

    def _key(self, url: str) -> str:
        start = f"{self._place}/"
        if not url.startswith(start):
            raise FetchError("permanent", "not-here", f"{url} is not below {self._place}")
        return url[len(start) :]

    def _is_wanted(self, found: Mapping[str, Any], clean: Collection[str]) -> bool:
        key = found["path"]
        return _suffix(key) in self._extensions and not is_unfinished(key) and name_key(key) not in clean

    def _ref(self, found: Mapping[str, Any], rows: Mapping[str, Listed]) -> Ref:
        key = found["path"]
        row = rows.get(name_key(key))
        return Ref(
            platform="s3",
            id=self._id(key),
            url=f"{self._place}/{key}",
            title=_title(key),
            date=_date(found, row),
            language=(row.language if row else None) or self._config.language,
        )

    def _id(self, key: str) -> str:
        """Name an object by its bucket and whole key, under whichever prefix it was found."""
        whole = posixpath.join(self._place.prefix, key)
        return f"{safe_stem(_title(key))}-{hashlib.sha256(f'{self._place.bucket}/{whole}'.encode()).hexdigest()[:16]}"

    def _rights(self, key: str, row: Listed | None) -> Rights:
        stated = row.rights if row else Rights()
        return stated_rights(
            stated,
            title=_title(key),
            url=f"{self._place}/{key}",
            evidence=f"{self._place}/{_TABLE}" if stated.licence else _STATED_FOR_ALL,
            licence=self._config.licence,
        )

    def _listed(self) -> Mapping[str, Listed]:
        """Return the rows of recordings.tsv, read once; none where there is none."""
        if self._rows is None:
            path = self._connection.folder / f"{TEMPORARY}{uuid.uuid4().hex[:12]}.tsv"
            try:
                self._download(_TABLE, path, _TABLE_MAX)
                self._rows = self._read(path)
            except FetchError as error:
                if error.kind != "permanent" or error.reason != "missing":
                    raise
                self._rows = {}
            finally:
                path.unlink(missing_ok=True)
        return self._rows

    def _read(self, table: Path) -> Mapping[str, Listed]:
        try:
            return read_recordings(table)
        except ConfigError as error:
            detail = str(error).replace(str(table), f"{self._place}/{_TABLE}")
            raise FetchError("format", "broken-table", detail) from error

    def _download(self, key: str, path: Path, max_bytes: int) -> tuple[int, str]:
        """Write an object to a file. Returns its size and SHA-256."""
        self.num_requests += 1
        state = hashlib.sha256()
        with _fetch_errors():
            size, chunks = remote.read(self._store(), self._place, key)
            if size > max_bytes:
                raise FetchError("permanent", "too-large", f"{self._place}/{key} has {size} bytes, of {max_bytes}")
            with path.open("wb") as file:
                for chunk in chunks:
                    state.update(chunk)
                    file.write(chunk)
        return size, state.hexdigest()


@contextmanager
def _fetch_errors() -> Iterator[None]:
    try:
        yield
    except remote.StoreError as error:
        raise FetchError(_KINDS[error.reason], error.reason, str(error)) from None


def _suffix(key: str) -> str:
    return posixpath.splitext(key)[1].lower()


def _title(key: str) -> str:
    stem = posixpath.splitext(posixpath.basename(key))[0]
    return _answers.text(stem) or stem


def _date(found: Mapping[str, Any], row: Listed | None) -> str:
    modified: datetime = found["last_modified"]
    return (row.date if row else None) or modified.date().isoformat()
