# SPDX-License-Identifier: Apache-2.0
"""How words are said: a lexicon's pronunciations with its probabilities, or those that training learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from speechmill.acoustic.graph import UNKNOWN, Variant
from speechmill.formats.lexicon import Lexicon, Pronunciation

_LEAST = 0.01  # no pronunciation and no pause is less likely than this


class Pronounced(Mapping[str, Sequence[Variant]]):
    """Variants of every word; one that the lexicon lacks is unknown speech.

    pause: log-probability of a pause after a word of which the lexicon says nothing.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        learnt: Mapping[str, Mapping[tuple[str, ...], Variant]] | None = None,
        pause: float = -0.7,
    ) -> None:
        self._lexicon = lexicon
        self._learnt = learnt or {}
        self._pause = pause
        self._known: dict[str, tuple[Variant, ...]] = {}

    def __getitem__(self, word: str) -> tuple[Variant, ...]:
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = self._find(word)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._lexicon.entries)

    def __len__(self) -> int:
        return len(self._lexicon.entries)

    def __contains__(self, word: object) -> bool:
        return word in self._lexicon.entries

    def _find(self, word: str) -> tuple[Variant, ...]:
        entries = self._lexicon.entries.get(word)
        if not entries:
            return (Variant((UNKNOWN,), 0.0, self._pause, _other(self._pause)),)
        learnt = self._learnt.get(word, {})
        best = max(entry.probability or 1.0 for entry in entries)
        # Lexica of other tools list a pronunciation once for each tag; the likeliest counts.
        variants: dict[tuple[str, ...], Variant] = {}
        for entry in entries:
            variant = learnt.get(entry.phones) or self._given(entry, best)
            known = variants.get(entry.phones)
            if known is None or variant.probability > known.probability:
                variants[entry.phones] = variant
        return tuple(variants.values())

    def _given(self, entry: Pronunciation, best: float) -> Variant:
        probability = 1.0 if entry.probability is None else entry.probability
        pause = (
            self._pause if entry.silence_after is None else math.log(min(max(entry.silence_after, _LEAST), 1 - _LEAST))
        )
        return Variant(entry.phones, math.log(max(probability / best, _LEAST)), pause, _other(pause))


def _other(log_probability: float) -> float:
    return math.log(max(1 - math.exp(log_probability), _LEAST))
