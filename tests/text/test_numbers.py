# SPDX-License-Identifier: Apache-2.0
"""Numbers in words, against parsers of their own: what is said means the number."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from speechmill.text import _english_numbers as english
from speechmill.text import _vietnamese_numbers as vietnamese

NUMBERS = st.integers(0, 10**18 - 1) | st.integers(0, 3000)
EN_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
EN_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}
VI_ONES = {"không": 0, "một": 1, "mốt": 1, "hai": 2, "ba": 3, "bốn": 4, "tư": 4, "năm": 5, "lăm": 5, "sáu": 6}
VI_ONES |= {"bảy": 7, "tám": 8, "chín": 9}


def english_value(words):
    total = group = 0
    for word in words:
        if word == "and":
            continue
        if word in EN_SCALES:
            total, group = total + group * EN_SCALES[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += EN_TENS[word] if word in EN_TENS else english.ONES.index(word)
    return total + group


def vietnamese_value(words):
    """Read back what `cardinal` says; "tỷ" multiplies all before it."""
    total = below = group = last = 0
    for word in words:
        if word in VI_ONES:
            last = VI_ONES[word]
            group += last
        elif word == "mười":
            group += 10
        elif word == "mươi":
            group += last * 9
        elif word == "trăm":
            group += last * 99
        elif word in ("nghìn", "ngàn"):
            below, group = below + group * 1000, 0
        elif word == "triệu":
            below, group = below + group * 10**6, 0
        elif word == "tỷ":
            total, below, group = (total + below + group) * 10**9, 0, 0
        else:
            assert word in ("linh", "lẻ")
    return total + below + group


@given(NUMBERS, st.booleans())
def test_english_cardinals_mean_the_number(number, british):
    assert english_value(english.cardinal(number, british=british)) == number


@given(NUMBERS, st.sampled_from(vietnamese.STYLES[:5]))
def test_vietnamese_cardinals_mean_the_number(number, style):
    assert vietnamese_value(vietnamese.cardinal(number, style)) == number


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (21, "twenty one"),
        (100, "one hundred"),
        (999_999, "nine hundred ninety nine thousand nine hundred ninety nine"),
        (1_000_001, "one million one"),
        (2 * 10**9, "two billion"),
    ],
)
def test_english_cardinals(number, said):
    assert english.cardinal(number) == said.split()


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (33, "thirty third"), (100, "one hundredth")],
)
def test_english_ordinals(number, said):
    assert english.ordinal(number) == said.split()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1066, "ten sixty six"),
        (1900, "nineteen hundred"),
        (1905, "nineteen oh five"),
        (1984, "nineteen eighty four"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2021, "twenty twenty one"),
    ],
)
def test_english_years(number, said):
    assert english.year(number)[0] == said.split()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "không"),
        (10, "mười"),
        (11, "mười một"),
        (14, "mười bốn"),
        (15, "mười lăm"),
        (20, "hai mươi"),
        (21, "hai mươi mốt"),
        (24, "hai mươi tư"),
        (25, "hai mươi lăm"),
        (55, "năm mươi lăm"),
        (101, "một trăm linh một"),
        (105, "một trăm linh năm"),
        (111, "một trăm mười một"),
        (1001, "một nghìn không trăm linh một"),
        (1015, "một nghìn không trăm mười lăm"),
        (2021, "hai nghìn không trăm hai mươi mốt"),
        (10_000, "mười nghìn"),
        (43_000, "bốn mươi ba nghìn"),
        (1_000_000, "một triệu"),
        (1_234_567, "một triệu hai trăm ba mươi tư nghìn năm trăm sáu mươi bảy"),
        (5_000_000_000, "năm tỷ"),
        (12 * 10**12, "mười hai nghìn tỷ"),
        (1_234 * 10**9, "một nghìn hai trăm ba mươi tư tỷ"),
    ],
)
def test_vietnamese_cardinals(number, said):
    assert vietnamese.cardinal(number) == said.split()


def test_vietnamese_numbers_have_a_southern_and_a_short_way():
    said = [" ".join(way) for way in vietnamese.whole("1105")]
    assert "một ngàn một trăm lẻ năm" in said
    assert ["hai", "mốt"] in vietnamese.whole("21")
    assert ["ba", "mươi", "bốn"] in vietnamese.whole("34")


def test_digits_behind_a_leading_zero_are_said_one_by_one():
    assert english.whole("007") == [["zero", "zero", "seven"], ["oh", "oh", "seven"]]
    assert vietnamese.whole("090") == [["không", "chín", "không"]]
