# SPDX-License-Identifier: Apache-2.0
"""Syllables of words whose phones are timed: each vowel with the consonants before it that may begin a word.

The maximal onset principle (Kahn 1976), with the word onsets of a lexicon as those that a language allows. Phones are
IPA, ARPAbet or letters; what is a vowel follows from their first letter. Syllabic consonants are not known.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from itertools import pairwise

from msgspec import Struct

from speechmill.core.timebase import tick
from speechmill.core.types import Word
from speechmill.formats.lexicon import Lexicon

_IPA_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɛɜɝɚɞɤɨɪɯɵɶʉʊʌʏɿʅᵻᵿ")


class Syllabifier(Struct, frozen=True):
    """Parts phones into syllables. `onsets`: of the words of a lexicon; the empty one is always among them."""

    onsets: frozenset[tuple[str, ...]]

    def __call__(self, phones: Sequence[Word]) -> list[Word]:
        """Return a word's syllables, named by their phones joined with dots; none of a word without a vowel."""
        starts = _starts([phone.symbol for phone in phones], self.onsets)
        return [_joined(phones[start:end]) for start, end in pairwise([*starts, len(phones)])]


def syllabifier(lexicon: Lexicon) -> Syllabifier:
    """Learn which consonants may begin a syllable from those that begin words."""
    onsets: set[tuple[str, ...]] = {()}
    for variants in lexicon.entries.values():
        for variant in variants:
            nucleus = next((i for i, phone in enumerate(variant.phones) if is_vowel(phone)), None)
            if nucleus is not None:
                onsets.add(variant.phones[:nucleus])
    return Syllabifier(frozenset(onsets))


def is_vowel(phone: str) -> bool:
    """Tell whether a phone is a vowel.

    >>> [is_vowel(phone) for phone in ("AH0", "ɛ̃ː", "t͡ʃ", "ạ")]
    [True, True, False, True]
    """
    first = next((c for c in unicodedata.normalize("NFD", phone) if unicodedata.category(c)[0] == "L"), "")
    return first.lower() in _IPA_VOWELS if first else False


def _starts(symbols: Sequence[str], onsets: Collection[tuple[str, ...]]) -> list[int]:
    """Return where syllables start; vowels side by side are one each."""
    nuclei = [i for i, symbol in enumerate(symbols) if is_vowel(symbol)]
    starts = [0] if nuclei else []
    for before, nucleus in pairwise(nuclei):
        between = range(before + 1, nucleus + 1)
        starts.append(next(i for i in between if tuple(symbols[i:nucleus]) in onsets or i == nucleus))
    return starts


def _joined(phones: Sequence[Word]) -> Word:
    start = phones[0].start
    return Word(".".join(phone.symbol for phone in phones), start, tick(phones[-1].end - start))
