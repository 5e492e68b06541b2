# SPDX-License-Identifier: Apache-2.0
"""Layouts of words and phones, and vowels found from how phones alternate."""

import pytest

from speechmill.g2p._joint_symbols import Layout, layouts, vowels

TONES = "\u0300\u0301\u0303\u0309\u0323"


@pytest.mark.parametrize(
    ("kind", "letters", "phones"),
    [
        ("plain", "^ b i ế n #", "ɓ iə˨˦ n"),
        ("marks", "^ b i ê \u0301 n #", "ɓ iə ˨˦ n"),
        ("marks-last", "^ b i ê n \u0301 #", "ɓ iə n ˨˦"),
    ],
)
def test_marks_stand_where_the_layout_says(kind, letters, phones):
    layout = Layout(kind, "" if kind == "plain" else TONES)
    assert layout.letters("biến") == letters.split()
    assert layout.phones(("ɓ", "iə˨˦", "n")) == phones.split()
    assert layout.joined(phones.split(), frozenset({"iə"})) == ("ɓ", "iə˨˦", "n")


def test_stress_is_a_contour_too():
    assert Layout("marks", "\u0301").phones(("AH0", "B", "AW1", "T")) == ["AH", "0", "B", "AW", "1", "T"]


def test_a_contour_without_a_phone_to_stand_on_is_no_pronunciation():
    assert Layout("marks", TONES).joined(["˨˦", "n"], frozenset()) is None
    assert Layout("marks-last", TONES).joined(["n", "˨˦"], frozenset({"a"})) is None
    assert Layout("marks-last", TONES).joined(["a", "˨˦", "˨˨"], frozenset({"a"})) is None


def test_only_marks_on_many_letters_are_apart():
    vietnamese = layouts(["á é í ó ú", "ê â ô", "ă", "ơ ư", "à è ì ò ù"])
    assert vietnamese == [Layout("plain"), *(Layout(kind, "\u0300\u0301") for kind in ("marks", "marks-last"))]
    assert layouts(["français", "señor"]) == [Layout("plain")]


def test_vowels_are_told_by_how_they_alternate():
    words = ["b a n a n a", "t o m a t o", "k i w i", "p a p a j a", "m a n g o", "l i m o n e"]
    assert vowels([word.split() for word in words]) == {"a", "o", "i", "e"}


def test_tones_are_no_vowels():
    assert vowels([["m", "a", "˨˦"], ["l", "a", "˨˨"]]) == {"a"}
    assert vowels([]) == frozenset()
