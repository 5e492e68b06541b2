# SPDX-License-Identifier: Apache-2.0
"""How words are pronounced: one backend is one file. A family below the aligners, for all of them need a lexicon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechmill.formats.lexicon import Pronunciation
from speechmill.g2p._lexica import Extended, LexiconSource, Oov, counted, default, extend, guessing, names, oov, resolve

__all__ = [
    "Extended",
    "G2pBackend",
    "LexiconSource",
    "Oov",
    "counted",
    "default",
    "extend",
    "guessing",
    "names",
    "oov",
    "resolve",
]


class G2pBackend(Protocol):
    """Predicts pronunciations from spelling."""

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return each word's pronunciations, likeliest first; none for a word it can't pronounce.

        words: as a lexicon spells them: NFC, lower case, no digits or signs. Never raises for a word.
        """
        ...
