# SPDX-License-Identifier: Apache-2.0
"""What objects are called, and what a key must never be."""

from __future__ import annotations

import re

from msgspec import Struct

from speechmill.core.errors import BlobError
from speechmill.core.files import TEMPORARY

MAX_BYTES = 1024  # of a key, in S3
_CONTENT_HASH = re.compile(r"(?:^|/)(?:originals|captions)/([0-9a-f]{2})/(\1[0-9a-f]{62})\.[^/]*$")


class Blob(Struct, frozen=True):
    """An object as a listing shows it."""

    key: str
    size: int
    modified: float  # seconds since 1970
    etag: str | None = None


def original_key(sha256: str, extension: str) -> str:
    """Name an original by its content.

    >>> original_key("abcd" * 16, "m4a")[:14]
    'originals/ab/a'
    """
    return f"originals/{sha256[:2]}/{sha256}.{extension}"


def caption_key(sha256: str) -> str:
    """Name captions by their content."""
    return f"captions/{sha256[:2]}/{sha256}.vtt"


def check_key(key: str) -> str:
    r"""Return a key that can't lead out of its store. Raises BlobError.

    >>> check_key("originals/../../etc/passwd")
    Traceback (most recent call last):
    speechmill.core.errors.BlobError: 'originals/../../etc/passwd' is no key: '..' in it
    """
    parts = key.split("/")
    if not key or "" in parts:
        wrong: str | None = "an empty part"
    elif "." in parts or ".." in parts:
        wrong = repr(".." if ".." in parts else ".")
    elif "\\" in key or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in key):
        wrong = "a backslash or control character"
    elif len(key.encode(errors="surrogatepass")) > MAX_BYTES or any("\ud800" <= letter <= "\udfff" for letter in key):
        wrong = f"more than {MAX_BYTES} bytes of UTF-8, or none that is valid,"
    else:
        return key
    raise BlobError(f"{key[:200]!r} is no key: {wrong} in it", permanent=True)


def content_hash(name: str) -> str | None:
    """Return the SHA-256 that an object of ours promises to have; None for names that only look like a hash.

    name: a key, or a whole address.
    """
    found = _CONTENT_HASH.search(name)
    return found.group(2) if found else None


def is_unfinished(key: str) -> bool:
    """Tell whether a name is one that objects have only while they are written."""
    return key.rpartition("/")[2].startswith(TEMPORARY)
