# SPDX-License-Identifier: Apache-2.0
"""What the rules of every language share: ways to say something, and where a token stands.

A way is a list of words; a list of ways has the likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from msgspec import Struct, structs

Ways = list[list[str]]
LONGEST = 100  # characters of a token that rules are tried on: what is longer is no number and no name
MOST = 12  # ways of one token: an aligner tries them all


class Place(Struct, frozen=True):
    """A token, spelled plainly, among its neighbours."""

    symbols: tuple[str, ...]
    index: int
    language: str
    shouted: bool  # the text is all in capitals, so that they mean nothing

    @property
    def symbol(self) -> str:
        return self.symbols[self.index]

    def neighbour(self, steps: int) -> str:
        """The symbol so many tokens later (before, where negative), or "" where there is none."""
        there = self.index + steps
        return self.symbols[there] if 0 <= there < len(self.symbols) else ""


Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Place], Ways]]


def first_match(rules: Sequence[Rule], place: Place) -> Ways:
    """Return what the first rule that fits the whole symbol, and has something to say of it, makes of it."""
    if len(place.symbol) > LONGEST:
        return []
    for pattern, say in rules:
        match = pattern.fullmatch(place.symbol)
        if match and (ways := say(match, place)):
            return unique(ways)
    return []


def at(place: Place, symbol: str) -> Place:
    """Put another symbol, such as half of it, in a token's place."""
    symbols = (*place.symbols[: place.index], symbol, *place.symbols[place.index + 1 :])
    return structs.replace(place, symbols=symbols)


def listed(words: str) -> list[str]:
    """Part a line of a table at its blanks."""
    return words.split()


def chain(*parts: Ways) -> Ways:
    """Say one thing after another, in every combination; those of likely parts first.

    >>> chain([["ten"], ["one", "zero"]], [["to"]], [["twenty"]])
    [['ten', 'to', 'twenty'], ['one', 'zero', 'to', 'twenty']]
    """
    most = MOST if len(parts) <= 8 else 1  # so long a chain is an address or noise: one way is enough
    ranked: list[tuple[int, list[str]]] = [(0, [])]
    for part in parts:
        both = [(rank + i, [*way, *more]) for rank, way in ranked for i, more in enumerate(part[:most])]
        ranked = sorted(both, key=lambda one: one[0])[: 4 * MOST]  # every combination would be too many
    return unique(way for _, way in ranked)


def unique(ways: Iterable[Sequence[str]]) -> Ways:
    """Leave out what is there twice or has no words, and what is beyond the most."""
    return [list(way) for way in islice(dict.fromkeys(tuple(way) for way in ways if way), MOST)]
