# SPDX-License-Identifier: Apache-2.0
"""What `gmm` says of words that no rule knows."""

import pytest

from speechmill.align.gmm import Config, model_digest, pronounced


@pytest.mark.parametrize(("g2p", "phones"), [(None, ["s", "i˨˨", "ɲ"]), ("none", None)])
def test_vietnamese_loans_are_guessed_at_unless_nothing_is_to_be(g2p, phones):
    found = pronounced(Config(g2p=g2p), "vi-hanoi", "vi", None).variants("sing")
    assert [list(one.phones) for one in found] == ([] if phones is None else [phones])


def test_what_a_rule_says_is_no_guess():
    words = pronounced(Config(), "vi-hanoi", "vi", None)
    assert [words.is_guessed(word) for word in ("xin", "sing")] == [False, True]


def test_what_a_file_has_is_no_guess(tmp_path):
    (tmp_path / "few.dict").write_text("sing\ts i ŋ\n")
    words = pronounced(Config(g2p="vi-hanoi"), str(tmp_path / "few.dict"), "vi", None)
    assert [words.is_guessed(word) for word in ("sing", "xin")] == [False, True]
    assert [" ".join(words[word][0].phones) for word in ("sing", "xin")] == ["s i ŋ", "s iː˨˨ n"]


def test_a_guess_with_a_phone_that_the_model_lacks_is_none():
    assert pronounced(Config(), "vi-hanoi", "vi", None, ["s", "i˨˨"]).variants("sing") == ()


def test_guessing_is_part_of_what_a_result_hangs_on():
    assert model_digest(Config(lexicon="vi-hanoi")) != model_digest(Config(lexicon="vi-hanoi", g2p="none"))
