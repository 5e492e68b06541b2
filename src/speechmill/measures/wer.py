# SPDX-License-Identifier: Apache-2.0
"""Word and character error rate, by Levenshtein alignment of token lists.

Follows NIST sclite's definition: WER = (S + D + I) / N, with N reference words. sclite weighs a
substitution 4 and a gap 3, this weighs all 1, so that the rate is the lowest there is; how the
errors divide among the three kinds may differ. The measures compare tokens as they are given;
`tokens` makes them of text. Characters are grapheme clusters: Yoruba's ẹ́ is one, though no single
code point is.

The alignment is the bit-parallel one of Hyyrö, "A Bit-Vector Algorithm for Computing Levenshtein
and Damerau Edit Distances" (2003), on Python's long integers: a column of the matrix is one number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from speechmill.text.characters import composed, folded, graphemes, plain, tones_placed
from speechmill.text.spoken import spoken
from speechmill.text.tokens import Split

_CHECKPOINT = 256  # columns between two that are kept: memory falls from n to n/256 + 256 columns
_PARTING = dict.fromkeys(map(ord, "–—―"), " ")  # dashes that stand between words
_INNER = "'-"  # kept inside a word: "don't", "well-known"

Pair = tuple[int | None, int | None]


class Wer(Struct, frozen=True):
    """Errors of a hypothesis. `words` counts the reference's tokens; `rate` may exceed 1."""

    substitutions: int
    deletions: int
    insertions: int
    words: int
    rate: float


def tokens(text: str, language: str | None = None, *, numbers: bool = False, split: Split | None = None) -> list[str]:
    """Split text for scoring: NFC, case folded, no punctuation but inner apostrophes and hyphens.

    Everything else that is no letter, mark or digit separates: "1,000" becomes two tokens. Digits of any script are
    ASCII, and the tones of Vietnamese are placed one way.
    numbers: numbers, signs and abbreviations are spoken words where the language has rules for them, so that "5%"
    and "five percent" are the same; hyphens then part words.
    split: parts text without blanks into words (see `speechmill.words`).

    >>> tokens("“Don’t,” she said—'well-known'.")
    ["don't", 'she', 'said', 'well-known']
    >>> tokens("$5.50", "en", numbers=True)
    ['five', 'dollars', 'and', 'fifty', 'cents']
    """
    if numbers:
        said = spoken(text, language, split)
        ways = zip(said.tokens, said.ways, strict=True)
        return [word for token, way in ways for word in (way[0] if way else tokens(token.symbol, language))]
    parts = split(text) if split else (text,)
    return [word for part in parts for word in _words(part, language)]


def _words(text: str, language: str | None) -> list[str]:
    kept = "".join(_plain(character) for character in folded(plain(text.translate(_PARTING)), language))
    if (language or "").lower().split("-")[0] == "vi":
        kept = tones_placed(kept)
    return [word for word in (part.strip(_INNER) for part in kept.split()) if word]


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LMN" or character in _INNER:
        return character
    return "" if category == "Cf" else " "  # soft hyphens and joiners hold a word together


def wer(reference: Sequence[str], hypothesis: Sequence[str]) -> Wer:
    """Count the word errors of a hypothesis.

    Without reference words the rate is the number of insertions: finite, and 0 only where nothing was said.
    """
    substitutions = deletions = insertions = 0
    for i, j in align_tokens(reference, hypothesis):
        if j is None:
            deletions += 1
        elif i is None:
            insertions += 1
        elif reference[i] != hypothesis[j]:
            substitutions += 1
    errors = substitutions + deletions + insertions
    return Wer(substitutions, deletions, insertions, len(reference), errors / max(1, len(reference)))


def cer(reference: str, hypothesis: str) -> Wer:
    """Count the character errors of a hypothesis; `words` are then characters: grapheme clusters, in NFC.

    A run of white space counts as one character.

    >>> cer("ẹ́kọ́", "ẹkọ́").words
    3
    """
    return wer(*(graphemes(" ".join(composed(text).split())) for text in (reference, hypothesis)))


def align_tokens(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[Pair]:
    """Pair the tokens of two sequences at the lowest edit cost.

    Returns (reference index, hypothesis index) in order; None on the right is a deletion, None on
    the left an insertion. Time grows with the product of the lengths over the word size: 10,000
    tokens against 10,000 take a fraction of a second.
    """
    prefix, suffix = _common_ends(reference, hypothesis)
    inner = _align(reference[prefix : len(reference) - suffix], hypothesis[prefix : len(hypothesis) - suffix])
    moved = [(None if i is None else i + prefix, None if j is None else j + prefix) for i, j in inner]
    ends = [(len(reference) - k, len(hypothesis) - k) for k in range(suffix, 0, -1)]
    return [(i, i) for i in range(prefix)] + moved + ends


def _common_ends(first: Sequence[Hashable], second: Sequence[Hashable]) -> tuple[int, int]:
    shorter = min(len(first), len(second))
    prefix = 0
    while prefix < shorter and first[prefix] == second[prefix]:
        prefix += 1
    suffix = 0
    while suffix < shorter - prefix and first[-1 - suffix] == second[-1 - suffix]:
        suffix += 1
    return prefix, suffix


def _align(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[Pair]:
    columns = _Columns(reference, hypothesis)
    pairs: list[Pair] = []
    i, j = len(reference), len(hypothesis)
    while i and j:
        rises, _ = columns.at(j)
        _, falls = columns.at(j - 1)
        if rises >> (i - 1) & 1:
            i -= 1
            pairs.append((i, None))
        elif falls >> (i - 1) & 1:
            j -= 1
            pairs.append((None, j))
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    pairs += [(row, None) for row in reversed(range(i))]
    pairs += [(None, column) for column in reversed(range(j))]
    return pairs[::-1]


class _Columns:
    """Columns of the distance matrix as differences down the reference: bit i of `rises` is +1, of `falls` -1.

    Every 256th column is kept, the stretch asked for is computed again: traceback in little memory.
    """

    def __init__(self, reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> None:
        self._hypothesis = hypothesis
        self._all = (1 << len(reference)) - 1
        self._places: dict[Hashable, int] = {}
        for i, token in enumerate(reference):
            self._places[token] = self._places.get(token, 0) | 1 << i
        self._kept = [column for j, column in enumerate(self._run((self._all, 0), 0)) if j % _CHECKPOINT == 0]
        self._stretch: list[tuple[int, int]] = []
        self._first = -1

    def at(self, j: int) -> tuple[int, int]:
        """Return column j as (rises, falls)."""
        first = j // _CHECKPOINT
        # A step of the traceback asks for j and then j - 1: one column more than the stretch covers saves
        # computing two stretches in turn while it stands at their border.
        if self._first != first and not (self._first == first - 1 and j == first * _CHECKPOINT):
            self._stretch = list(islice(self._run(self._kept[first], first * _CHECKPOINT), _CHECKPOINT + 1))
            self._first = first
        return self._stretch[j - self._first * _CHECKPOINT]

    def _run(self, column: tuple[int, int], j: int) -> Iterator[tuple[int, int]]:
        rises, falls = column
        yield column
        for token in self._hypothesis[j:]:
            match = self._places.get(token, 0)
            diagonal = (((match & rises) + rises) ^ rises) | match | falls
            up = (falls | ~(diagonal | rises)) & self._all
            down = diagonal & rises
            up, down = (up << 1 | 1) & self._all, (down << 1) & self._all
            rises, falls = (down | ~(diagonal | up)) & self._all, up & diagonal
            yield rises, falls
