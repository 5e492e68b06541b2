# SPDX-License-Identifier: Apache-2.0
"""Which words a text has, and how they are said."""

from __future__ import annotations

import itertools
import string

import pytest

from speechmill.align._english import letter_to_sound, number_words, readings, written
from speechmill.core.errors import Unalignable


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Hello, world!", ["Hello", "world"]),
        ("“Don’t” — he said… (twice)", ["Don’t", "he", "said", "twice"]),
        ("50% & $5.", ["50%", "&", "$5"]),
        ("♪ — ... !?", []),
        ("", []),
    ],
)
def test_symbols_are_tokens_without_outer_punctuation(text, symbols):
    assert written(text) == symbols


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("Hello", "hello"),
        ("Don’t", "don't"),
        ("well-known", "well known"),
        ("U.S", "u s"),
        ("café", "cafe"),
        ("50%", "fifty percent"),
        ("$5.50", "five point five zero dollars"),
        ("1,200", "one thousand two hundred"),
        ("21st", "twenty first"),
        ("40th", "fortieth"),
        ("2005", "two thousand five"),
    ],
)
def test_symbols_are_said_as_words(symbol, said):
    assert readings(symbol) == [said.split()]


def test_a_year_has_two_readings():
    assert readings("1905")[0] == ["nineteen", "oh", "five"]
    assert readings("1905")[1] == ["one", "thousand", "nine", "hundred", "five"]


@pytest.mark.parametrize("symbol", ["mẹ日", "привет", "٣", "〡"])
def test_other_scripts_are_refused(symbol):
    with pytest.raises(Unalignable) as caught:
        readings(symbol)
    assert caught.value.reason == "unknown-characters"


@pytest.mark.parametrize(
    ("digits", "said"),
    [
        ("0", "zero"),
        ("13", "thirteen"),
        ("100", "one hundred"),
        ("999999", "nine hundred ninety nine thousand nine hundred ninety nine"),
        ("1000000", "one zero zero zero zero zero zero"),
        ("007", "zero zero seven"),
    ],
)
def test_numbers(digits, said):
    assert number_words(digits) == said.split()


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("helstone", "HH EH L S T OW N"),
        ("knight", "N AY T"),
        ("quickly", "K W IH K L IY"),
        ("station", "S T AE SH AH N"),
    ],
)
def test_letters_to_sounds(word, phones):
    assert letter_to_sound(word) == phones.split()


def test_any_letters_have_a_sound():
    for letters in itertools.product(string.ascii_lowercase, repeat=3):
        assert letter_to_sound("".join(letters))
