# SPDX-License-Identifier: Apache-2.0
"""What `gmm` says of words that no rule knows."""

import pytest

from speechmill.align.gmm import Config, model_digest, pronounced


@pytest.mark.parametrize(("g2p", "phones"), [(None, ["s", "i˨˨", "ɲ"]), ("none", None)])
def test_vietnamese_loans_are_guessed_at_unless_nothing_is_to_be(g2p, phones):
    found = pronounced(Config(g2p=g2p), "vi-hanoi", "vi", None).variants("sing")
    assert [list(one.phones) for one in found] == ([] if phones is None else [phones])


def test_a_guess_with_a_phone_that_the_model_lacks_is_none():
    assert pronounced(Config(), "vi-hanoi", "vi", None, ["s", "i˨˨"]).variants("sing") == ()


def test_guessing_is_part_of_what_a_result_hangs_on():
    assert model_digest(Config(lexicon="vi-hanoi")) != model_digest(Config(lexicon="vi-hanoi", g2p="none"))
