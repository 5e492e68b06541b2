# SPDX-License-Identifier: Apache-2.0
"""Texts that are nearly the same: MinHash over their words, then the similarity itself.

Similarity is Jaccard's: of all words in either text, the share that is in both; a word that stands there twice counts
twice. Case, punctuation, apostrophes and ways of encoding a character don't count, nor does the order of words. Scripts
without blanks (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are taken two characters at a time. A text of fewer than
MIN_WORDS is only found where it is equal: one word more or less says nothing there.

Sources: Broder, "On the resemblance and containment of documents" (1997); banding: Leskovec, Rajaraman & Ullman,
"Mining of Massive Datasets", chapter 3. Candidates are verified, so what is found is right. About one pair in a
thousand is missed at the threshold itself, fewer above it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.measures._bags import Bags as Bags
from speechmill.measures._bags import Hashes, Indices, mixed
from speechmill.measures._bags import bags as bags

MIN_WORDS = 4
_MISSED = 1e-3  # share of pairs at the threshold that no band brings together
_MOST_HASHES = 160
_BUCKET = 64  # in a bucket of more texts, each is compared with so many: the bands part them differently
_WORDS_AT_ONCE = 1_000_000


class NearTexts(NamedTuple):
    """Which texts are near each other. Texts are named by their index.

    Equal texts are one group, named by its first text; pairs are of such first texts, left < right.
    """

    group: Indices  # (num_texts,) the first text that equals this one; a text without words is alone
    left: Indices  # (num_pairs,)
    right: Indices  # (num_pairs,)
    similarity: NDArray[np.float64]  # (num_pairs,) at least the threshold


class Nearest(NamedTuple):
    """For each text, the nearest of the others."""

    other: Indices  # (num_texts,) its index; -1: none is so near
    similarity: NDArray[np.float64]  # (num_texts,) 0 where there is none


def near_texts(texts: Iterable[str | None], threshold: float) -> NearTexts:
    """Find pairs whose similarity is at least `threshold`, 0 < threshold <= 1.

    >>> found = near_texts(["He came at a quarter to nine", "So he came at a quarter to nine.", "Good night"], 0.8)
    >>> found.left.tolist(), found.right.tolist(), found.similarity.tolist()
    ([0], [1], [0.875])
    """
    found = bags(texts)
    group = _groups(found)
    first = np.flatnonzero(group == np.arange(len(group)))
    left, right, similarity = _pairs(found, first, np.zeros(len(group), bool), threshold, crossing=False)
    return NearTexts(group, left, right, similarity)


def against(texts: Iterable[str | None] | Bags, others: Iterable[str | None] | Bags, threshold: float) -> Nearest:
    """Find for each text the nearest of `others`, where its similarity is at least `threshold`. Equal ones are found.

    Of equally near ones it is the one with the smallest index.
    """
    mine, theirs = (one if isinstance(one, Bags) else bags(one) for one in (texts, others))
    num_texts = len(mine.order)
    other, similarity = _equal(mine, theirs)
    both = Bags(
        np.concatenate([mine.words, theirs.words]),
        np.concatenate([mine.offsets, theirs.offsets[1:] + mine.offsets[-1]]),
        np.concatenate([mine.order, theirs.order]),
    )
    side = np.arange(len(both.order)) >= num_texts
    alike = both._replace(order=mixed(both.order + side.astype(np.uint64)))  # equal ones of both sides stay two
    group = _groups(alike)
    first = np.flatnonzero(group == np.arange(len(group)))
    left, right, value = _pairs(both, first, side, threshold, crossing=True)
    best = np.lexsort((right, -value, left))
    left, right, value = left[best], right[best], value[best]
    of_left = np.flatnonzero(np.concatenate([[True], left[1:] != left[:-1]])[: len(left)])
    near, near_value = np.full(num_texts, -1), np.zeros(num_texts)
    near[left[of_left]], near_value[left[of_left]] = right[of_left] - num_texts, value[of_left]
    near, near_value = near[group[:num_texts]], near_value[group[:num_texts]]
    return Nearest(np.where(other >= 0, other, near), np.where(other >= 0, similarity, near_value))


def _groups(found: Bags) -> Indices:
    """Return for each text the first that equals it."""
    _, first, group = np.unique(found.order, return_index=True, return_inverse=True)
    empty = np.diff(found.offsets) == 0
    return np.where(empty, np.arange(len(group)), first[group])


def _equal(mine: Bags, theirs: Bags) -> tuple[Indices, NDArray[np.float64]]:
    values, first = np.unique(theirs.order, return_index=True)
    if not len(values):
        return np.full(len(mine.order), -1), np.zeros(len(mine.order))
    place = np.minimum(np.searchsorted(values, mine.order), len(values) - 1)
    same = (values[place] == mine.order) & (np.diff(mine.offsets) > 0)
    return np.where(same, first[place], -1), same.astype(np.float64)


def _pairs(
    found: Bags, texts: Indices, side: NDArray[np.bool_], threshold: float, *, crossing: bool
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Return pairs of `texts` that are so near, ascending, each once. crossing: of both sides only."""
    texts = texts[np.diff(found.offsets)[texts] >= MIN_WORDS]
    packed = taken(found, texts)
    keys = [np.zeros(0, np.int64)]
    for band in _bands(packed, threshold):
        one, two = _in_buckets(band)
        one, two = np.minimum(one, two), np.maximum(one, two)
        good = _possible(packed, one, two, threshold)
        if crossing:
            good &= side[texts[one]] != side[texts[two]]
        keys.append(one[good] * len(texts) + two[good])
        if sum(map(len, keys)) > _WORDS_AT_ONCE * 4:
            keys = [np.unique(np.concatenate(keys))]
    key = np.unique(np.concatenate(keys))
    one, two = key // max(len(texts), 1), key % max(len(texts), 1)
    value = _similarity(packed, one, two)
    near = value >= threshold - 1e-9
    return texts[one[near]], texts[two[near]], value[near]


def taken(found: Bags, texts: Indices) -> Bags:
    """Return some of the texts, by ascending index."""
    counts = np.diff(found.offsets)
    if len(texts) == len(counts):
        return found
    wanted = np.zeros(len(counts), bool)
    wanted[texts] = True
    words = found.words[np.repeat(wanted, counts)]
    return Bags(words, np.concatenate([[0], np.cumsum(counts[texts])]), found.order[texts])


def shape(threshold: float) -> tuple[int, int]:
    """Choose how many bands of how many hashes: the longest bands that miss few pairs at the threshold.

    >>> shape(0.8)
    (23, 6)
    """
    if threshold >= 1.0:
        return 1, 8
    best = (1, 1)
    for rows in range(1, 33):
        bands = max(1, math.ceil(math.log(_MISSED) / math.log1p(-(threshold**rows))))
        if rows == 1 or bands * rows <= _MOST_HASHES:
            best = (bands, rows)
    return best


def _bands(packed: Bags, threshold: float) -> Iterator[Hashes]:
    """Yield for each band one hash a text, of its smallest words in some orders."""
    bands, rows = shape(threshold)
    num_texts = len(packed.order)
    if not num_texts:
        return
    parts = _parts(packed.offsets)
    for band in range(bands):
        keys = np.zeros(num_texts, np.uint64)
        for begin, end in parts:
            first, last = packed.offsets[begin], packed.offsets[end]
            words, starts = packed.words[first:last], packed.offsets[begin:end] - first
            for row in range(rows):
                smallest = np.minimum.reduceat(_shuffled(words, band * rows + row), starts)
                keys[begin:end] = mixed(keys[begin:end] + smallest)
        yield keys


def _shuffled(words: Hashes, number: int) -> Hashes:
    """Put words, which are random bits already, into another order: one of the family of multiply-xorshift."""
    factor = mixed(np.array([2 * number + 1], np.uint64)) | np.uint64(1)
    words = words * factor
    words ^= words >> np.uint64(32)
    words *= factor
    return words


def _parts(offsets: Indices) -> list[tuple[int, int]]:
    """Cut texts into stretches whose words fit into the processor's cache."""
    marks = np.arange(0, offsets[-1], 100_000)
    cuts = np.unique(np.concatenate([np.searchsorted(offsets[:-1], marks), [len(offsets) - 1]])).tolist()
    return [(begin, end) for begin, end in zip([0, *cuts], cuts, strict=False) if end > begin]


def _in_buckets(keys: Hashes) -> tuple[Indices, Indices]:
    """Return pairs of texts whose key is the same: of large buckets those that stand near each other there."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    places = np.arange(len(keys))
    for step in range(1, _BUCKET + 1):
        places = places[places + step < len(keys)]
        places = places[ordered[places] == ordered[places + step]]
        if not len(places):
            break
        left.append(order[places])
        right.append(order[places + step])
    return np.concatenate(left), np.concatenate(right)


def _possible(packed: Bags, one: Indices, two: Indices, threshold: float) -> NDArray[np.bool_]:
    """Tell which pairs' numbers of words allow the similarity."""
    counts = np.diff(packed.offsets)
    few, many = np.minimum(counts[one], counts[two]), np.maximum(counts[one], counts[two])
    return np.asarray(few >= many * (threshold - 1e-9))


def _similarity(packed: Bags, one: Indices, two: Indices) -> NDArray[np.float64]:
    """Return the similarity of each pair, exactly but for collisions of 64 bits."""
    counts = np.diff(packed.offsets)
    total = counts[one] + counts[two]
    found = np.zeros(len(one))
    ends = np.cumsum(total)
    marks = np.arange(0, ends[-1] if len(ends) else 0, _WORDS_AT_ONCE)
    cuts = np.unique(np.concatenate([np.searchsorted(ends, marks), [len(one)]])).tolist()
    for begin, end in itertools.pairwise(cuts):
        pairs = np.arange(end - begin)
        words = np.concatenate([_words_of(packed, one[begin:end]), _words_of(packed, two[begin:end])])
        of_pair = np.concatenate([np.repeat(pairs, counts[one[begin:end]]), np.repeat(pairs, counts[two[begin:end]])])
        marked = words ^ mixed(of_pair.astype(np.uint64) + np.uint64(1))
        order = np.argsort(marked)
        twice = marked[order[1:]] == marked[order[:-1]]
        shared = np.bincount(of_pair[order[1:]][twice], minlength=end - begin)
        found[begin:end] = shared / (total[begin:end] - shared)
    return found


def _words_of(packed: Bags, texts: Indices) -> Hashes:
    counts = np.diff(packed.offsets)[texts]
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found: Hashes = packed.words[np.repeat(packed.offsets[texts], counts) + inside]
    return found
