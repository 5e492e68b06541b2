# SPDX-License-Identifier: Apache-2.0
"""Letters as phones, in any script: for languages that nobody has written a lexicon for.

What a reader takes for one character is a phone: a letter with its marks, a Thai consonant with the vowel above it.
Case is folded; digits, signs, Arabic's tatweel and what joins letters are left out, for they have no sound of their
own. Hangul is taken apart into the letters of its blocks: there are 11,000 blocks, and each is two or three sounds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.formats.lexicon import Pronunciation
from speechmill.text.characters import folded
from speechmill.text.characters import graphemes as clusters

VERSION = "1"
REQUIRES = ()
LANGUAGES = None

_SILENT = frozenset("\u0640\u200c\u200d")  # tatweel, and what parts or joins the shapes of letters
_HANGUL = range(0xAC00, 0xD7A4)  # blocks of Hangul


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What one phone is."""

    marks: bool = (
        False  # each combining mark a phone too: fewer phones where tones and vowels are marks, but more rules
    )


class Backend:
    """Says words as they are written."""

    def __init__(self, config: Config, context: Context) -> None:
        self._marks = config.marks

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return one pronunciation for each word, and none for a word without letters."""
        found = [tuple(self._letters(word)) for word in words]
        return [(Pronunciation(phones),) if phones else () for phones in found]

    def _letters(self, word: str) -> Iterator[str]:
        for cluster in clusters(folded(word)):
            kept = "".join(c for c in cluster if unicodedata.category(c)[0] in "LM" and c not in _SILENT)
            if not any(unicodedata.category(c)[0] == "L" for c in kept):
                continue
            if ord(kept[0]) in _HANGUL:
                yield from unicodedata.normalize("NFD", kept)
            elif self._marks:
                # A mark alone would be drawn on what stands before it: the dotted circle carries it.
                yield from (c if unicodedata.category(c)[0] == "L" else "\u25cc" + c for c in _apart(kept))
            else:
                yield kept


def _apart(cluster: str) -> str:
    return unicodedata.normalize("NFD", cluster)
