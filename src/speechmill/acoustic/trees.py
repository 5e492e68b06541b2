# SPDX-License-Identifier: Apache-2.0
"""Which states of a model a phone between two others has: trees of questions about the neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.graph import SILENCE, UNKNOWN

SPECIAL = (SILENCE, UNKNOWN)  # the first phones of every model
PHONE_STATES = 3
_UNKNOWN_STATES = 6  # frames that unknown speech lasts at least
LEAF, LEFT, RIGHT, CENTRE = -1, 0, 1, 2
_ASK, _QUESTION, _YES, _NO = range(4)  # columns of `nodes`; a leaf's _QUESTION is its state


class Tying(Struct, frozen=True):
    """Trees, one for each phone (or group of phones) and place in it.

    roots: (phones, PHONE_STATES), rows of `nodes`. nodes: (nodes, 4): of whom is asked, which question, the row for
    yes and for no; or LEAF and the model's state. questions: (questions, phones), whether a phone is meant.
    """

    phones: tuple[str, ...]
    roots: NDArray[np.int32]
    nodes: NDArray[np.int32]
    questions: NDArray[np.bool_]

    @property
    def num_states(self) -> int:
        return int(self.nodes[self.nodes[:, _ASK] == LEAF, _QUESTION].max()) + 1


class Lookup:
    """Finds a phone's states by its neighbours, and remembers them. A phone nobody trained is unknown speech."""

    def __init__(self, tying: Tying) -> None:
        self._tying = tying
        self._index = {phone: number for number, phone in enumerate(tying.phones)}
        self._known: dict[tuple[str, str, str], tuple[int, ...]] = {}

    def __call__(self, phone: str, left: str, right: str) -> tuple[int, ...]:
        key = (phone, left, right)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(*(self._index.get(one, 1) for one in key))
        return found

    def _find(self, phone: int, left: int, right: int) -> tuple[int, ...]:
        asked = {LEFT: left, RIGHT: right, CENTRE: phone}
        states = []
        for root in self._tying.roots[phone]:
            node = self._tying.nodes[root]
            while node[_ASK] != LEAF:
                answer = self._tying.questions[node[_QUESTION], asked[int(node[_ASK])]]
                node = self._tying.nodes[node[_YES] if answer else node[_NO]]
            states.append(int(node[_QUESTION]))
        return tuple(states[:1] * _UNKNOWN_STATES) if phone == 1 else tuple(states)


def monophones(phones: Sequence[str]) -> Tying:
    """Return trees that ask nothing: each phone has states of its own; unknown speech has one."""
    named = (*SPECIAL, *(phone for phone in phones if phone not in SPECIAL))
    states = np.arange(len(named) * PHONE_STATES).reshape(-1, PHONE_STATES)
    states[1] = PHONE_STATES
    states[2:] -= PHONE_STATES - 1
    leaves = np.zeros((int(states.max()) + 1, 4), np.int32)
    leaves[:, _ASK] = LEAF
    leaves[:, _QUESTION] = np.arange(len(leaves))
    return Tying(named, states.astype(np.int32), leaves, np.zeros((0, len(named)), np.bool_))
