# SPDX-License-Identifier: Apache-2.0
"""Vietnamese by rule, as it is said in Hanoi, Saigon or Hue.

A syllable's spelling says how it sounds: onset, glide, nucleus, coda and tone. Phones and tones are written as the
Montreal Forced Aligner's dictionaries do, in IPA with the tone's contour on the nucleus; their sources
stand in `_vietnamese_dialects`. Words of several syllables may be joined by blanks, hyphens or underscores.
A word that is no Vietnamese syllable (pizza, facebook) has no pronunciation here, unless a guess is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Literal

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.formats.lexicon import Pronunciation
from speechmill.g2p._vietnamese_dialects import DIALECTS, Dialect
from speechmill.g2p._vietnamese_loans import guessed
from speechmill.g2p._vietnamese_syllables import Syllable, parse

VERSION = "1"
REQUIRES = ()
LANGUAGES = frozenset({"vi"})

_BETWEEN = re.compile(r"[\s_-]+")
_UNHEARD = ("p̚", "t̚", "k̚")  # final stops without a release; MFA's dictionary has many words without them too


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose Vietnamese."""

    dialect: Literal["hanoi", "saigon", "hue"] = "hanoi"  # that of broadcasting and of most dictionaries
    variants: bool = True  # also forms of quick speech: no stop before a vowel, a final stop unheard, other onsets
    reduced: float = 0.5  # probability of such a form, relative to that of careful speech
    loans: bool = False  # guess how other words in Latin letters are said; off: they are named as missing


class Backend:
    """Says Vietnamese syllables."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._dialect = DIALECTS[config.dialect]

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return each word's pronunciations; none for what is no Vietnamese syllable."""
        return [self._pronounced(word) for word in words]

    def _pronounced(self, word: str) -> tuple[Pronunciation, ...]:
        syllables = [parse(part) for part in _BETWEEN.split(word.strip())]
        known = [syllable for syllable in syllables if syllable is not None]
        if len(known) < len(syllables):
            return self._loan(word)
        careful, *quick = dict.fromkeys(self._forms(known))
        if not quick:
            return (Pronunciation(careful),)
        return Pronunciation(careful, 1.0), *(Pronunciation(form, self._config.reduced) for form in quick)

    def _loan(self, word: str) -> tuple[Pronunciation, ...]:
        parts = [guessed(part) for part in _BETWEEN.split(word.strip())] if self._config.loans else []
        if not parts or not all(parts):
            return ()
        said = [syllable for part in parts for syllable in part]
        return (Pronunciation(tuple(phone for syllable in said for phone in self._dialect.phones(syllable))),)

    def _forms(self, syllables: Sequence[Syllable]) -> list[tuple[str, ...]]:
        """List what may be said, careful speech first; in a word of several syllables only that."""
        if len(syllables) > 1 or not self._config.variants:
            return [tuple(phone for syllable in syllables for phone in self._dialect.phones(syllable))]
        return list(_forms(self._dialect, syllables[0]))


def _forms(dialect: Dialect, syllable: Syllable) -> list[tuple[str, ...]]:
    found = []
    for phones in (dialect.phones(syllable), *dialect.others(syllable)):
        starts = [phones, phones[1:]] if phones[0] == "ʔ" else [phones]
        for start, unheard in product(starts, (False, True)):
            if not unheard:
                found.append(start)
            elif start[-1] in _UNHEARD:
                found.append(start[:-1])
    return found
