# SPDX-License-Identifier: Apache-2.0
"""The likeliest path of an utterance through its graph, in blocks of frames and a band of states that follows them.

A block's band reaches from the lowest state that is not hopeless to the highest one that can be reached, so time and
memory grow with the length of the audio, not with its square. Where the path fails or comes close to what was left
out, the beam is widened and the search made again: the result is the same as without a beam.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic import kernels
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.gmm import Scorer, doubled
from speechmill.acoustic.graph import Graph

_BLOCK = 48  # frames
_WHOLE = 200_000  # frames times states up to which a band saves nothing
_BEAM = 200.0  # of log-likelihood
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
    while beam < -kernels.NEVER:
        path = _banded(both, graph, scorer, steps, beam)
        if path is not None:
            return path
        beam *= _WIDER
    return None


class _Block(Struct):
    """What the way back needs of a block of frames."""

    low: int
    back: NDArray[np.uint8]
    standing: NDArray[np.float64]  # of the band's states after the last frame


def _whole(both: Matrix, graph: Graph, scorer: Scorer, steps: Steps) -> Path | None:
    """Search without a beam, in one block."""
    standing = np.full(len(graph), kernels.NEVER)
    standing[0] = 0.0
    block = _block(scorer.scores(both, graph.distinct), graph, _probabilities(graph, steps), 0, graph.column, standing)
    return _traced([block], graph, np.inf)


def _banded(both: Matrix, graph: Graph, scorer: Scorer, steps: Steps, beam: float) -> Path | None:
    """Search with a beam. None where the path fails or the beam may have cut it."""
    probabilities = _probabilities(graph, steps)
    farthest = _farthest(graph)
    low, standing = 0, np.zeros(1)
    blocks: list[_Block] = []
    for start in range(0, len(both), _BLOCK):
        frames = both[start : start + _BLOCK]
        begin, end = _band(standing, low, farthest, len(frames), beam)
        moved = np.full(end - begin, kernels.NEVER)
        moved[: low + len(standing) - begin] = standing[begin - low : end - low]
        places, column = np.unique(graph.column[begin:end], return_inverse=True)
        skipped = int(places[0] < 0)
        scores = scorer.scores(frames, graph.distinct[places[skipped:]])
        blocks.append(_block(scores, graph, probabilities, begin, (column - skipped).astype(np.int32), moved))
        low, standing = begin, blocks[-1].standing
    return _traced(blocks, graph, beam) if low + len(standing) == len(graph) else None


_Probabilities = tuple[NDArray[np.float64], NDArray[np.float64]]


def _block(
    scores: Matrix,
    graph: Graph,
    probabilities: _Probabilities,
    low: int,
    column: NDArray[np.int32],
    standing: NDArray[np.float64],
) -> _Block:
    """Search one block, in a band of states from `low` on; standing: of these, before its first frame."""
    stay, costs = probabilities
    back = np.empty((len(scores), len(standing)), np.uint8)
    after = kernels.search(scores, column, stay, graph.first, graph.sources, costs, low, standing, back)
    return _Block(low, back, after)


def _probabilities(graph: Graph, steps: Steps) -> _Probabilities:
    """Return log-probabilities of each state to stay, and of each arc."""
    stay, leave = (np.append(array, 0.0) for array in (steps.stay, steps.leave))  # -1: takes no frame, costs nothing
    return stay[graph.states], graph.costs + leave[graph.states[graph.sources]]


def _farthest(graph: Graph) -> NDArray[np.int64]:
    """Return, for each state, the highest state that it or a lower one leads to."""
    target = np.repeat(np.arange(len(graph)), np.diff(graph.first))
    reach = np.arange(len(graph))
    np.maximum.at(reach, graph.sources, target)
    return np.maximum.accumulate(reach)


def _band(
    standing: NDArray[np.float64], low: int, farthest: NDArray[np.int64], num_frames: int, beam: float
) -> tuple[int, int]:
    """Return the first state of the next band, and the one behind its last."""
    alive = np.flatnonzero(standing > max(standing.max() - beam, kernels.NEVER / 2))
    if not len(alive):
        return low, low + len(standing)
    high = low + int(alive[-1])
    for _ in range(2 * num_frames):  # a frame may pass through a state that takes none
        high = int(farthest[high])
    return low + int(alive[0]), high + 1


def _traced(blocks: list[_Block], graph: Graph, beam: float) -> Path | None:
    """Go back from the last state. None where nothing reached it, or the path fell far behind on its way."""
    likelihood = float(blocks[-1].standing[-1])
    if likelihood <= kernels.NEVER / 2:
        return None
    path = np.empty(sum(len(block.back) for block in blocks), np.int32)
    state, end = len(graph) - 1, len(path)
    for number, block in enumerate(reversed(blocks)):
        if number and block.standing.max() - block.standing[state - block.low] > _MARGIN * beam:
            return None
        start = end - len(block.back)
        arrays = (block.back, graph.states, graph.first, graph.sources)
        state = int(kernels.trace(*arrays, block.low, state, path[start:end]))
        end = start
    return Path(path, likelihood)
