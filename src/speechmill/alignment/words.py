# SPDX-License-Identifier: Apache-2.0
"""Text to words that a lexicon has: each token as it stands there, or else as it is said.

A token is looked up as written first (a lexicon may have "wacex000x000" or "<noise>"), then without punctuation, then
in lower and upper case, and then by the rules that say it ("43" is "forty three"). What is found nowhere is OOV.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from speechmill.acoustic.types import Way, Ways
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.text.characters import composed, folded, letters, plain, tones_placed
from speechmill.text.spoken import Spoken, spoken
from speechmill.text.tokens import Split, Token
from speechmill.words import choose

# <noise>, [laughter], {breath}: marks that transcribers set for what is heard but is no word.
_MARK = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]|\{[^\s{}]+\}")
_UNPARTED = {"THAI": "th", "LAO": "lo", "KHMER": "km", "MYANMAR": "my", "CJK": "zh", "HIRAGANA": "ja"}


class Worded(Struct, frozen=True):
    """A text's tokens with the ways each may be said, in words as the lexicon spells them."""

    said: Spoken
    oov: tuple[str, ...]  # words that no lexicon has, one for each time they are said
    known: int  # tokens of which at least one way is in the lexicon

    @property
    def ways(self) -> Ways:
        return self.said.ways

    @property
    def unspoken(self) -> tuple[str, ...]:
        """Tokens that no rule can say, such as a number in a language without rules."""
        return tuple(self.said.tokens[i].symbol for i in self.said.unspoken)


class Wording:
    """Looks texts up in a lexicon."""

    def __init__(self, lexicon: Lexicon, language: str | None = None) -> None:
        self._entries = lexicon.entries
        self._language = language
        self._splits: dict[str | None, Split] = {}
        self.notices: set[str] = set()  # what is missing to part text into words well

    def __call__(self, text: str) -> Worded:
        """Return the words of a text; a token without letters that nobody can say has no way."""
        said = spoken(text, self._language, self._split(text))
        tokens, rules = _with_pieces(text, said, self._entries)
        ways = tuple(self._ways(token.symbol, known) for token, known in zip(tokens, rules, strict=True))
        oov = tuple(word for one in ways for word in _missing(one, self._entries))
        known = sum(any(all(word in self._entries for word in way) for way in one) for one in ways)
        return Worded(Spoken(text, tokens, ways), oov, known)

    def _split(self, text: str) -> Split | None:
        language = self._language or script_language(text)
        if language not in self._splits:
            chosen = choose(language)
            self._splits[language] = chosen.split
            if chosen.notice:
                self.notices.add(chosen.notice)
        return self._splits[language]

    def _ways(self, symbol: str, rules: Iterable[Way]) -> tuple[Way, ...]:
        for spelling in self._spellings(symbol):
            if spelling in self._entries:
                return ((spelling,),)
        if _MARK.fullmatch(symbol):
            return ((symbol,),)
        ways = [tuple(self._found(word) for word in way) for way in rules]
        inside = [way for way in ways if not _missing((way,), self._entries)]
        if inside or ways:
            return tuple(inside or ways[:1])
        rest = [] if any(map(str.isnumeric, symbol)) else letters(folded(plain(symbol), self._language))
        return (tuple(self._found(word) for word in rest),) if rest else ()

    def _found(self, word: str) -> str:
        return next((spelling for spelling in self._spellings(word) if spelling in self._entries), word)

    def _spellings(self, symbol: str) -> Iterator[str]:
        yield symbol
        small = folded(plain(symbol), self._language)
        yield from (composed(symbol), plain(symbol), small, small.upper())
        if self._is_vietnamese:
            older = tones_placed(small)
            yield older
            yield self._newer.get(older, older)

    @property
    def _is_vietnamese(self) -> bool:
        return (self._language or "").split("-")[0] == "vi"

    @cached_property
    def _newer(self) -> Mapping[str, str]:
        """Words that the lexicon writes with tones the newer way, by the older one."""
        return {older: word for word in self._entries if (older := tones_placed(word)) != word}


def script_language(text: str) -> str | None:
    """Return a language that needs a dictionary to find words, where a text's first letter is in its script.

    >>> script_language("สวัสดี"), script_language("ẹ kọ́")
    ('th', None)
    """
    first = next((character for character in text if character.isalpha()), "")
    return _UNPARTED.get(script(first)) if first and not first.isascii() else None


def script(character: str) -> str:
    """Return the script of a letter as the first word of its Unicode name: LATIN, CYRILLIC, THAI."""
    import unicodedata

    return unicodedata.name(character, "UNKNOWN").split()[0].split("-")[0]


def expanded(lexicon: Lexicon, predicted: Mapping[str, tuple[Pronunciation, ...]]) -> Lexicon:
    """Return a lexicon with further words, where something was predicted for them."""
    more = {word: found for word, found in predicted.items() if found and word not in lexicon.entries}
    return Lexicon({**lexicon.entries, **more})


def is_mark(word: str) -> bool:
    """Tell whether a word is a transcriber's mark, such as <noise>: not said, and no gap in a lexicon."""
    return _MARK.fullmatch(word) is not None


def _missing(ways: Iterable[Way], entries: Mapping[str, object]) -> tuple[str, ...]:
    """Return the words of the first way that no lexicon has; none where another way is there whole."""
    ways = tuple(ways)
    if not ways or any(all(word in entries for word in way) for way in ways):
        return ()
    return tuple(word for word in ways[0] if word not in entries)


def _with_pieces(
    text: str, said: Spoken, entries: Mapping[str, object]
) -> tuple[tuple[Token, ...], tuple[tuple[Way, ...], ...]]:
    """Put what stands between blanks in the place of its tokens, where the lexicon has it so, or it is a mark."""
    found = [piece for piece in re.finditer(r"\S+", text) if _stands(piece[0], entries)]
    if not found:
        return said.tokens, said.ways
    kept = [
        (token, ways)
        for token, ways in zip(said.tokens, said.ways, strict=True)
        if not any(token.start < piece.end() and piece.start() < token.end for piece in found)
    ]
    kept += [(Token(piece[0], piece.start(), piece.end()), ()) for piece in found]
    kept.sort(key=lambda one: one[0].start)
    return tuple(token for token, _ in kept), tuple(ways for _, ways in kept)


def _stands(piece: str, entries: Mapping[str, object]) -> bool:
    return _MARK.fullmatch(piece) is not None or (not piece.isalpha() and composed(piece) in entries)
