# SPDX-License-Identifier: Apache-2.0
"""Which letters of a word stand for which of its phones, learnt from a lexicon by expectation maximisation.

A word is cut into units: a letter with none, one or two phones, or two letters with one phone (Jiampojamarn et al.,
NAACL 2007; Bisani and Ney, Speech Communication 50, 2008; two with two were tried, and are worse). All words of one
length in letters and phones go through the lattice together, so the loops are numpy's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Unit = tuple[int, int]  # numbers of letters and phones
Cut = tuple[Unit, ...]

STEPS: tuple[Unit, ...] = ((1, 1), (1, 0), (1, 2), (2, 1))
_UNEQUAL, _AT_THE_ENDS = 0.1, 0.01  # how much less likely such units are at first than one letter with one phone
MAX_LETTERS = MAX_PHONES = 2


class _Group(Struct):
    """All words of some length, and for every cell of their lattice and every step the id of the unit."""

    words: list[int]
    num_letters: int
    num_phones: int
    units: dict[tuple[int, int, int], Ids]  # (letters before, phones before, step) -> (num_words,)


def align(
    letters: Sequence[Ids], phones: Sequence[Ids], *, iterations: int, size: tuple[int, int], end_apart: bool
) -> list[Cut | None]:
    """Cut every word into units; None for a word that can't be cut (more than two phones a letter).

    letters, phones: for each word its symbols, numbered from 1. size: the highest numbers, of letters and of phones.
    The first letter is never joined with the second, nor, with `end_apart`, the last with the one before.
    """
    groups, num_units = _lattices(letters, phones, size, end_apart)
    probability = _first_guess(groups, num_units)
    for _ in range(iterations):
        counts = np.zeros(num_units)
        for group in groups:
            _expect(group, probability, counts)
        probability = counts / max(counts.sum(), 1e-300)
    cuts: list[Cut | None] = [None] * len(letters)
    for group in groups:
        for word, cut in zip(group.words, _best(group, probability), strict=True):
            cuts[word] = cut
    return cuts


def _lattices(
    letters: Sequence[Ids], phones: Sequence[Ids], size: tuple[int, int], end_apart: bool
) -> tuple[list[_Group], int]:
    by_length: dict[tuple[int, int], list[int]] = defaultdict(list)
    for word, (spelled, said) in enumerate(zip(letters, phones, strict=True)):
        if len(said) <= MAX_PHONES * len(spelled):
            by_length[len(spelled), len(said)].append(word)
    groups, seen = [], [np.zeros(0, np.int64)]
    for (num_letters, num_phones), words in sorted(by_length.items()):
        spelled = np.stack([letters[word] for word in words])
        said = np.stack([phones[word] for word in words])
        units = {place: _keys(spelled, said, place, size) for place in _places(num_letters, num_phones, end_apart)}
        groups.append(_Group(words, num_letters, num_phones, units))
        seen.append(np.unique(np.concatenate(list(units.values()))))
    keys = np.unique(np.concatenate(seen))
    for group in groups:
        group.units = {place: np.searchsorted(keys, found) for place, found in group.units.items()}
    return groups, len(keys)


def _places(num_letters: int, num_phones: int, end_apart: bool) -> Iterator[tuple[int, int, int]]:
    """Yield the steps that lie on some path through a lattice."""
    for i, j, step in product(range(num_letters), range(num_phones + 1), range(len(STEPS))):
        a, b = STEPS[step]
        left = num_letters - i - a
        joins_a_marker = a > 1 and (i == 0 or (end_apart and left == 0))
        if j <= MAX_PHONES * i and left >= 0 and 0 <= num_phones - j - b <= MAX_PHONES * left and not joins_a_marker:
            yield i, j, step


def _keys(spelled: Ids, said: Ids, place: tuple[int, int, int], size: tuple[int, int]) -> Ids:
    """Number units by what is in them; 0 stands where there is no second letter or phone."""
    i, j, step = place
    a, b = STEPS[step]
    key = np.zeros(len(spelled), np.int64)
    for column in range(MAX_LETTERS):
        key = key * (size[0] + 1) + (spelled[:, i + column] if column < a else 0)
    for column in range(MAX_PHONES):
        key = key * (size[1] + 1) + (said[:, j + column] if column < b else 0)
    return key


def _first_guess(groups: Sequence[_Group], num_units: int) -> NDArray[np.float64]:
    """Return what units are likely before anything is learnt: the commoner and the simpler.

    All alike, the symbols at a word's ends would take up phones, and every letter the phone of its neighbour.
    """
    found = np.zeros(num_units)
    for group in groups:
        for (i, _, step), units in group.units.items():
            a, b = STEPS[step]
            at_the_ends = b > 0 and (i == 0 or i + a == group.num_letters)
            weight = (
                _AT_THE_ENDS
                if at_the_ends
                else 1.0
                if (a, b) == (1, 1) or i in (0, group.num_letters - 1)
                else _UNEQUAL
            )
            found += np.bincount(units, minlength=num_units) * weight
    likely: NDArray[np.float64] = found / max(found.sum(), 1e-300)
    return likely


def _expect(group: _Group, probability: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
    """Add the expected number of each unit in a group's words to `counts`."""
    n, m, k = group.num_letters, group.num_phones, len(group.words)
    forward, backward = np.zeros((n + 1, m + 1, k)), np.zeros((n + 1, m + 1, k))
    forward[0, 0] = backward[n, m] = 1.0
    steps = [(place, probability[units]) for place, units in group.units.items()]
    for (i, j, step), chance in steps:
        a, b = STEPS[step]
        forward[i + a, j + b] += forward[i, j] * chance
    for (i, j, step), chance in reversed(steps):
        a, b = STEPS[step]
        backward[i, j] += backward[i + a, j + b] * chance
    total = forward[n, m]
    scale = np.divide(1.0, total, out=np.zeros(k), where=total > 0)
    expected = [
        forward[i, j] * chance * backward[i + STEPS[step][0], j + STEPS[step][1]] * scale
        for (i, j, step), chance in steps
    ]
    units = np.concatenate(list(group.units.values()))
    counts += np.bincount(units, np.concatenate(expected), minlength=len(counts))


def _best(group: _Group, probability: NDArray[np.float64]) -> list[Cut | None]:
    """Return the likeliest cut of each word of a group; None where there is none."""
    n, m, k = group.num_letters, group.num_phones, len(group.words)
    with np.errstate(divide="ignore"):
        scores = np.log(probability)
    best = np.full((n + 1, m + 1, k), -np.inf)
    came = np.zeros((n + 1, m + 1, k), np.int8)
    best[0, 0] = 0.0
    for (i, j, step), units in group.units.items():
        a, b = STEPS[step]
        score = best[i, j] + scores[units]
        better = score > best[i + a, j + b]
        best[i + a, j + b] = np.where(better, score, best[i + a, j + b])
        came[i + a, j + b] = np.where(better, step, came[i + a, j + b])
    return [_path(came[:, :, word]) if np.isfinite(best[n, m, word]) else None for word in range(k)]


def _path(came: NDArray[np.int8]) -> Cut:
    i, j = came.shape[0] - 1, came.shape[1] - 1
    cut: list[Unit] = []
    while i:
        unit = STEPS[came[i, j]]
        cut.append(unit)
        i, j = i - unit[0], j - unit[1]
    return tuple(reversed(cut))
