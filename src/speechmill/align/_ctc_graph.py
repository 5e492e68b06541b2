# SPDX-License-Identifier: Apache-2.0
"""The best path of a text through a CTC network's emissions, by Viterbi's algorithm.

A label may last for frames, a blank may stand between two labels and must between two equal ones (Graves et al.,
ICML 2006). A token may be said in several ways and a word be spelled in several: the emissions decide. Between words
stand blanks and the network's label for a space, where it has one. A token that nobody can spell may take frames
that fit nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.models.ctc import Emissions

Spelling = tuple[int, ...]  # indices of labels
Spellings = tuple[Spelling, ...]  # of a word
Token = tuple[tuple[Spellings, ...], ...]  # ways, each a row of words; no way: nobody can spell it

UNKNOWN_COST = 1.0  # nats a frame: a label is right for a frame that it has over a third of the best one's share of
BEAM = 100.0  # nats below the best path: about ten labels that the network is sure of
WIDER = (1.0, 8.0, float("inf"))  # a beam that loses the text's end is widened, and then there is none


class Place(Struct, frozen=True):
    """What a state stands for."""

    token: int
    way: int
    word: int
    label: int  # position in the spelling


class Span(Struct, frozen=True):
    """Frames in which a label of the text is emitted, and the mean probability it has in them."""

    place: Place
    index: int  # of the label
    first: int
    last: int  # the frame after it
    score: float


class _Graph:
    """States in an order in which paths only go forward; what each emits, and what may stand before it."""

    def __init__(self, blank: int, space: int | None, none: int, unknown: int) -> None:
        self._blank, self._space, self._unknown = blank, space, unknown
        self.emits: list[int] = [none]  # state 0 is the start, before the first frame
        self.before: list[list[int]] = [[]]
        self.places: list[Place | None] = [None]

    def _add(self, label: int, before: Sequence[int], place: Place | None = None) -> int:
        state = len(self.emits)
        self.emits.append(label)
        self.before.append([*dict.fromkeys(before), state])
        self.places.append(place)
        return state

    def gap(self, ends: Sequence[int]) -> list[int]:
        """Let blanks, and the label of a space, stand behind some states; return where one may go on."""
        blank = self._add(self._blank, ends)
        if self._space is None:
            return [*ends, blank]
        space = self._add(self._space, [*ends, blank])
        return [*ends, blank, space, self._add(self._blank, [space])]

    def unknown(self, ends: Sequence[int]) -> list[int]:
        """Let any frames stand behind some states."""
        state = self._add(self._unknown, ends)
        return [*ends, state, self._add(self._blank, [state])]

    def token(self, ends: Sequence[int], number: int, ways: Token) -> list[int]:
        """Say a token behind some states; return the last labels of its ways."""
        lasts = []
        for way, words in enumerate(ways):
            front = list(ends)
            for word, spellings in enumerate(words):
                front = front if word == 0 else self.gap(front)
                front = [self._word(front, Place(number, way, word, 0), spelling) for spelling in spellings]
            lasts += front
        return lasts

    def _word(self, ends: Sequence[int], place: Place, spelling: Spelling) -> int:
        front = list(ends)
        state = 0
        for position, label in enumerate(spelling):
            if position:
                front = [state, self._add(self._blank, [state])]
            place = Place(place.token, place.way, place.word, position)
            state = self._add(label, [one for one in front if self.emits[one] != label], place)
        return state


def shortest(tokens: Sequence[Token]) -> int:
    """Return the fewest frames that a text can be emitted in."""
    return sum(min(sum(min(map(_frames, word)) for word in way) for way in ways) for ways in tokens if ways)


def _frames(spelling: Spelling) -> int:
    repeats = sum(left == right for left, right in pairwise(spelling))
    return len(spelling) + repeats


def best_path(emissions: Emissions, tokens: Sequence[Token], space: int | None) -> list[Span] | None:
    """Return when each label of the text is emitted, in order; None where the emissions are too short for it."""
    num_labels = emissions.log_probs.shape[1]
    graph = _Graph(emissions.blank, space, num_labels, num_labels + 1)
    front = graph.gap([0])
    for number, ways in enumerate(tokens):
        front = graph.gap(graph.token(front, number, ways)) if ways else graph.unknown(front)
    best = emissions.log_probs.max(axis=1, keepdims=True)
    never = np.full_like(best, -np.inf)
    scores = np.concatenate([emissions.log_probs, never, best - UNKNOWN_COST], axis=1)
    for width in WIDER:
        path = _viterbi(scores, graph, front, BEAM * width)
        if path is not None:
            return _spans(path, graph, emissions)
    return None


def _viterbi(scores: NDArray[np.float32], graph: _Graph, ends: Sequence[int], beam: float) -> list[int] | None:
    """Return the state of each frame on the best path to one of `ends`; None where the beam loses them.

    States outside the beam are left out at both ends of a frame's row, so memory and time grow with the beam.
    """
    offsets = np.cumsum([0, *map(len, graph.before)])
    sources = np.array([one for before in graph.before for one in before], np.intp)
    emits = np.array(graph.emits)
    targets = np.repeat(np.arange(len(emits)), np.diff(offsets))
    reach = int(np.max(targets - sources))
    low, row = 0, np.zeros(1, np.float32)
    rows: list[tuple[int, NDArray[np.float32]]] = []
    for frame in scores:
        first, last = max(1, low), min(len(emits), low + len(row) + reach)
        arcs = sources[offsets[first] : offsets[last]] - low
        inside = (arcs >= 0) & (arcs < len(row))
        reached = np.where(inside, row[np.where(inside, arcs, 0)], -np.inf)
        new = np.maximum.reduceat(reached, offsets[first:last] - offsets[first]) + frame[emits[first:last]]
        kept = np.flatnonzero(new > new.max() - beam)
        if not len(kept):
            return None
        low, row = first + int(kept[0]), new[kept[0] : kept[-1] + 1]
        rows.append((low, row))
    return _traced(rows, graph, ends)


def _traced(rows: Sequence[tuple[int, NDArray[np.float32]]], graph: _Graph, ends: Sequence[int]) -> list[int] | None:
    path: list[int] = []
    wanted = list(ends)
    for low, row in reversed(rows):
        there = [state for state in wanted if low <= state < low + len(row)]
        if not there:
            return None
        state = max(there, key=lambda one: row[one - low])
        if row[state - low] == -np.inf:
            return None
        path.append(state)
        wanted = graph.before[state]
    return path[::-1]


def _spans(path: Sequence[int], graph: _Graph, emissions: Emissions) -> list[Span]:
    found: list[Span] = []
    first = 0
    for frame in range(1, len(path) + 1):
        if frame < len(path) and path[frame] == path[first]:
            continue
        place, label = graph.places[path[first]], graph.emits[path[first]]
        if place is not None:
            score = float(np.exp(emissions.log_probs[first:frame, label]).mean())
            found.append(Span(place, label, first, frame, score))
        first = frame
    return found
