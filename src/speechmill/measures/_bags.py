# SPDX-License-Identifier: Apache-2.0
"""Texts as bags of hashed words, many at a time, in numpy: what `near_text` compares.

A word is a run of letters, marks and digits, in lower case and compatibility form; apostrophes inside count as nothing.
Where a script has no blanks, a word is two characters in a row. A word's hash is a polynomial of its characters over
2**64, whose prefix sums give all words of a hundred thousand texts in a few passes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.text.characters import APOSTROPHES

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_TEXTS_AT_ONCE = 20_000
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x323AF)),  # kana, Chinese characters
)

_NO_APOSTROPHES = dict.fromkeys(map(ord, "'" + APOSTROPHES)) | {ord("\n"): " "}


class Bags(NamedTuple):
    """Words of texts: text i has `words[offsets[i]:offsets[i + 1]]`, sorted, and a repeated word differs each time."""

    words: Hashes
    offsets: Indices  # (num_texts + 1,)
    order: Hashes  # (num_texts,) one hash for all words in their order: equal texts have the same


def bags(texts: Iterable[str | None]) -> Bags:
    """Take texts apart. None is a text without words."""
    words, counts, order = [np.zeros(0, np.uint64)], [np.zeros(1, np.int64)], [np.zeros(0, np.uint64)]
    for some in _batches(texts):
        found, rows = _words(some)
        count = np.bincount(rows, minlength=len(some))
        order.append(_in_order(found, count))
        words.append(_as_bags(found, rows))
        counts.append(count)
    return Bags(np.concatenate(words), np.cumsum(np.concatenate(counts)), np.concatenate(order))


def mixed(values: Hashes) -> Hashes:
    """Spread integers over all 64 bits. Source: splitmix64 (Steele, Lea & Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _batches(texts: Iterable[str | None]) -> Iterator[list[str | None]]:
    remaining = iter(texts)
    while some := list(islice(remaining, _TEXTS_AT_ONCE)):
        yield some


def _words(texts: Sequence[str | None]) -> tuple[Hashes, Indices]:
    """Return the hash of every word, and the text that it is in."""
    joined = "\n".join((text or "").translate(_NO_APOSTROPHES) for text in texts)
    joined = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", joined).casefold())
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    starts, ends = _bounds(points)
    powers = _powers(_BASE, len(points) + 1)
    terms = mixed(points.astype(np.uint64) + np.uint64(1)) * powers[:-1]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])
    inverse = _powers(pow(_BASE, -1, 1 << 64), len(points) + 1)
    rows = np.cumsum(points == ord("\n"))[starts] if len(starts) else np.zeros(0, np.int64)
    return mixed((sums[ends] - sums[starts]) * inverse[starts]), rows


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


def _bounds(points: NDArray[np.uint32]) -> tuple[Indices, Indices]:
    """Return where words start and end."""
    inside, unspaced = _kinds(points)
    before = np.concatenate([[False], inside[:-1]])
    after = np.concatenate([inside[1:], [False]])
    unspaced_before = np.concatenate([[False], unspaced[:-1]])
    unspaced_after = np.concatenate([unspaced[1:], [False]])
    spaced = inside & ~unspaced
    starts = np.flatnonzero(spaced & ~(before & ~unspaced_before))
    ends = np.flatnonzero(spaced & ~(after & ~unspaced_after)) + 1
    # Every character with its follower; one that has no neighbour stands alone.
    pairs = np.flatnonzero(unspaced & (unspaced_after | ~unspaced_before))
    starts, ends = np.concatenate([starts, pairs]), np.concatenate([ends, pairs + 1 + unspaced_after[pairs]])
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order]


def _kinds(points: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which characters belong to words, and which of these are of scripts without blanks."""
    seen = np.zeros(0x110000, bool)
    seen[points] = True
    letters = np.zeros(0x110000, bool)
    for point in np.flatnonzero(seen).tolist():
        letters[point] = unicodedata.category(chr(point))[0] in "LMN"
    inside = letters[points]
    unspaced = np.zeros(len(points), bool)
    if len(points) and points.max() >= _UNSPACED[0][0]:
        for first, last in _UNSPACED:
            unspaced |= (points >= first) & (points <= last)
    return inside, unspaced & inside


def _in_order(words: Hashes, counts: Indices) -> Hashes:
    """Hash each text's words with their places."""
    first = np.cumsum(counts) - counts
    place = np.arange(len(words)) - np.repeat(first, counts)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed(words + place.astype(np.uint64)))])
    return np.asarray(mixed(sums[first + counts] - sums[first]))


def _as_bags(words: Hashes, rows: Indices) -> Hashes:
    """Sort each text's words, and make the second of equal ones another word than the first."""
    order = np.lexsort((words, rows))
    words, rows = words[order], rows[order]
    again = np.zeros(len(words), np.uint64)
    place = np.arange(len(words))
    fresh = np.ones(len(words), bool)
    fresh[1:] = (words[1:] != words[:-1]) | (rows[1:] != rows[:-1])
    again = (place - np.maximum.accumulate(np.where(fresh, place, 0))).astype(np.uint64)
    words = np.where(again > 0, mixed(words + again * np.uint64(_BASE)), words)
    return np.asarray(words[np.lexsort((words, rows))] if again.any() else words)
