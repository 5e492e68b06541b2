# SPDX-License-Identifier: Apache-2.0
"""What strangers wrote, in a form that both databases take: PostgreSQL refuses NUL, neither takes half a surrogate."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T", bound=Struct)

MAX_NAME_BYTES = 400  # an entry of PostgreSQL's B-tree ends near 2,700 bytes, and two such names make one entry
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    r"""Replace what a database refuses by U+FFFD.

    >>> storable("a\x00b")
    'a�b'
    """
    return _UNSTORABLE.sub("\ufffd", text)


def storable_or_none(text: str | None) -> str | None:
    """As `storable`, where there is a text."""
    return None if text is None else storable(text)


def named(text: str) -> str:
    """Shorten a text that is looked up by index; one that is long ends in its SHA-256, so that it stays unique.

    >>> named("abc")
    'abc'
    >>> len(named("a" * 5000))
    165
    """
    text = storable(text)
    encoded = text.encode()
    if len(encoded) <= MAX_NAME_BYTES:
        return text
    return f"{text[:100]}~{hashlib.sha256(encoded).hexdigest()}"


def finite(number: float | None) -> float | None:
    """Leave out NaN and infinity, which a sum over them would spread."""
    return number if number is not None and math.isfinite(number) else None


def encode(struct: Struct) -> str:
    """Write a struct as JSON without unstorable text."""
    return msgspec.json.encode(_cleaned(msgspec.to_builtins(struct))).decode()


def decode(text: str, type: type[T]) -> T:
    """Read what `encode` wrote."""
    return msgspec.json.decode(text, type=type)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {key: _cleaned(item) for key, item in value.items()}
        case list() | tuple():
            return [_cleaned(item) for item in value]
        case float():
            return finite(value)
        case int() if abs(value) >= 1 << 63:
            return None  # no count is that large; JSON readers differ on it
        case _:
            return value
