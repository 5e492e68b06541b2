# SPDX-License-Identifier: Apache-2.0
"""Text as it is said, each spoken word pointing back to the token it comes from.

`spoken` gives every token the ways it may be said, so that "$43,000", one token and four words, can be found in audio;
`fold` brings the words' times back onto the tokens. There are rules for English and Vietnamese. In other languages a
token of letters is said as it stands, and one with a digit or a sign has no way to be said: it is in `unspoken`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from msgspec import Struct

from speechmill.core.timebase import tick
from speechmill.core.types import Word
from speechmill.text import english, vietnamese
from speechmill.text._ways import Place, Ways
from speechmill.text.characters import folded, letters, plain
from speechmill.text.tokens import Split, Token, tokens

Way = tuple[str, ...]
_RULES: dict[str, tuple[Callable[[Place], Ways], frozenset[str]]] = {
    "en": (english.readings, english.DOTTED),
    "vi": (vietnamese.readings, vietnamese.DOTTED),
}


class SpokenWord(Struct, frozen=True):
    """A word as it is said, in lower case, and the index of its token."""

    word: str
    token: int


class Spoken(Struct, frozen=True):
    """A text's tokens, in order, and how each may be said: the likeliest way first, no way where there is no rule."""

    text: str
    tokens: tuple[Token, ...]
    ways: tuple[tuple[Way, ...], ...]  # one entry a token

    @property
    def words(self) -> tuple[SpokenWord, ...]:
        """The words of each token's likeliest way, in order."""
        return tuple(SpokenWord(word, i) for i, ways in enumerate(self.ways) for word in (ways[0] if ways else ()))

    @property
    def unspoken(self) -> tuple[int, ...]:
        """Indices of the tokens that no rule can say."""
        return tuple(i for i, ways in enumerate(self.ways) if not ways)


def spoken(text: str, language: str | None = None, split: Split | None = None) -> Spoken:
    """Say a text, as far as there are rules for its language (en, vi, en-GB ...).

    split: parts text without blanks into words, whose concatenation is the text again.

    >>> said = spoken("It cost $43,000.", "en")
    >>> [(one.word, said.tokens[one.token].symbol) for one in said.words][2:]
    [('forty', '$43,000'), ('three', '$43,000'), ('thousand', '$43,000'), ('dollars', '$43,000')]
    """
    say, dotted = _RULES.get(_primary(language), (_as_it_stands, frozenset()))
    found = tokens(text, split, dotted)
    symbols = tuple(plain(token.symbol) for token in found)
    shouted = not any(character.islower() for character in text)
    places = (Place(symbols, i, (language or "").lower(), shouted) for i in range(len(found)))
    ways = tuple(tuple(tuple(way) for way in say(place)) for place in places)
    return Spoken(text, tuple(found), ways)


def _primary(language: str | None) -> str:
    return (language or "").lower().split("-")[0]


def _as_it_stands(place: Place) -> Ways:
    """Read letters as they stand; a number or a sign has no reading here."""
    if any(character.isnumeric() for character in place.symbol):
        return []
    words = letters(folded(place.symbol, place.language))
    return [words] if words else []


def fold(said: Spoken, words: Sequence[Word], duration: float, chosen: Sequence[int] | None = None) -> tuple[Word, ...]:
    """Bring the times of spoken words back onto the tokens: one word a token, in order, named as written.

    words: the timed words of every spoken token's way, in order. duration: of the audio, in seconds.
    chosen: which way each token was said; None: the first. A token lasts from its first word to its last, and its
    score is the mean of theirs, weighed by duration. A token that can't be said gets what its neighbours leave
    between them, and the score 0: nothing was heard of it.
    """
    counts = [len(ways[chosen[i] if chosen else 0]) if ways else 0 for i, ways in enumerate(said.ways)]
    if sum(counts) != len(words):
        raise ValueError(f"{len(words)} timed words for {sum(counts)} spoken ones of {said.text[:60]!r}")
    parts, begin = [], 0
    for count in counts:
        parts.append(words[begin : begin + count])
        begin += count
    made: list[Word] = []
    indices = range(len(parts))
    for heard, run in groupby(indices, key=lambda i: bool(parts[i])):
        group = list(run)
        if heard:
            made += [_whole(said.tokens[i].symbol, parts[i]) for i in group]
            continue
        after = group[-1] + 1
        start, end = (made[-1].end if made else 0.0), (parts[after][0].start if after < len(parts) else duration)
        made += _shared([said.tokens[i].symbol for i in group], start, max(start, end))
    return tuple(made)


def _whole(symbol: str, parts: Sequence[Word]) -> Word:
    start, end = parts[0].start, parts[-1].end
    scored = [(part.score, max(part.duration, 1e-4)) for part in parts if part.score is not None]
    total = sum(weight for _, weight in scored)
    score = round(sum(score * weight for score, weight in scored) / total, 4) if scored else None
    return Word(symbol, start, tick(end - start), score)


def _shared(symbols: Sequence[str], start: float, end: float) -> list[Word]:
    """Share a stretch among tokens by their length in characters."""
    total = sum(map(len, symbols))
    edges = [tick(start + (end - start) * sum(map(len, symbols[:i])) / total) for i in range(len(symbols) + 1)]
    return [Word(symbol, edges[i], tick(edges[i + 1] - edges[i]), 0.0) for i, symbol in enumerate(symbols)]
