# SPDX-License-Identifier: Apache-2.0
"""Letters as phones, in several scripts."""

from pathlib import Path

import pytest

from speechmill.core.stage import Context
from speechmill.g2p.graphemes import Backend, Config


def said(word, **options):
    found = Backend(Config(**options), Context(Path(), Path)).pronounce([word])[0]
    return [variant.phones for variant in found]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("Hello", "h e l l o"),
        ("E\u0323\u0300ko\u0323\u0301", "ẹ\u0300 k ọ\u0301"),  # Yoruba, taken apart
        ("ẹ̀kọ́", "ẹ\u0300 k ọ\u0301"),
        ("ภาษาไทย", "ภ า ษ า ไ ท ย"),
        ("ที่", "ที่"),
        ("كتـاب", "ك ت ا ب"),  # with a tatweel
        ("می\u200cخواهم", "م ی خ و ا ه م"),
        ("हिन्दी", "हि न्दी"),
        ("Straße", "s t r a s s e"),
        ("don’t", "d o n t"),
        ("b2b", "b b"),
        ("我们", "我 们"),
    ],
)
def test_each_cluster_is_a_phone(word, phones):
    assert said(word) == [tuple(phones.split())]


def test_hangul_is_taken_apart():
    assert said("한국") == [("\u1112", "\u1161", "\u11ab", "\u1100", "\u116e", "\u11a8")]


def test_marks_may_be_phones():
    assert said("ọ́", marks=True) == [("o", "\u25cc\u0323", "\u25cc\u0301")]


@pytest.mark.parametrize("word", ["", "123", "$5", "\u0301", "—"])
def test_a_word_without_letters_has_no_pronunciation(word):
    assert said(word) == []
