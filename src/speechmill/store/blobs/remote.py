# SPDX-License-Identifier: Apache-2.0
"""The way to object stores by obstore, and their errors in our words.

The library's messages quote what a server answered, and that quotes what was signed, a session token among it. None
of them is passed on: only the status, S3's own word for what is wrong, and the kind of failure on the way.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from speechmill.core.errors import BlobError, ConfigError
from speechmill.store.blobs.keys import check_key

CHUNK = 1 << 20  # bytes of a download at a time
_CONNECT_TIMEOUT_S = 5.0
# A server that says nothing for so long is stuck. The library counts from the start of a request, so that a part of
# 8 MiB must be uploaded in it: 1.1 Mbit/s.
_READ_TIMEOUT_S = 60.0
_WHOLE_REQUEST_S = 6 * 3600.0  # the library's 30 s would end every download that takes longer
_STATUS = re.compile(r"(?:status code|status): (\d{3})\b")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_TRANSIENT = {408, 429, 500, 502, 503, 504}
# Without credentials in the environment the library asks the machine that it may be running on for some.
_NO_CREDENTIALS = ("/latest/api/token", "/latest/meta-data/", "computeMetadata", "/metadata/identity", "MissingAccount")
_NAMES_OF_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and AWS_REGION",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class Address(Struct, frozen=True):
    """A place in an object store. What follows the bucket is taken as it is: no escapes, no query."""

    scheme: str
    bucket: str
    prefix: str  # "" or "a/b"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def parse(address: str) -> Address:
    """Read s3://bucket/prefix. Raises ConfigError, which repeats no credentials."""
    scheme, _, rest = address.partition("://")
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        raise ConfigError(f"{scheme}://: no credentials in an address; set {_NAMES_OF_CREDENTIALS.get(scheme)}")
    if scheme not in _NAMES_OF_CREDENTIALS or not re.fullmatch(r"[\w.-]{1,255}", bucket, re.ASCII):
        raise ConfigError(f"an address of {scheme}:// names no bucket; give s3://bucket/prefix")
    prefix = prefix.strip("/")
    try:
        prefix = prefix and check_key(prefix)
    except BlobError as error:
        raise ConfigError(f"{scheme}://{bucket}: {error}") from error
    return Address(scheme, bucket, prefix)


def connect(address: Address, patience_s: float, *, user_agent: str | None = None, proxy: str | None = None) -> Any:
    """Return obstore's store for an address; nothing is asked of it yet. Raises ConfigError."""
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=min(_CONNECT_TIMEOUT_S, patience_s)),
        "read_timeout": timedelta(seconds=min(_READ_TIMEOUT_S, patience_s)),
        "timeout": timedelta(seconds=_WHOLE_REQUEST_S),
        # With options given the library does not look for this variable itself.
        "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes"),
    }
    client |= {"user_agent": user_agent} if user_agent else {}
    client |= {"proxy_url": proxy} if proxy else {}
    # Each pause is drawn between the first and three times the one before: about 15 requests in a minute.
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=10), "base": 3}
    retry = {"max_retries": 1000, "retry_timeout": timedelta(seconds=patience_s), "backoff": backoff}
    options = {"prefix": address.prefix or None, "client_options": client, "retry_config": retry}
    _refuse_http(address, bool(client["allow_http"]))
    try:
        with failures(address, ""):
            return _opened(address, options)
    except StoreError as error:
        raise ConfigError(str(error)) from None


def _opened(address: Address, options: dict[str, Any]) -> Any:
    from obstore.store import AzureStore, GCSStore, S3Store

    if address.scheme == "gs":
        return GCSStore(address.bucket, **options)
    if address.scheme == "az":
        return AzureStore(address.bucket, **options)
    # DELETE of one object is known to every server; POST ?delete is not.
    config = {"copy_if_not_exists": "multipart", "checksum_algorithm": "sha256", "disable_bulk_delete": True}
    return S3Store(address.bucket, config=config, **options)


def _refuse_http(address: Address, allowed: bool) -> None:
    endpoint = endpoint_url()
    if address.scheme == "s3" and endpoint and endpoint.startswith("http://") and not allowed:
        raise ConfigError("AWS_ENDPOINT_URL is not https; set AWS_ALLOW_HTTP=true if the network may read along")


def endpoint_url() -> str | None:
    """Return the S3 server that the environment names; None: Amazon's."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


@contextlib.contextmanager
def failures(address: Address, key: str) -> Iterator[None]:
    """Raise what obstore raises as BlobErrors. Only calls of obstore belong inside; it raises OSErrors too."""
    try:
        yield
    except BlobError:
        raise
    except Exception as error:
        if not _is_obstores(error):
            raise
        raise _translated(address, key, error) from None  # the cause's text is what must not be shown


def _is_obstores(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # with a number it is this machine's, such as a disk that can't be read
    return type(error).__module__.startswith("obstore") or isinstance(error, ValueError)


Reason = Literal["missing", "refused", "unusable", "slow-down", "unavailable"]


class StoreError(BlobError):
    """What a store of objects answered, or that it didn't.

    missing: no such object; refused: credentials or the bucket are wrong; unusable: no store that we can use, or a name
    that it can't have; slow-down: too many requests; unavailable: it fails, or the way there is broken.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail, permanent=reason in ("missing", "refused", "unusable"))
        self.reason: Reason = reason


def _translated(address: Address, key: str, error: Exception) -> StoreError:
    text = str(error)
    place = f"{address}/{key}" if key else str(address)
    status = next((int(found) for found in _STATUS.findall(text)), None)
    code = next(iter(_CODE.findall(text)), None)
    variables = _NAMES_OF_CREDENTIALS[address.scheme]
    if any(word in text for word in _NO_CREDENTIALS):
        return StoreError("refused", f"{place}: no credentials; set {variables}")
    if code == "NoSuchBucket":
        return StoreError("refused", f"{place}: no bucket {address.bucket!r}; make it, or set {variables}")
    if isinstance(error, FileNotFoundError):
        return StoreError("missing", f"{place}: no such object")
    if status is not None:
        return _answered(place, variables, status, code)
    if type(error).__name__ == "InvalidPathError":
        wrong = "obstore knows no keys with an empty part, '.', '..' or a control character; rename the object"
        return StoreError("unusable", f"{place}: {wrong}")
    if isinstance(error, ValueError) or type(error).__name__ == "NotSupportedError":
        return StoreError("unusable", f"{place}: obstore can't do that ({type(error).__name__})")
    return StoreError("unavailable", f"{place}: {_on_the_way(text)}")


def _answered(place: str, variables: str, status: int, code: str | None) -> StoreError:
    said = f"{status} {code}" if code else str(status)
    if status in (400, 401, 403):
        return StoreError("refused", f"{place}: refused ({said}); set {variables} to what may read and write it")
    reason: Reason = "unavailable" if status in _TRANSIENT or 520 <= status < 600 else "unusable"
    return StoreError("slow-down" if status in (429, 503) else reason, f"{place}: the store answers {said}")


def _on_the_way(text: str) -> str:
    """Say what went wrong where no answer came, by the words of the library's own types."""
    words = {
        "TimedOut": "no answer in time",
        "ConnectionRefused": "connection refused",
        "dns error": "its host has no address",
        "certificate": "its certificate is not trusted; add its authority to the system's",
        "IncompleteBody": "the answer broke off",
        "BadScheme": "not an https address; set AWS_ALLOW_HTTP=true if the network may read along",
    }
    return next((said for word, said in words.items() if word in text), "the connection broke")


def read(store: Any, address: Address, key: str) -> tuple[int, Iterator[bytes]]:
    """Begin a download. Returns its size and its bytes; after a break the library asks for the rest.

    Raises StoreError, and so do the bytes.
    """
    import obstore

    with failures(address, key):
        answer = obstore.get(store, key)
        start, end = answer.range
        chunks = iter(answer.stream(min_chunk_size=CHUNK))
    return end - start, _bytes(chunks, address, key, end - start)


def _bytes(chunks: Iterator[bytes], address: Address, key: str, expected: int) -> Iterator[bytes]:
    size = 0
    while True:
        with failures(address, key):
            chunk = next(chunks, None)
        if chunk is None:
            break
        size += len(chunk)
        yield chunk
    if size != expected:
        raise StoreError("unavailable", f"{address}/{key}: {size} bytes came of {expected}")
