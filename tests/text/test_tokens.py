# SPDX-License-Identifier: Apache-2.0
"""Tokens: what stands alone, what belongs together, and where it stands."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from speechmill.text.tokens import SIGNS, Token, tokens


def symbols(text, **options):
    return [token.symbol for token in tokens(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", ["Hello", "world"]),
        ("“Don’t” — he said… (twice)", ["Don’t", "he", "said", "twice"]),
        ("50% & $5.", ["50%", "&", "$5"]),
        ("$ 5 million", ["$ 5", "million"]),
        ("rock—star… and more...then", ["rock", "star", "and", "more", "then"]),
        ("yes,no!maybe 1,000 a.b", ["yes", "no", "maybe", "1,000", "a.b"]),
        ("-5 −3 .5 '90s ’90s", ["-5", "−3", ".5", "'90s", "’90s"]),
        ("-well- 'quoted' -", ["well", "quoted"]),
        ("U.S. and i.e. it.", ["U.S.", "and", "i.e.", "it"]),
        ("#1 @home C# C++ 20°", ["#1", "@home", "C#", "C++", "20°"]),
        ("♪ la la ♪ 🎵", ["la", "la"]),
        ("— ... !? *** []", []),
        ("ẹ́kọ́ कि กำ", ["ẹ́kọ́", "कि", "กำ"]),
        ("", []),
    ],
)
def test_symbols_are_tokens_without_outer_punctuation(text, expected):
    assert symbols(text) == expected


def test_a_dot_belongs_to_known_abbreviations():
    assert symbols("Dr. Lee, the dr., sat.", dotted=frozenset({"dr"})) == ["Dr.", "Lee", "the", "dr.", "sat"]


def test_places_are_those_in_the_text_as_it_was_given():
    text = " “Me\u0323” cost\u00a0$ 5."
    assert tokens(text) == [Token("Me\u0323", 2, 5), Token("cost", 7, 11), Token("$ 5", 12, 15)]


def test_a_segmenter_parts_what_has_no_blanks():
    assert symbols("ภาษาไทย!", split=lambda text: [text[:4], text[4:]]) == ["ภาษา", "ไทย"]


@given(st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("$5 .,-'%a—U.S.")))
@example("$\u20055")
def test_every_letter_and_digit_is_in_one_token(text):
    found = tokens(text)
    assert [text[token.start : token.end] for token in found] == [token.symbol for token in found]
    assert all(left.end <= right.start for left, right in pairwise(found))
    covered = {place for token in found for place in range(token.start, token.end)}
    for place, character in enumerate(text):
        if unicodedata.category(character)[0] in "LN":
            assert place in covered, (character, found)
    for token in found:
        assert any(unicodedata.category(c)[0] in "LMN" or c in SIGNS for c in token.symbol)
