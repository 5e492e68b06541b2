# SPDX-License-Identifier: Apache-2.0
"""Boundary errors that can be checked by hand."""

from __future__ import annotations

import numpy as np

from speechmill.core.types import Word
from speechmill.measures.boundary import Boundary, boundary, boundary_offsets, pooled

TRUTH = (Word("a", 0.0, 0.1), Word("b", 0.1, 0.2), Word("c", 0.3, 0.1))


def test_a_perfect_alignment():
    assert boundary(TRUTH, TRUTH) == Boundary(3, 3, 3, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0)


def test_starts_and_ends_are_measured_apart():
    found = (Word("a", 0.0, 0.11), Word("b", 0.11, 0.17), Word("c", 0.27, 0.19))
    # Starts are off by 0, 10, 30 ms; ends by 10, 20, 60 ms.
    assert boundary(TRUTH, found) == Boundary(3, 3, 3, 40 / 3, 10.0, 30.0, 20.0, 3 / 6, 4 / 6, 5 / 6)


def test_only_equal_symbols_are_compared():
    found = (Word("a", 0.0, 0.1), Word("x", 0.1, 0.2), Word("y", 0.2, 0.1), Word("c", 0.4, 0.1))
    result = boundary(TRUTH, found)
    assert (result.matched, result.reference, result.hypothesis) == (2, 3, 4)
    assert (result.start_mean_ms, result.end_mean_ms) == (50.0, 50.0)


def test_nothing_matched_has_no_error_to_report():
    assert boundary(TRUTH, ()) == Boundary(0, 3, 0)
    assert pooled([]) == Boundary(0, 0, 0)


def test_offsets_are_signed():
    found = (Word("a", 0.02, 0.07),)
    np.testing.assert_allclose(boundary_offsets(TRUTH, found), [[20.0, -10.0]])


def test_pooling_weighs_each_boundary_the_same():
    late = tuple(Word(word.symbol, word.start + 0.04, word.duration) for word in TRUTH)
    result = pooled([(TRUTH, TRUTH), (TRUTH[:1], late[:1])])
    assert (result.matched, result.start_mean_ms, result.within_25_ms) == (4, 10.0, 0.75)
