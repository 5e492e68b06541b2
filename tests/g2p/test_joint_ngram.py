# SPDX-License-Identifier: Apache-2.0
"""Smoothed n-grams: probabilities that sum to one, and what was seen is likelier."""

import math

import pytest

from speechmill.g2p._joint_ngram import END, START, Reader, estimate

SEQUENCES = [[2, 3], [2, 3, 4], [2, 4], [3, 4, 5], [2, 3, 5], [5, 5, 2, 3]]


@pytest.fixture(scope="module", params=[1, 2, 3, 5])
def reader(request):
    return Reader(estimate(SEQUENCES, 7, max(2, request.param)))


def test_after_every_history_the_probabilities_sum_to_one(reader):
    states = [START]
    for state in states:
        following = list(reader.following(state, END, 7))  # nothing begins a second time
        assert len({symbol for symbol, _, _ in following}) == 6
        assert math.fsum(math.exp(log) for _, log, _ in following) == pytest.approx(1.0, abs=1e-9)
        states += [after for symbol, _, after in following if symbol != END and after not in states][: 40 - len(states)]
    assert len(states) > 5


def test_what_was_seen_is_likelier(reader):
    assert reader.score([2, 3]) > reader.score([4, 2])


def test_a_sequence_is_as_likely_as_its_steps(reader):
    state, total = START, 0.0
    for symbol in (2, 3, END):
        ((_, log, state),) = reader.following(state, symbol, symbol + 1)
        total += log
    assert reader.score([2, 3]) == pytest.approx(total)


def test_a_symbol_that_never_came_has_a_small_probability():
    assert -20 < Reader(estimate(SEQUENCES, 7, 3)).score([6]) < Reader(estimate(SEQUENCES, 7, 3)).score([5])
