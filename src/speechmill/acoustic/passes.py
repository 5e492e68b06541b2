# SPDX-License-Identifier: Apache-2.0
"""One pass over a corpus: align every utterance with the model as it is, and sum up statistics for the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.gmm import Mixtures, Scorer, Statistics
from speechmill.acoustic.graph import Graph
from speechmill.acoustic.viterbi import Steps, search

LEFT_OUT = -1  # a state that no frame has: of an utterance that can't be aligned

Front = Callable[[int], Matrix]  # number of an utterance -> its features as the model wants them


class Stay:
    """How many frames each state had, and how often it was entered."""

    def __init__(self, num_states: int) -> None:
        self.frames: NDArray[np.int64] = np.zeros(num_states, np.int64)
        self.visits: NDArray[np.int64] = np.zeros(num_states, np.int64)

    def add(self, states: NDArray[np.int32], path: NDArray[np.int32]) -> None:
        """Add a path: the model's state and the graph's state of each frame."""
        entered = np.concatenate([[True], np.diff(path) != 0])
        self.frames += np.bincount(states, minlength=len(self.frames))
        self.visits += np.bincount(states[entered], minlength=len(self.visits))

    def merge(self, other: Stay) -> None:
        """Add what another thread has counted."""
        self.frames += other.frames
        self.visits += other.visits

    def steps(self) -> Steps:
        """Return log-probabilities, as if each state had been seen a few times more for two frames."""
        leave = np.clip((self.visits + 5) / (self.frames + 10), 0.01, 0.9)
        return Steps(np.log1p(-leave), np.log(leave))


class Outcome(Struct):
    """What a pass found."""

    paths: list[NDArray[np.int32] | None]  # the graph's state of each frame; None: it could not be aligned
    statistics: Statistics
    stay: Stay
    frames: int = 0  # that were aligned


def even_steps(num_states: int) -> Steps:
    """Return steps of a model that nobody has trained: states last two frames and a half."""
    return Steps(np.full(num_states, np.log(0.6)), np.full(num_states, np.log(0.4)))


def aligned(corpus: Corpus, graphs: Sequence[Graph], front: Front, mixtures: Mixtures, steps: Steps) -> Outcome:
    """Align all utterances, and gather the statistics of their frames."""
    scorer = Scorer(mixtures)

    def work(chunk: range) -> Outcome:
        found = Outcome([], Statistics(mixtures), Stay(mixtures.num_states))
        for number in chunk:
            features, graph = front(number), graphs[number]
            path = search(features, graph, scorer, steps)
            found.paths.append(path.states if path else None)
            if path is None:
                continue
            states = graph.states[path.states]
            scorer.gather(features, states, found.statistics)
            found.stay.add(states, path.states)
            found.frames += len(states)
        return found

    total = Outcome([], Statistics(mixtures), Stay(mixtures.num_states))
    for found in corpus.each(work):
        total.paths.extend(found.paths)
        total.statistics.add(found.statistics)
        total.stay.merge(found.stay)
        total.frames += found.frames
    return total


def gathered(
    corpus: Corpus, labels: Callable[[int], NDArray[np.int32] | None], front: Front, mixtures: Mixtures
) -> Statistics:
    """Gather statistics of frames whose states are known: an array of them for each utterance, or None."""
    scorer = Scorer(mixtures)

    def work(chunk: range) -> Statistics:
        found = Statistics(mixtures)
        for number in chunk:
            states = labels(number)
            if states is not None:
                scorer.gather(front(number), states, found)
        return found

    total = Statistics(mixtures)
    for found in corpus.each(work):
        total.add(found)
    return total
