# SPDX-License-Identifier: Apache-2.0
"""What the rules of every language share: ways to say something, and where a token stands.

A way is a list of words; a list of ways has the likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, product

from msgspec import Struct, structs

Ways = list[list[str]]
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
    few = [part[:MOST] for part in parts]
    choices = sorted(product(*(range(len(part)) for part in few)), key=sum)
    ways = ([word for part, i in zip(few, choice, strict=True) for word in part[i]] for choice in choices)
    return unique(islice(ways, 4 * MOST))


def unique(ways: Iterable[Sequence[str]]) -> Ways:
    """Leave out what is there twice or has no words, and what is beyond the most."""
    return [list(way) for way in islice(dict.fromkeys(tuple(way) for way in ways if way), MOST)]
