# SPDX-License-Identifier: Apache-2.0
"""Pronunciations from a file: a dictionary of CMU's, or of the Montreal Forced Aligner's with its probabilities.

A word is looked up as it stands, then composed and with plain apostrophes, then in lower case, whatever case the file
is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.core import files
from speechmill.core.errors import ConfigError
from speechmill.core.stage import Context
from speechmill.formats import lexicon
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.text.characters import folded, plain

VERSION = "1"
REQUIRES = ()
LANGUAGES = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which file."""

    path: str  # as MFA and CMUdict write them: word, perhaps numbers, phones


def rebase(config: Config, base: Path) -> Config:
    """Return the options with the path starting at a folder."""
    return msgspec.structs.replace(config, path=str(base / Path(config.path).expanduser()))


def model_digest(config: Config) -> str:
    """Identify the file by its content."""
    return files.sha256_file(_existing(config.path))


def _existing(path: str) -> Path:
    if not Path(path).is_file():
        raise ConfigError(f"no lexicon {path}. Make one with: speechmill lexicon make TEXT --from graphemes -o {path}")
    return Path(path)


def spellings(word: str) -> Iterator[str]:
    """Yield the spellings that a word may stand under, the nearest first."""
    yield word
    yield plain(word)
    yield folded(plain(word))


class Entries:
    """A lexicon in which words are found whatever their case, composition and apostrophes."""

    def __init__(self, given: Lexicon) -> None:
        self._entries: Mapping[str, tuple[Pronunciation, ...]] = given.entries
        self._folded: dict[str, tuple[Pronunciation, ...]] = {}
        for word, variants in given.entries.items():
            self._folded.setdefault(folded(plain(word)), variants)

    def variants(self, word: str) -> tuple[Pronunciation, ...]:
        """Return a word's pronunciations; none where it isn't there."""
        for spelling in spellings(word):
            if spelling in self._entries:
                return self._entries[spelling]
        return self._folded.get(folded(plain(word)), ())


class Backend:
    """Looks words up."""

    def __init__(self, config: Config, context: Context) -> None:
        self._entries = Entries(lexicon.read(_existing(config.path)))

    def pronounce(self, words: Sequence[str]) -> list[tuple[Pronunciation, ...]]:
        """Return each word's pronunciations as the file lists them; none for a word it lacks."""
        return [self._entries.variants(word) for word in words]
