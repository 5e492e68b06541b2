# SPDX-License-Identifier: Apache-2.0
"""How a word is said by an n-gram model of units: a beam search over ways to cut its letters.

Ways that differ only in how the same letters were cut are added up, so that what is kept are pronunciations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from speechmill.g2p._joint_align import MAX_LETTERS
from speechmill.g2p._joint_ngram import END, START, Reader, State

Symbols = tuple[int, ...]
_Key = TypeVar("_Key")
_Hypotheses = dict[tuple[Symbols, State], float]  # phones so far and state -> log probability


def decode(
    reader: Reader,
    units: Mapping[Symbols, tuple[int, int]],
    phones: Sequence[Symbols],
    letters: Sequence[int],
    *,
    beam: float,
    width: int,
) -> dict[Symbols, float]:
    """Return pronunciations with their log probabilities; none where the letters can't be cut into known units.

    units: for one or two letters the first of their units and the one after the last. phones: of each unit.
    beam: how much less likely (log) than the best so far a way may be. width: how many are kept for each letter.
    """
    waiting: list[_Hypotheses] = [{} for _ in range(len(letters) + 1)]
    waiting[0] = {((), START): 0.0}
    for i in range(len(letters)):
        kept = _pruned(waiting[i], beam, width)
        waiting[i] = {}
        for length in range(1, min(MAX_LETTERS, len(letters) - i) + 1):
            stretch = units.get(tuple(letters[i : i + length]))
            for (said, state), score in kept if stretch else ():
                steps = reader.following(state, *stretch, beam) if stretch else ()
                _add(waiting[i + length], (((said + phones[unit], after), score + log) for unit, log, after in steps))
    ended: dict[Symbols, float] = {}
    for (said, state), score in _pruned(waiting[-1], beam, width):
        _add(ended, ((said, score + log) for _, log, _ in reader.following(state, END, END + 1)))
    return ended


def _add(into: dict[_Key, float], found: Iterable[tuple[_Key, float]]) -> None:
    for key, score in found:
        before = into.get(key)
        into[key] = score if before is None else _added(before, score)


def _pruned(waiting: _Hypotheses, beam: float, width: int) -> list[tuple[tuple[Symbols, State], float]]:
    if not waiting:
        return []
    least = max(waiting.values()) - beam
    kept = [item for item in waiting.items() if item[1] >= least]
    kept.sort(key=lambda item: (-item[1], item[0]))
    return kept[:width]


def _added(left: float, right: float) -> float:
    """Add probabilities given by their logs."""
    high, low = (left, right) if left > right else (right, left)
    return high + math.log1p(math.exp(low - high))
