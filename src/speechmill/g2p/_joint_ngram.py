# SPDX-License-Identifier: Apache-2.0
"""An n-gram model of sequences of numbers, smoothed by interpolated modified Kneser-Ney.

Chen and Goodman, An empirical study of smoothing techniques for language modeling, 1999. The model is a trie in arrays:
level k holds the k-grams, sorted by their history and then their last symbol, so that what may follow a history is one
stretch of a level.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
State = tuple[int, int]  # how many symbols of history count, and that n-gram's number
BEGIN, END = 0, 1  # symbols before and after a sequence; its own start at 2
START: State = (1, BEGIN)


class Level(Struct, frozen=True):
    """The k-grams for one k. The arrays have one entry a k-gram."""

    keys: Ids  # number of the (k-1)-gram before, times the number of symbols, plus the last symbol; sorted
    suffix: Ids  # number, on the level below, of the k-gram without its first symbol
    log_prob: Floats  # of the last symbol after the others
    backoff: Floats  # log of the weight that shorter histories get after this one


class Ngrams(Struct, frozen=True):
    """Levels of 1-grams, 2-grams and so on; a 1-gram's number is its symbol."""

    num_symbols: int
    levels: tuple[Level, ...]


def estimate(sequences: Sequence[Sequence[int]], num_symbols: int, order: int) -> Ngrams:
    """Estimate a model. sequences: symbols from 2 to num_symbols - 1."""
    symbols = np.array([s for sequence in sequences for s in (BEGIN, *sequence, END)], np.int64)
    lengths = np.array([len(sequence) + 2 for sequence in sequences])
    place = np.arange(len(symbols)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counted = _count(symbols, place, num_symbols, min(order, int(lengths.max(initial=2))))
    return Ngrams(num_symbols, _smoothed(counted, num_symbols))


class _Counted(Struct):
    keys: Ids
    suffix: Ids
    counts: Ids
    begins: NDArray[np.bool_]  # whether it begins a sequence: nothing can precede it


def _count(symbols: Ids, place: Ids, num_symbols: int, order: int) -> list[_Counted]:
    first = np.arange(num_symbols)
    levels = [_Counted(first, first * 0, np.bincount(symbols, minlength=num_symbols), first == BEGIN)]
    ids = symbols
    for k in range(2, order + 1):
        here = np.flatnonzero(place >= k - 1)
        keys, where, inverse, counts = np.unique(
            ids[here - 1] * num_symbols + symbols[here], return_index=True, return_inverse=True, return_counts=True
        )
        levels.append(_Counted(keys, ids[here][where], counts, levels[-1].begins[keys // num_symbols]))
        ids = np.zeros_like(ids)
        ids[here] = inverse
    # Below the highest order what counts is in how many contexts an n-gram occurs, where it can have one before it.
    for lower, higher in pairwise(levels):
        contexts = np.bincount(higher.suffix, minlength=len(lower.keys))
        lower.counts = np.where(lower.begins, lower.counts, contexts)
    levels[0].counts[BEGIN] = 0
    return levels


def _smoothed(counted: list[_Counted], num_symbols: int) -> tuple[Level, ...]:
    levels: list[Level] = []
    lower = np.full(1, 1.0 / (num_symbols - 1))
    for k, level in enumerate(counted):
        history = level.keys // num_symbols if k else np.zeros(num_symbols, np.int64)
        discounts = _discounts(level.counts)[np.minimum(level.counts, 3)]
        num_histories = len(counted[k - 1].keys) if k else 1
        total = np.bincount(history, level.counts, num_histories)
        weight = np.bincount(history, discounts, num_histories) / np.maximum(total, 1e-300)
        chance = (level.counts - discounts) / np.maximum(total, 1e-300)[history] + weight[history] * lower[level.suffix]
        if k:
            # A history that nothing follows (the end) leaves all to shorter ones.
            levels[-1] = _with_backoff(levels[-1], np.where(total > 0, weight, 1.0))
        levels.append(Level(level.keys, level.suffix, np.log(np.maximum(chance, 1e-300)), np.zeros(len(level.keys))))
        lower = chance
    return tuple(levels)


def _with_backoff(level: Level, weight: Floats) -> Level:
    return Level(level.keys, level.suffix, level.log_prob, np.log(np.maximum(weight, 1e-300)))


def _discounts(counts: Ids) -> Floats:
    """Return what is taken from counts of 0, 1, 2 and more; a half where there are too few n-grams to tell."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == i)) for i in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 0.75, 0.75])
    y = n1 / (n1 + 2 * n2)
    found = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    clipped: Floats = np.clip(found, [0.0, 0.1, 0.1, 0.1], [0.0, 0.95, 1.9, 2.8])
    return clipped


class _Arrays(Struct, frozen=True):
    """A level once more: `bisect` reads array.array several times as fast as numpy's arrays."""

    keys: array[int]
    suffix: array[int]
    log_prob: array[float]
    backoff: array[float]


class Reader:
    """Tells how likely symbols are after a history."""

    def __init__(self, ngrams: Ngrams) -> None:
        self._num_symbols = ngrams.num_symbols
        self._levels = [
            _Arrays(
                array("q", level.keys.astype(np.int64).tobytes()),
                array("q", level.suffix.astype(np.int64).tobytes()),
                array("d", level.log_prob.astype(np.float64).tobytes()),
                array("d", level.backoff.astype(np.float64).tobytes()),
            )
            for level in ngrams.levels
        ]

    def following(
        self, state: State, first: int, last: int, beam: float = math.inf
    ) -> Iterator[tuple[int, float, State]]:
        """Yield each symbol from `first` on to before `last`, its log probability after a state, and the state then.

        beam: symbols that only a shorter history knows are left out where that costs more than this.
        """
        (length, node), weight = state, 0.0
        seen: set[int] = set()
        while len(seen) < last - first:
            level, base = self._levels[length], node * self._num_symbols if length else 0
            index, end = bisect_left(level.keys, base + first), base + last
            while index < len(level.keys) and level.keys[index] < end:
                symbol = level.keys[index] - base
                if symbol not in seen:
                    seen.add(symbol)
                    yield symbol, weight + level.log_prob[index], self._state(length + 1, index)
                index += 1
            if not length:
                return
            shorter = self._levels[length - 1]
            weight += shorter.backoff[node]
            if weight < -beam:
                return
            node, length = shorter.suffix[node], length - 1

    def score(self, sequence: Sequence[int]) -> float:
        """Return a sequence's log probability."""
        state, total = START, 0.0
        for symbol in (*sequence, END):
            ((_, log_prob, state),) = self.following(state, symbol, symbol + 1)
            total += log_prob
        return total

    def _state(self, length: int, node: int) -> State:
        """Forget the first symbol of a history that is as long as the longest n-grams."""
        return (length, node) if length < len(self._levels) else (length - 1, self._levels[length - 1].suffix[node])
