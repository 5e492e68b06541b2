# SPDX-License-Identifier: Apache-2.0
"""Letters as the dictionary has them, and sounds guessed from letters."""

from __future__ import annotations

import itertools
import string

import pytest

from speechmill.align._english import latin, letter_to_sound
from speechmill.core.errors import Unalignable


@pytest.mark.parametrize(
    ("word", "spelled"), [("hello", "hello"), ("don’t", "don't"), ("café", "cafe"), ("Æsop", "aesop"), ("Łódź", "lodz")]
)
def test_words_are_spelled_as_the_dictionary_spells(word, spelled):
    assert latin(word) == spelled


@pytest.mark.parametrize("word", ["mẹ日", "привет", "٣", "〡", "b2b"])
def test_what_is_no_latin_letter_is_refused(word):
    with pytest.raises(Unalignable) as caught:
        latin(word)
    assert caught.value.reason == "unknown-characters"


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
