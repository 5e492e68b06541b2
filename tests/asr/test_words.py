# SPDX-License-Identifier: Apache-2.0
"""Tokens of many vocabularies joined to words, by hand."""

from __future__ import annotations

import pytest

from speechmill.asr._words import Timed, from_starts, placed, spelled, utterance
from speechmill.core.types import Interval, Word


def tokens(*symbols: str) -> list[Timed]:
    """One token every 0.1 s."""
    return [Timed(symbol, i / 10, (i + 1) / 10, 0.5) for i, symbol in enumerate(symbols)]


def symbols(*parts: str) -> list[str]:
    return [word.symbol for word in spelled(tokens(*parts))]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (("▁xin", "▁ch", "ào"), ["xin", "chào"]),
        ((" HE", "LLO", " WORLD"), ["HELLO", "WORLD"]),
        (("h", "i", "|", "y", "o", "u"), ["hi", "you"]),
        (("h", "i", " ", "y", "o", "u"), ["hi", "you"]),
        (("▁", "x", "▁y"), ["x", "y"]),
        (("▁don", "'", "t", "."), ["don't."]),
        (("你", "好"), ["你", "好"]),
        (("▁你好", "▁世", "界", "。"), ["你", "好", "世", "界。"]),
        (("用", "▁py", "thon", "写"), ["用", "python", "写"]),
        (("ひ", "ら", "カ", "ナ"), ["ひ", "ら", "カ", "ナ"]),
        (("▁สวัสดี", "ครับ"), ["สวัสดีครับ"]),
        (("one two", " three"), ["one", "two", "three"]),
        (("<0xE1>", "<0xBA>", "<0xA1>", "n"), ["ạn"]),
        (("▁", "|"), []),
        ((), []),
    ],
)
def test_words_start_at_spaces_and_at_each_character_of_chinese_and_japanese(parts, words):
    assert symbols(*parts) == words


def test_a_mark_stays_with_its_letter_and_is_composed():
    assert symbols("▁e", "\u0323", "\u0301") == ["ẹ́"]


def test_a_word_lasts_from_its_first_token_to_its_last_and_has_their_mean_score():
    (first, second) = spelled([Timed("▁a", 0.0, 0.1, 0.2), Timed("b", 0.3, 0.4, 0.6), Timed("▁c", 0.5, 0.6, None)])
    assert (first.start, first.end, first.score) == (0.0, 0.4, pytest.approx(0.4))
    assert (second.start, second.end, second.score) == (0.5, 0.6, None)


def test_characters_of_one_token_share_its_time():
    found = spelled([Timed("▁世界", 1.0, 1.4)])
    assert [(word.symbol, word.start, word.end) for word in found] == [("世", 1.0, 1.2), ("界", 1.2, 1.4)]


def test_a_token_without_an_end_lasts_to_the_next_or_a_fifth_of_a_second():
    found = from_starts(["a", "b", "c"], [0.0, 0.1, 1.0], [0.9, 0.8, 0.7], 1.05)
    assert [(one.start, one.end, one.score) for one in found] == [
        (0.0, 0.1, 0.9),
        (0.1, pytest.approx(0.3), 0.8),
        (1.0, 1.05, 0.7),
    ]


def test_scores_of_another_length_are_none_of_these_tokens():
    assert [one.score for one in from_starts(["a", "b"], [0.0, 0.1], [0.9], 1.0)] == [None, None]


def test_words_are_moved_into_their_chunk_in_order():
    timed = [Timed("a", -0.1, 0.5, 1.2), Timed("b", 0.4, 0.6), Timed("c", 1.9, 2.5, 0.25)]
    assert placed(timed, Interval(10.0, 2.0)) == (
        Word("a", 10.0, 0.5, 1.0),
        Word("b", 10.5, 0.1, None),
        Word("c", 11.9, 0.1, 0.25),
    )


def test_an_utterance_spans_its_words():
    found = utterance(" xin  chào ", tokens("xin", "chào"), Interval(5.0, 3.0, 1), "vi")
    assert (found.text, found.start, found.duration, found.channel, found.language) == ("xin chào", 5.0, 0.2, 1, "vi")
    assert [word.symbol for word in found.words] == ["xin", "chào"]


def test_words_that_do_not_spell_the_text_are_left_out():
    found = utterance("21", tokens("twenty", "one"), Interval(5.0, 3.0), None)
    assert (found.text, found.start, found.duration, found.words) == ("21", 5.0, 3.0, ())


def test_no_text_is_no_utterance():
    assert utterance(" ", [], Interval(5.0, 3.0), "en") is None
