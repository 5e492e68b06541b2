# SPDX-License-Identifier: Apache-2.0
"""Optimal assignment against every permutation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from speechmill.measures.assignment import assign


def test_the_greedy_choice_is_not_taken_where_it_costs_more():
    # Greedy takes 10 and is left with 1; the optimum is 9 + 9.
    assert assign([[10, 9], [9, 1]]) == [(0, 1), (1, 0)]


def test_more_rows_than_columns_leaves_the_poorest_row_out():
    assert assign([[1], [3], [2]]) == [(1, 0)]


def test_nothing_to_assign():
    assert assign(np.zeros((0, 3))) == []


def test_a_gain_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        assign([[1.0, float("nan")]])


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (4, 6), (6, 4), (5, 5)])
def test_no_permutation_is_better(shape):
    generator = np.random.default_rng(0)
    for _ in range(40):
        gain = generator.integers(-9, 10, shape).astype(float)  # small integers: many ties
        wide = gain if shape[0] <= shape[1] else gain.T
        best = max(
            sum(wide[row, column] for row, column in enumerate(columns))
            for columns in itertools.permutations(range(wide.shape[1]), wide.shape[0])
        )
        pairs = assign(gain)
        assert len(pairs) == min(shape)
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
        assert sum(gain[pair] for pair in pairs) == best
