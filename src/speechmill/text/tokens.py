# SPDX-License-Identifier: Apache-2.0
"""Text as tokens: what stands between blanks, without the punctuation around it, and where it stands.

A sign that belongs to a number stays with it ("$ 5" is one token), long dashes and ellipses part tokens, and scripts
without blanks are parted by a function that is handed in. Every letter and every digit of the text is in one token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from speechmill.text.characters import APOSTROPHES, DASHES

Split = Callable[[str], Sequence[str]]  # text -> its parts, which joined are the text

CURRENCIES = "$€£¥₫₹₩₽฿₺₴₦₱"
SIGNS = f"{CURRENCIES}%‰&@#+=°×÷±<>≈≤≥≠"  # what is read aloud where it stands alone
_BEFORE = f"{CURRENCIES}&@#+=±<>≈≤≥~"  # kept at a token's start, ...
_AFTER = f"{CURRENCIES}%‰&@+=#°"  # ... at its end
_MINUS = "-" + DASHES
_PARTED = re.compile(r"[—―…]+|--+|\.{2,}|(?<=[^\W\d_])[,;!?](?=[^\W\d_])")
_PIECE = re.compile(rf"[{re.escape(CURRENCIES)}]\s+(?=\d)\S+|\S+")
_INITIALS = re.compile(r"(?:[^\W\d_]\.){2,}")


class Token(Struct, frozen=True):
    """A word or number as written: `text[start:end]`."""

    symbol: str
    start: int
    end: int


def tokens(text: str, split: Split | None = None, dotted: frozenset[str] = frozenset()) -> list[Token]:
    """Split text into tokens. Punctuation and pictures are none; a sign that is read aloud is one.

    split: parts what has no blanks inside, for scripts without them.
    dotted: abbreviations in lower case without their dot; after these a dot belongs to the token.

    >>> [token.symbol for token in tokens("“Hello, world” — 50% off, i.e. $ 5!")]
    ['Hello', 'world', '50%', 'off', 'i.e.', '$ 5']
    """
    found = []
    for start, end in _pieces(text):
        for first, last in _parts(text, start, end, split):
            token = _stripped(text, first, last, dotted)
            if token is not None:
                found.append(token)
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    for piece in _PIECE.finditer(text):
        start = piece.start()
        for mark in (*_PARTED.finditer(piece[0]), None):
            end = piece.start() + mark.start() if mark else piece.end()
            if end > start:
                yield start, end
            start = piece.start() + mark.end() if mark else end


def _parts(text: str, start: int, end: int, split: Split | None) -> Iterator[tuple[int, int]]:
    if split is None:
        yield start, end
        return
    for part in split(text[start:end]):
        yield start, start + len(part)
        start += len(part)


def _stripped(text: str, start: int, end: int, dotted: frozenset[str]) -> Token | None:
    first, last = start, end
    while first < last and not _opens(text, first, last):
        first += 1
    while first < last and not _closes(text[last - 1]):
        last -= 1
    if not any(_is_word(character) or character in SIGNS for character in text[first:last]):
        return None
    if text[last:end].startswith(".") and _keeps_dot(text[first:last], dotted):
        last += 1
    return Token(text[first:last], first, last)


def _opens(text: str, first: int, last: int) -> bool:
    character, follower = text[first], text[first + 1 : first + 2]
    if _is_word(character) or (character in _BEFORE and (last - first == 1 or _follows(follower))):
        return True
    # -5, −$5, .5 and '90s
    begins = follower.isdecimal() or (follower != "" and follower in CURRENCIES and character in _MINUS)
    return begins and character in _MINUS + "." + APOSTROPHES + "'"


def _follows(character: str) -> bool:
    return _is_word(character) or character in SIGNS or character in _MINUS + "." or character.isspace()


def _closes(character: str) -> bool:
    return _is_word(character) or character in _AFTER or character in SIGNS


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _keeps_dot(symbol: str, dotted: frozenset[str]) -> bool:
    return symbol.casefold() in dotted or _INITIALS.fullmatch(symbol + ".") is not None
