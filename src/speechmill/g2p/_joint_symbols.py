# SPDX-License-Identifier: Apache-2.0
"""Words and pronunciations as the symbols that a joint model learns on, and back.

Where marks of tone or stress stand on many letters, and contours on many phones, each letter with each mark would be a
symbol of its own, and most too rare to learn. So marks and contours may be symbols apart, where they stand, or at the
end of the word. Which of these layouts fits a lexicon is found by trying (`joint.train`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct

from speechmill.text.characters import graphemes

Kind = Literal["plain", "marks", "marks-last"]
BEGIN, END = "^", "#"  # stand for what is said though nothing is written, such as a glottal stop or a level tone
_MIN_BASES = 5  # a mark on fewer letters belongs to them, as in ç and ñ
_CONTOUR = re.compile(r"(?<=.)([˥˦˧˨˩][˥˦˧˨˩ˀ]*|\d)$")  # IPA's tone letters; the digits of ARPAbet and pinyin
_CONTOUR_ALONE = re.compile(r"[˥˦˧˨˩][˥˦˧˨˩ˀ]*|\d")


class Layout(Struct, frozen=True):
    """How symbols are made of words and phones."""

    kind: Kind
    marks: str = ""  # the combining marks that are symbols of their own

    def letters(self, word: str) -> list[str]:
        """Return a word's symbols, between those for its beginning and its end."""
        found: list[str] = [BEGIN]
        last: list[str] = []
        for cluster in graphemes(unicodedata.normalize("NFC", word)):
            apart = unicodedata.normalize("NFD", cluster)
            marks = [mark for mark in apart if mark in self.marks]
            found.append(unicodedata.normalize("NFC", "".join(c for c in apart if c not in self.marks)))
            (last if self.kind == "marks-last" else found).extend(marks)
        return [*found, *last, END]

    def phones(self, phones: Iterable[str]) -> list[str]:
        """Return the symbols of a pronunciation."""
        if self.kind == "plain":
            return list(phones)
        found: list[str] = []
        last: list[str] = []
        for phone in phones:
            match = _CONTOUR.search(phone)
            found.append(phone[: match.start()] if match else phone)
            (last if self.kind == "marks-last" else found).extend([match[0]] if match else [])
        return found + last

    def joined(self, symbols: Sequence[str], vowels: Collection[str]) -> tuple[str, ...] | None:
        """Return the phones of symbols; None where a contour has nothing to stand on.

        A contour at the word's end belongs to the last of `vowels`.
        """
        if self.kind == "plain":
            return tuple(symbols)
        phones: list[str] = []
        for symbol in symbols:
            if not _CONTOUR_ALONE.fullmatch(symbol):
                phones.append(symbol)
                continue
            places = [len(phones) - 1] if self.kind == "marks" else [i for i, p in enumerate(phones) if p in vowels]
            if not places or not phones or _CONTOUR.search(phones[places[-1]]):
                return None
            phones[places[-1]] += symbol
        return tuple(phones)


def layouts(words: Iterable[str]) -> list[Layout]:
    """List the layouts that may fit: the plain one, and where marks stand on many letters two more."""
    bases: dict[str, set[str]] = defaultdict(set)
    for word in words:
        for cluster in graphemes(unicodedata.normalize("NFC", word)):
            apart = unicodedata.normalize("NFD", cluster)
            for mark in apart[1:]:
                bases[mark].add(apart[0])
    found = "".join(sorted(mark for mark, letters in bases.items() if len(letters) >= _MIN_BASES))
    return [Layout("plain"), *([Layout("marks", found), Layout("marks-last", found)] if found else [])]


def is_contour(symbol: str) -> bool:
    """Tell whether a symbol is a tone or a stress."""
    return _CONTOUR_ALONE.fullmatch(symbol) is not None


def vowels(pronunciations: Iterable[Sequence[str]]) -> frozenset[str]:
    """Tell vowels from consonants by how they alternate.

    Sukhotin's algorithm (Guy, Cryptologia 15, 1991): the commonest neighbour of others is a vowel, and what stands
    beside vowels is less likely one. It needs no knowledge of the alphabet that phones are written in.
    """
    sequences = [[symbol for symbol in sequence if not is_contour(symbol)] for sequence in pronunciations]
    symbols = sorted({symbol for sequence in sequences for symbol in sequence})
    if not symbols:
        return frozenset()
    number = {symbol: i for i, symbol in enumerate(symbols)}
    beside = np.zeros((len(symbols), len(symbols)))
    for sequence in sequences:
        for left, right in pairwise(sequence):
            if left != right:
                beside[number[left], number[right]] += 1
                beside[number[right], number[left]] += 1
    sums, found = beside.sum(axis=1), np.zeros(len(symbols), bool)
    while not found.all():
        best = int(np.argmax(np.where(found, -np.inf, sums)))
        if sums[best] <= 0:
            break
        found[best] = True
        sums = sums - 2 * beside[:, best]
    return frozenset(symbol for symbol, is_vowel in zip(symbols, found, strict=True) if is_vowel)
