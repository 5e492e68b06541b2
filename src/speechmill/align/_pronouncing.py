# SPDX-License-Identifier: Apache-2.0
"""The words of an aligner: those of a lexicon's file, and those that rules or a trained G2P say, found when asked for.

A word that comes later, in another recording, is pronounced as if it had been there from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from speechmill import g2p
from speechmill.core.errors import ConfigError
from speechmill.core.files import digest, sha256_file
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.g2p.dictionary import Entries

Variants = tuple[Pronunciation, ...]
_BY_LANGUAGE = (
    "vi-hanoi-loans",
    "graphemes",
)  # what `g2p.default` may choose that is rules, which may change with a version
_ANY = "en"  # where a source must be told a language, and only its version is asked for


def is_file(name: str) -> bool:
    """Tell a lexicon's file from a name: it has a suffix or a folder."""
    return "/" in name or "\\" in name or "." in name


def identity(name: str | None) -> str:
    """Hash of all that pronunciations hang on: a file's content, or the rules' version. Raises ConfigError."""
    if name is None:
        return digest(*(g2p.resolve(one).digest for one in _BY_LANGUAGE))
    if not is_file(name):
        return g2p.resolve(name, language=_ANY).digest
    try:
        return sha256_file(Path(name))
    except OSError as error:
        raise ConfigError(f"lexicon {name} can't be read: {error.strerror}") from error


class Pronouncing(Mapping[str, Variants]):
    """A lexicon that grows as it is asked.

    given: of a file, or None. source: says what that lacks, or None. guess: says what a source without a file lacks.
    phones: those that a model knows; a pronunciation with another one is none. None: all.
    """

    def __init__(
        self,
        given: Lexicon | None,
        source: g2p.G2pBackend | None,
        phones: Iterable[str] | None = None,
        guess: g2p.G2pBackend | None = None,
    ) -> None:
        self._given = Entries(given) if given else None
        self._source = source
        self._guess = guess
        self._phones = None if phones is None else frozenset(phones)
        self._found: dict[str, Variants] = {}

    def variants(self, word: str) -> Variants:
        """Return a word's pronunciations; none where nobody can say it."""
        if word not in self._found:
            self._found[word] = self._sayable(self._look_up(word))
        return self._found[word]

    def is_guessed(self, word: str) -> bool:
        """Tell whether a word is in no file and said by no rule that was named."""
        return not self._known(word)

    def _known(self, word: str) -> Variants:
        if self._given is not None:
            return self._given.variants(word)
        return self._source.pronounce([word])[0] if self._source else ()

    def _look_up(self, word: str) -> Variants:
        known = self._known(word)
        guess = self._guess if self._given is None else self._source
        if known or guess is None:
            return known
        return guess.pronounce([word])[0]

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
        """Iterate over the words that were asked for and found."""
        return (word for word, variants in list(self._found.items()) if variants)

    def __len__(self) -> int:
        return sum(1 for _word in self)
