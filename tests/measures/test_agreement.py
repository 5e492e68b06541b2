# SPDX-License-Identifier: Apache-2.0
"""Agreement counted by hand."""

from __future__ import annotations

import pytest

from speechmill.measures.agreement import agreement


def plain(text):
    return [(word, None) for word in text.split()]


def test_rates_count_errors_over_the_first_text():
    found = agreement(plain("the cat sat down"), plain("the cap sat"), 0.6)
    assert found.wer == 0.5  # one other, one missing, of four
    assert found.cer == pytest.approx(5 / 13)  # t became p, and down is gone


def test_without_scores_a_confidence_is_the_vote():
    assert agreement(plain("a b c"), plain("a x c"), 0.6).confidences == (1.0, 0.0, 1.0)


def test_a_vote_and_the_mean_of_both_scores_make_a_confidence():
    found = agreement([("a", 0.5), ("b", 0.5)], [("a", 0.9), ("x", 0.9)], 0.6)
    # agreed: 0.6 + 0.4 * (0.5 + 0.9) / 2; not agreed: 0.4 * 0.5, the other's score is of another word
    assert found.confidences == pytest.approx((0.88, 0.2))


def test_rates_end_at_one():
    assert agreement(plain("a"), plain("b c d e"), 0.6).wer == 1.0
    assert agreement(plain("a"), [], 0.6) == agreement(plain("a"), plain(""), 0.6)
