# SPDX-License-Identifier: Apache-2.0
"""Where an aligner's pronunciations come from: a lexicon's file, and rules or a trained G2P for what it lacks.

What is asked for is looked up or made when it is asked for, the same at every time: words that come later, in other
recordings, are said as if they had been there from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from speechmill.core.errors import ConfigError
from speechmill.core.files import sha256_file
from speechmill.formats.lexicon import Pronunciation
from speechmill.g2p import G2pBackend

Variants = tuple[Pronunciation, ...]
GRAPHEMES = "graphemes"
_BY_LANGUAGE = {"vi": "vi-hanoi"}


def default(language: str | None) -> str:
    """Name the lexicon of a language: rules where there are some that are known to be right, else its letters."""
    return _BY_LANGUAGE.get((language or "").lower().split("-")[0], GRAPHEMES)


def is_file(name: str) -> bool:
    """Tell a lexicon's file from a name: it has a suffix or a folder."""
    return "/" in name or "\\" in name or "." in name


def identity(name: str | None) -> str:
    """Return what a lexicon's content hangs on: a name, or a file's hash. Raises ConfigError."""
    if name is None or not is_file(name):
        return name or ""
    try:
        return sha256_file(Path(name))
    except OSError as error:
        raise ConfigError(f"lexicon {name} can't be read: {error.strerror}") from error


class Pronouncing(Mapping[str, Variants]):
    """A lexicon that grows: words of a file, then those that G2P says. Looked up as they stand, then in lower case.

    phones: those a model knows; a pronunciation with another one is none. None: all.
    """

    def __init__(
        self, given: Mapping[str, Variants], g2p: G2pBackend | None, phones: Iterable[str] | None = None
    ) -> None:
        self._given = given
        self._lower = {word.lower(): variants for word, variants in reversed(given.items())}
        self._g2p = g2p
        self._phones = None if phones is None else frozenset(phones)
        self._found: dict[str, Variants] = {}

    def variants(self, word: str) -> Variants:
        """Return a word's pronunciations; none where nobody can say it."""
        if word not in self._found:
            self._found[word] = self._sayable(self._look_up(word))
        return self._found[word]

    def is_given(self, word: str) -> bool:
        """Tell whether a word stands in the file, and not only G2P says it."""
        return word in self._given or word.lower() in self._lower

    def _look_up(self, word: str) -> Variants:
        known = self._given.get(word) or self._lower.get(word.lower())
        if known:
            return known
        return self._g2p.pronounce([word])[0] if self._g2p else ()

    def _sayable(self, found: Variants) -> Variants:
        if self._phones is None:
            return found
        return tuple(one for one in found if self._phones.issuperset(one.phones))

    def __getitem__(self, word: str) -> Variants:
        if variants := self.variants(word):
            return variants
        raise KeyError(word)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and bool(self.variants(word))

    def __iter__(self) -> Iterator[str]:
        return iter({**self._given, **{word: found for word, found in self._found.items() if found}})

    def __len__(self) -> int:
        return sum(1 for _word in self)
