# SPDX-License-Identifier: Apache-2.0
"""Characters: what is one to a reader, how case folds, and what is spelled one way."""

from __future__ import annotations

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import given

from speechmill.text.characters import composed, folded, graphemes, plain, tones_placed


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("", []),
        ("abc", ["a", "b", "c"]),
        ("ẹ́kọ́", ["ẹ́", "k", "ọ́"]),
        ("e\u0323\u0301", ["e\u0323\u0301"]),
        ("กำลัง", ["กำ", "ลั", "ง"]),
        ("नमस्ते", ["न", "म", "स्ते"]),
        ("한국", ["한", "국"]),
        ("👨‍👩‍👧🇻🇳", ["👨‍👩‍👧", "🇻🇳"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
    ],
)
def test_clusters_are_what_readers_count(text, clusters):
    assert graphemes(text) == clusters


@given(st.text())
def test_clusters_joined_are_the_text(text):
    assert "".join(graphemes(text)) == text


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("ISPARTA İZMİR", "tr", "ısparta izmir"),
        ("ISPARTA", "az-latn", "ısparta"),
        ("ISPARTA", "en", "isparta"),
        ("ISPARTA", None, "isparta"),
        ("STRASSE Straße", "de", "strasse strasse"),
        ("ΌΣΟΣ", "el", "όσοσ"),
        ("ΐ", "el", "ΐ"),
        ("ĐÀ NẴNG", "vi", "đà nẵng"),
    ],
)
def test_case_folds_as_the_language_does(text, language, expected):
    assert folded(text, language) == expected


@given(st.text(), st.sampled_from(["tr", "en", None]))
def test_folding_is_composed_and_done_once(text, language):
    once = folded(text, language)
    assert once == unicodedata.normalize("NFC", once)
    assert folded(once, language) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t ʼn ‘it’ O´Neil", "Don't 'n 'it' O'Neil"),
        ("“a” «b» „c“", '"a" "b" "c"'),
        ("5–10 — a‑b −3", "5-10 - a-b -3"),
        ("１２ ＡＢＣ％", "12 ABC%"),
        ("٤٢ ४२ ๔๒ 𝟰𝟮", "42 42 42 42"),
        ("co\u00adop a\u200bb \ufeffc \u202ad", "coop ab c d"),
        ("می‌خواهم", "می\u200cخواهم"),
        ("a\u00a0b\u3000c\td", "a b c d"),
        ("½ m²", "½ m²"),
    ],
)
def test_what_is_read_one_way_is_spelled_one_way(text, expected):
    assert plain(text) == expected


@given(st.text())
def test_plain_text_stays(text):
    once = plain(text)
    assert plain(once) == once


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("hoà", "hòa"),
        ("Hoá HOÁ", "Hóa HÓA"),
        ("khoẻ", "khỏe"),
        ("thuỷ chung", "thủy chung"),
        ("uỵ", "ụy"),
        ("quý quỳ Quỹ", "quý quỳ Quỹ"),
        ("hoàn toàn thuyền khuỷu ngoài", "hoàn toàn thuyền khuỷu ngoài"),
        ("hòa", "hòa"),
    ],
)
def test_tones_are_placed_the_older_way(newer, older):
    assert tones_placed(newer) == older
    assert tones_placed(unicodedata.normalize("NFD", newer)) == older


def test_composed_is_nfc():
    assert composed("me\u0323") == "mẹ"
