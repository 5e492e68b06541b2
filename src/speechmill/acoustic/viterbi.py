# SPDX-License-Identifier: Apache-2.0
"""The likeliest path of an utterance through its graph, in blocks of frames and a band of states that follows them.

A block's band reaches from the lowest state that is not hopeless to the highest one that can be reached, so time and
memory grow with the length of the audio, not with its square. Where the path fails or comes close to what was left
out, the beam is widened and the search made again: the result is the same as without a beam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic import kernels
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.gmm import Scorer, doubled
from speechmill.acoustic.graph import Graph

_BLOCK = 128  # frames
_WHOLE = 200_000  # frames times states up to which a band saves nothing
_BEAM = 400.0  # of log-likelihood
_WIDER = 4.0
_MARGIN = 0.6  # of the beam; a path that falls further behind might have been left out


class Path(Struct, frozen=True):
    """Which state of the graph each frame is in."""

    states: NDArray[np.int32]  # of the graph; (frames,)
    likelihood: float  # of all frames, with the probabilities of the way


class Steps(Struct, frozen=True):
    """Log-probabilities of the model's states to stay in themselves, and to be left."""

    stay: NDArray[np.float64]
    leave: NDArray[np.float64]


def search(features: Matrix, graph: Graph, scorer: Scorer, steps: Steps) -> Path | None:
    """Return the best path; None where the graph needs more frames than there are."""
    if len(features) < graph.min_frames or not len(features):
        return None
    both = doubled(features)
    if len(features) * len(graph) <= _WHOLE:
        return _whole(both, graph, scorer, steps)
    beam = _BEAM
    while True:
        path = _banded(both, graph, scorer, steps, beam)
        if path is not None:
            return path
        beam *= _WIDER


class _Block(Struct):
    """What the way back needs of a block of frames."""

    low: int
    back: NDArray[np.uint8]
    standing: NDArray[np.float64]  # of every state after the block's last frame


def _whole(both: Matrix, graph: Graph, scorer: Scorer, steps: Steps) -> Path | None:
    """Search without a beam, in one block."""
    standing = np.full(len(graph), kernels.NEVER)
    standing[0] = 0.0
    stay, costs = _probabilities(graph, steps)
    scores = scorer.scores(both, graph.distinct)
    back = np.empty((len(both), len(graph)), np.uint8)
    standing = kernels.search(
        scores, graph.column, stay, graph.first, graph.sources, costs, 0, len(graph), standing, back
    )
    likelihood = float(standing[-1])
    return _traced([_Block(0, back, standing)], graph, likelihood, np.inf) if likelihood > kernels.NEVER / 2 else None


def _banded(both: Matrix, graph: Graph, scorer: Scorer, steps: Steps, beam: float) -> Path | None:
    """Search with a beam. None where the path fails or the beam may have cut it."""
    stay, costs = _probabilities(graph, steps)
    farthest = _farthest(graph)
    standing = np.full(len(graph), kernels.NEVER)
    standing[0] = 0.0
    blocks: list[_Block] = []
    for start in range(0, len(both), _BLOCK):
        frames = both[start : start + _BLOCK]
        low, high = _band(standing, farthest, len(frames), beam)
        places, column = np.unique(graph.column[low:high], return_inverse=True)
        skipped = int(places[0] < 0)
        columns = np.full(len(graph), -1, np.int32)
        columns[low:high] = column - skipped
        scores = scorer.scores(frames, graph.distinct[places[skipped:]])
        back = np.empty((len(frames), high - low), np.uint8)
        standing = kernels.search(scores, columns, stay, graph.first, graph.sources, costs, low, high, standing, back)
        blocks.append(_Block(low, back, standing))
    likelihood = float(standing[-1])
    return _traced(blocks, graph, likelihood, beam) if likelihood > kernels.NEVER / 2 else None


def _probabilities(graph: Graph, steps: Steps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log-probabilities of each state to stay, and of each arc."""
    stay, leave = (np.append(array, 0.0) for array in (steps.stay, steps.leave))  # -1: takes no frame, costs nothing
    return stay[graph.states], graph.costs + leave[graph.states[graph.sources]]


def _farthest(graph: Graph) -> NDArray[np.int64]:
    """Return, for each state, the highest state that it or a lower one leads to."""
    target = np.repeat(np.arange(len(graph)), np.diff(graph.first))
    reach = np.arange(len(graph))
    np.maximum.at(reach, graph.sources, target)
    return np.maximum.accumulate(reach)


def _band(standing: NDArray[np.float64], farthest: NDArray[np.int64], num_frames: int, beam: float) -> tuple[int, int]:
    alive = np.flatnonzero(standing > max(standing.max() - beam, kernels.NEVER / 2))
    low, high = int(alive[0]), int(alive[-1])
    for _ in range(2 * num_frames):  # a frame may pass through a state that takes none
        high = int(farthest[high])
    return low, high + 1


def _traced(blocks: list[_Block], graph: Graph, likelihood: float, beam: float) -> Path | None:
    path = np.empty(sum(len(block.back) for block in blocks), np.int32)
    state, end = len(graph) - 1, len(path)
    for number, block in enumerate(reversed(blocks)):
        if number and block.standing.max() - block.standing[state] > _MARGIN * beam:
            return None
        start = end - len(block.back)
        state = _back(block, graph, state, path[start:end])
        end = start
    return Path(path, likelihood)


def _back(block: _Block, graph: Graph, state: int, path: NDArray[np.int32]) -> int:
    column: NDArray[Any] = graph.states
    return int(kernels.trace(block.back, column, graph.first, graph.sources, block.low, state, path))
