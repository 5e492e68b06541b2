# SPDX-License-Identifier: Apache-2.0
"""Where words begin and end: one backend is one file.

Most scripts part words by blanks (`spaces`); Thai, Khmer, Lao, Burmese, Chinese and Japanese don't, and need a
dictionary. `choose` finds one that is installed.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from speechmill.core import registry
from speechmill.core.stage import Context
from speechmill.text.tokens import Split


class WordsBackend(Protocol):
    """Parts text into words, blanks and punctuation."""

    def split(self, text: str) -> list[str]:
        """Return the parts of a text in order, none of them empty; joined they are the text."""
        ...


class Chosen(Struct, frozen=True):
    """A segmenter for a language. `notice` says what is missing, where it is only a stopgap."""

    name: str
    split: Split
    notice: str | None = None


@functools.cache
def choose(language: str | None) -> Chosen:
    """Choose a language's segmenter: `spaces`, or of those that know the language the one that knows fewest others.

    Where a language needs one and none is installed, every character counts as a word, and the notice says so.
    """
    specialists = _specialists(_primary(language))
    if not specialists:
        return Chosen("spaces", _opened("spaces"))
    for name in specialists:
        if not registry.missing_packages(registry.load("words", name)):
            return Chosen(name, _opened(name))
    wanted = (requirement for name in specialists for requirement in registry.load("words", name).REQUIRES)
    notice = (
        f"no word segmenter for {language!r} is installed, so each character counts as a word. There are: "
        f"{', '.join(specialists)}. Install one: " + " or ".join(f"pip install '{one}'" for one in wanted)
    )
    return Chosen("graphemes", _opened("graphemes"), notice)


def identity() -> str:
    """Name the segmenters that are installed: what counts as a word depends on them, so fingerprints have this."""
    modules = {name: registry.load("words", name) for name in registry.names("words")}
    here = [(name, module) for name, module in modules.items() if not registry.missing_packages(module)]
    return ",".join(f"{name}-{module.VERSION}" for name, module in here)


def _primary(language: str | None) -> str:
    return (language or "").lower().split("-")[0]


def _specialists(language: str) -> list[str]:
    """List backends made for a language, those for the fewest languages first."""
    known = {name: getattr(registry.load("words", name), "LANGUAGES", None) for name in registry.names("words")}
    mine = [(len(languages), name) for name, languages in known.items() if languages and language in languages]
    return [name for _, name in sorted(mine)]


def _opened(name: str) -> Split:
    module = registry.require("words", name)
    split: Split = module.Backend(module.Config(), Context(Path(), Path)).split
    return split
