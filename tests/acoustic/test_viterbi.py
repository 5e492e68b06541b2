# SPDX-License-Identifier: Apache-2.0
"""The search against every path there is, and a band against none."""

import numpy as np

from speechmill.acoustic import viterbi
from speechmill.acoustic.gmm import Mixtures, Scorer, doubled
from speechmill.acoustic.graph import Variant, build
from speechmill.acoustic.passes import even_steps

PAUSE = float(np.log(0.5))


def setting(num_words, num_frames, seed=0):
    """A graph of words of one phone each, ten states of a model, and features near the path that is meant."""
    words = {"a": [Variant(("a",), 0.0, PAUSE, PAUSE)], "b": [Variant(("b",), 0.0, PAUSE, PAUSE)]}
    states = {"a": (4, 5, 6), "b": (7, 8, 9), "<sil>": (0, 1, 2)}
    ways = tuple((("ab"[number % 2],),) for number in range(num_words))
    graph = build(ways, words, lambda phone, left, right: states[phone], PAUSE)
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 3, (10, 4))
    mixtures = Mixtures(np.arange(11, dtype=np.int32), np.ones(10), means, np.ones((10, 4)))
    meant = [state for number in range(num_words) for state in states["ab"[number % 2]]]
    spread = np.array(meant)[np.arange(num_frames) * len(meant) // num_frames]
    features = (means[spread] + rng.normal(0, 1, (num_frames, 4))).astype(np.float32)
    return features, graph, Scorer(mixtures), even_steps(10)


def best_by_hand(features, graph, scorer, steps):
    """Try every path, frame by frame, with a dictionary."""
    scores = scorer.scores(doubled(features), np.arange(10))
    reached = {0: (0.0, ())}

    def through(reached, frame):
        moved = {}
        for state in range(1, len(graph)):
            own = int(graph.states[state])
            options = (
                [] if own < 0 or state not in reached else [(reached[state][0] + steps.stay[own], reached[state][1])]
            )
            for place in range(graph.first[state], graph.first[state + 1]):
                source = int(graph.sources[place])
                pool = reached if own >= 0 else moved
                if source in pool:
                    left = int(graph.states[source])
                    cost = graph.costs[place] + (steps.leave[left] if left >= 0 else 0.0)
                    options.append((pool[source][0] + cost, pool[source][1]))
            if options:
                value, path = max(options)
                moved[state] = (value + scores[frame, own], (*path, state)) if own >= 0 else (value, path)
        return moved

    for frame in range(len(features)):
        reached = through(reached, frame)
    return reached.get(len(graph) - 1)


def test_the_path_is_the_best_of_all():
    features, graph, scorer, steps = setting(3, 17)
    likelihood, path = best_by_hand(features, graph, scorer, steps)
    found = viterbi.search(features, graph, scorer, steps)
    assert found.states.tolist() == list(path)
    assert abs(found.likelihood - likelihood) < 1e-6


def test_fewer_frames_than_states_have_no_path():
    features, graph, scorer, steps = setting(3, 8)
    assert viterbi.search(features, graph, scorer, steps) is None


def test_a_band_finds_the_path_that_the_whole_search_finds(monkeypatch):
    features, graph, scorer, steps = setting(60, 2000)
    whole = viterbi.search(features, graph, scorer, steps)
    monkeypatch.setattr(viterbi, "_WHOLE", 0)
    banded = viterbi.search(features, graph, scorer, steps)
    assert banded.states.tolist() == whole.states.tolist()


def test_a_beam_that_is_too_narrow_widens(monkeypatch):
    features, graph, scorer, steps = setting(60, 2000)
    features[:400] = features[1600:]  # a stretch that fits other words far better
    whole = viterbi.search(features, graph, scorer, steps)
    monkeypatch.setattr(viterbi, "_WHOLE", 0)
    monkeypatch.setattr(viterbi, "_BEAM", 1.0)
    banded = viterbi.search(features, graph, scorer, steps)
    assert banded.states.tolist() == whole.states.tolist()
