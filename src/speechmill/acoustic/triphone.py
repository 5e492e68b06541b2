# SPDX-License-Identifier: Apache-2.0
"""Triphones: statistics of phones between their neighbours, and the trees that tie those that sound alike.

Trees as in Young, Odell & Woodland (1994), grown best split first; questions are sets of phones found by clustering
the phones themselves, so that no language needs a table of them. Tones of one phone share a tree.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.gmm import Mixtures
from speechmill.acoustic.graph import Graph
from speechmill.acoustic.passes import Front
from speechmill.acoustic.products import product
from speechmill.acoustic.trees import CENTRE, LEAF, LEFT, PHONE_STATES, RIGHT, SPECIAL, Tying

_TONE = re.compile(r"(?<=[^\W\d_])[˥˦˧˨˩0-9]+$")
_MIN_GAIN = 4.0  # of log-likelihood for each dimension: what a split must bring


class Contexts(Struct, frozen=True):
    """Phones between neighbours, one row for each place in a phone: who they are, and sums of their frames.

    who: (rows, 4): left neighbour, right neighbour, phone, place in the phone. sums: (rows, 1 + 2 * dimensions):
    frames, their sum, the sum of their squares.
    """

    who: NDArray[np.int64]
    sums: NDArray[np.float64]


def contexts(
    corpus: Corpus, graphs: Sequence[Graph], paths: Sequence[NDArray[np.int32] | None], front: Front, tying: Tying
) -> Contexts:
    """Sum up the frames of every phone between its neighbours, by the paths of the last alignment."""
    index = {phone: number for number, phone in enumerate(tying.phones)}
    base = len(tying.phones)

    def work(chunk: range) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        keys, sums = [np.zeros(0, np.int64)], [np.zeros((0, 1 + 2 * front_size))]
        for number in chunk:
            path = paths[number]
            if path is None:
                continue
            starts, who = segments(graphs[number], path, index)
            features = front(number).astype(np.float64)
            frames = np.diff(np.append(starts, len(path)))
            parts = (frames[:, None], np.add.reduceat(features, starts), np.add.reduceat(features**2, starts))
            keys.append(((who[:, 0] * base + who[:, 1]) * base + who[:, 2]) * PHONE_STATES + who[:, 3])
            sums.append(np.hstack(parts))
        return _merged(np.concatenate(keys), np.concatenate(sums))

    front_size = front(0).shape[1]
    keys, sums = np.zeros(0, np.int64), np.zeros((0, 1 + 2 * front_size))
    for found in corpus.each(work):
        keys, sums = _merged(np.append(keys, found[0]), np.concatenate([sums, found[1]]))
    rest, place = np.divmod(keys, PHONE_STATES)
    rest, phone = np.divmod(rest, base)
    left, right = np.divmod(rest, base)
    return Contexts(np.stack([left, right, phone, place], axis=1), sums)


def _merged(keys: NDArray[np.int64], sums: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Add up rows of equal keys."""
    if not len(keys):
        return keys, sums
    order = np.argsort(keys, kind="stable")
    keys, sums = keys[order], sums[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(keys) != 0]))
    return keys[first], np.add.reduceat(sums, first)


def segments(
    graph: Graph, path: NDArray[np.int32], index: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each state of a path starts, and (segments, 4): its neighbours, its phone, its place in that."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(path) != 0]))
    units = graph.unit[path[starts]]
    fresh = np.concatenate([[True], np.diff(units) != 0])
    run = np.cumsum(fresh) - 1
    first = np.flatnonzero(fresh)
    phones = np.array([0 if unit < 0 else index[graph.units[unit].phone] for unit in units[first]])
    around = np.concatenate([[0], phones, [0]])
    place = np.arange(len(starts)) - first[run]
    return starts, np.stack([around[run], around[run + 2], phones[run], place], axis=1)


def likelihood(sums: NDArray[np.float64], floor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-likelihood of frames under their own Gaussian, without what all have in common. (..., 1 + 2D)."""
    size = len(floor)
    count = np.maximum(sums[..., :1], 1e-9)
    mean = sums[..., 1 : size + 1] / count
    variance = np.maximum(sums[..., size + 1 :] / count - mean**2, floor)
    found: NDArray[np.float64] = -0.5 * sums[..., 0] * np.log(variance).sum(axis=-1)
    return found


def questions(found: Contexts, num_phones: int, floor: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (questions, phones): each phone alone, and every group on the way as the most alike are joined."""
    middle = found.who[:, 3] == PHONE_STATES // 2
    sums = np.zeros((num_phones, found.sums.shape[1]))
    np.add.at(sums, found.who[middle, 2], found.sums[middle])
    asked = [np.arange(num_phones) == phone for phone in range(num_phones)]
    groups = [
        (np.arange(num_phones) == phone, sums[phone]) for phone in range(len(SPECIAL), num_phones) if sums[phone, 0]
    ]
    while len(groups) > 2:
        stacked = np.stack([one for _, one in groups])
        alone = likelihood(stacked, floor)
        best, pair = np.inf, (0, 1)
        for number in range(1, len(groups)):
            joined = likelihood(stacked[:number] + stacked[number], floor)
            loss = alone[:number] + alone[number] - joined
            place = int(loss.argmin())
            if loss[place] < best:
                best, pair = float(loss[place]), (place, number)
        (one, a), (other, b) = groups[pair[0]], groups[pair[1]]
        groups[pair[0]] = (one | other, a + b)
        del groups[pair[1]]
        asked.append(one | other)
    return np.array(asked, np.bool_)


def families(phones: Sequence[str], *, tonal: bool) -> list[list[int]]:
    """Group phones that share trees: where tones count, those that differ in nothing else."""
    groups: dict[str, list[int]] = {}
    for number, phone in enumerate(phones):
        if number >= len(SPECIAL):
            groups.setdefault(_TONE.sub("", phone) if tonal else phone, []).append(number)
    return list(groups.values())


class _Node(Struct):
    """A node of a tree that grows."""

    row: int  # in the table of nodes
    members: NDArray[np.int64]  # rows of contexts
    split: tuple[int, int, NDArray[np.bool_]] | None = None  # who is asked, which question, who says yes


class _Grower:
    """Trees that grow together, best split first."""

    def __init__(
        self, found: Contexts, asked: NDArray[np.bool_], floor: NDArray[np.float64], min_frames: float
    ) -> None:
        self._found = found
        self._asked = asked
        self._asked_by = asked.astype(np.float64)
        self._floor = floor
        self._min_frames = min_frames
        self._heap: list[tuple[float, int, _Node]] = []
        self.nodes: list[list[int]] = []
        self.leaves: dict[int, NDArray[np.int64]] = {}

    def add(self, members: NDArray[np.int64], sides: Sequence[int]) -> int:
        """Add a node; return its row."""
        node = _Node(len(self.nodes), members)
        self.nodes.append([LEAF, 0, 0, 0])
        self.leaves[node.row] = members
        gain, node.split = self._best(members, sides)
        if node.split is not None:
            heapq.heappush(self._heap, (-gain, node.row, node))
        return node.row

    def grow(self, max_leaves: int, sides: Sequence[int]) -> None:
        """Split until there are max_leaves, or no split brings enough."""
        while self._heap and len(self.leaves) < max_leaves:
            node = heapq.heappop(self._heap)[2]
            if node.split is None:
                continue
            side, question, yes = node.split
            del self.leaves[node.row]
            rows = [self.add(node.members[answer], sides) for answer in (yes, ~yes)]
            self.nodes[node.row] = [side, question, *rows]

    def _best(
        self, members: NDArray[np.int64], sides: Sequence[int]
    ) -> tuple[float, tuple[int, int, NDArray[np.bool_]] | None]:
        sums = self._found.sums[members]
        whole = sums.sum(axis=0)
        least = _MIN_GAIN * len(self._floor)
        split = None
        if whole[0] < 2 * self._min_frames:
            return least, None
        alone = float(likelihood(whole, self._floor))
        for side in sides:
            who = self._found.who[members, side]
            by_phone = np.zeros((self._asked.shape[1], sums.shape[1]))
            np.add.at(by_phone, who, sums)
            yes = product(self._asked_by, by_phone)
            no = whole - yes
            gain = likelihood(yes, self._floor) + likelihood(no, self._floor) - alone
            gain[(yes[:, 0] < self._min_frames) | (no[:, 0] < self._min_frames)] = -np.inf
            best = int(gain.argmax())
            if gain[best] > least:
                least, split = float(gain[best]), (side, best, self._asked[best][who])
        return least, split


def tied(
    found: Contexts,
    phones: tuple[str, ...],
    floor: NDArray[np.float64],
    max_leaves: int,
    min_frames: float,
    *,
    tonal: bool,
) -> tuple[Tying, Mixtures]:
    """Return trees for contexts, and one Gaussian for each of their states. Silence and unknown speech have none."""
    asked = questions(found, len(phones), floor)
    grower = _Grower(found, asked, floor, min_frames)
    roots = np.zeros((len(phones), PHONE_STATES), np.int32)
    roots[0] = [grower.add(_members(found, [0], place), ()) for place in range(PHONE_STATES)]
    roots[1] = grower.add(np.flatnonzero(found.who[:, 2] >= len(SPECIAL)), ())
    groups = families(phones, tonal=tonal)
    sides = (LEFT, RIGHT, CENTRE) if any(len(group) > 1 for group in groups) else (LEFT, RIGHT)
    for group in groups:
        roots[group] = [grower.add(_members(found, group, place), sides) for place in range(PHONE_STATES)]
    grower.grow(max_leaves, sides)
    nodes = np.array(grower.nodes, np.int32)
    leaves = sorted(grower.leaves)
    nodes[leaves, 1] = np.arange(len(leaves))
    sums = np.stack([found.sums[grower.leaves[leaf]].sum(axis=0) for leaf in leaves])
    return Tying(phones, roots, nodes, asked), _gaussians(sums, floor)


def _members(found: Contexts, group: Sequence[int], place: int) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(found.who[:, 2], group) & (found.who[:, 3] == place))


def _gaussians(sums: NDArray[np.float64], floor: NDArray[np.float64]) -> Mixtures:
    """Return a Gaussian for each row of sums; one without frames is that of all."""
    size = len(floor)
    few = sums[:, 0] < 2
    sums = np.where(few[:, None], sums.sum(axis=0), sums)
    means = sums[:, 1 : size + 1] / sums[:, :1]
    variances = np.maximum(sums[:, size + 1 :] / sums[:, :1] - means**2, floor)
    return Mixtures(np.arange(len(sums) + 1, dtype=np.int32), np.ones(len(sums)), means, variances)
