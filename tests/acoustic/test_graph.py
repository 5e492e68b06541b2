# SPDX-License-Identifier: Apache-2.0
"""Graphs small enough to read."""

import numpy as np

from speechmill.acoustic.graph import UNKNOWN, Variant, build

STATES = {"a": (10, 11, 12), "b": (20, 21, 22), "<sil>": (0, 1, 2), UNKNOWN: (3, 3)}


def plain(phone, left, right):
    return STATES[phone]


def contextual(phone, left, right):
    """`b` sounds different after `a`."""
    return (30, 31, 32) if (phone, left) == ("b", "a") else STATES[phone]


PAUSE = float(np.log(0.5))
WORDS = {"a": [Variant(("a",), 0.0, PAUSE, PAUSE)], "b": [Variant(("b",), 0.0, PAUSE, PAUSE)]}


def paths(graph):
    """Every way through the graph, as the model's states and probabilities."""
    found = {0: [((), 1.0)]}
    for state in range(1, len(graph)):
        found[state] = []
        for place in range(graph.first[state], graph.first[state + 1]):
            for before, probability in found[int(graph.sources[place])]:
                own = (int(graph.states[state]),) if graph.states[state] >= 0 else ()
                found[state].append((before + own, probability * float(np.exp(graph.costs[place]))))
    return dict(found[len(graph) - 1])


def test_pauses_may_be_anywhere_around_a_word():
    found = paths(build(((("a",),),), WORDS, plain, PAUSE))
    word, silence = (10, 11, 12), (0, 1, 2)
    assert set(found) == {word, silence + word, word + silence, silence + word + silence}


def test_two_words_with_and_without_a_pause_between():
    graph = build(((("a",),), (("b",),)), WORDS, plain, PAUSE)
    found = paths(graph)
    assert len(found) == 8
    assert found[(10, 11, 12, 20, 21, 22)] == 0.5 * 0.5 * 0.5
    assert graph.min_frames == 6


def test_a_neighbour_across_words_counts_only_without_a_pause():
    found = paths(build(((("a",),), (("b",),)), WORDS, contextual, PAUSE))
    assert (10, 11, 12, 30, 31, 32) in found
    assert (10, 11, 12, *[0] * 7, *[1] * 7, *[2] * 7, 20, 21, 22) in found  # a pause lasts 21 frames
    assert not any(path[-3:] == (20, 21, 22) and 0 not in path for path in found)


def test_a_token_may_be_said_in_several_ways():
    found = paths(build(((("a",), ("b", "a")), (("b",),)), WORDS, plain, float(np.log(1e-9))))
    spoken = {tuple(state for state in path if state not in (0, 1, 2)) for path in found}
    assert spoken == {(10, 11, 12, 20, 21, 22), (20, 21, 22, 10, 11, 12, 20, 21, 22)}


def test_every_place_is_known_by_token_way_and_word():
    graph = build(((("a",), ("b", "a")), (), (("b",),)), WORDS, plain, PAUSE)
    assert [(unit.token, unit.way, unit.word, unit.phone) for unit in graph.units] == [
        (0, 0, 0, "a"),
        (0, 1, 0, "b"),
        (0, 1, 1, "a"),
        (2, 0, 0, "b"),
    ]


def test_many_pronunciations_fit_into_a_byte():
    words = {"x": [Variant(("a", "b"), 0.0, PAUSE, PAUSE)] * 700}
    graph = build(((("x",),), (("x",),)), words, plain, PAUSE)
    assert int(np.diff(graph.first).max()) <= 200
    assert len(graph.units) == 2800


def test_arcs_lead_upwards():
    graph = build(((("a",), ("b", "a")), (("b",),)), WORDS, contextual, PAUSE)
    targets = np.repeat(np.arange(len(graph)), np.diff(graph.first))
    assert (graph.sources < targets).all()
