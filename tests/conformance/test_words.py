# SPDX-License-Identifier: Apache-2.0
"""What every word segmenter keeps: nothing is lost, nothing is moved, whatever the text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from speechmill.core import registry
from speechmill.core.stage import Context
from speechmill.text.tokens import tokens

TEXTS = {
    "en": "Hello, world! It's 5 o'clock.",
    "vi": "Xin chào các bạn, hôm nay trời đẹp.",
    "yo": "Ẹ kú àárọ̀, ẹ̀kọ́ dára.",
    "th": "สวัสดีครับ วันนี้อากาศดีมาก ๒๕๖๗",
    "zh": "我爱北京天安门，2024年！",
    "zh-hant": "我愛台灣的自然風景。",
    "ja": "今日はいい天気ですね。",
    "km": "ខ្ញុំស្រលាញ់ភាសាខ្មែរ",
    "lo": "ຂ້ອຍຮັກພາສາລາວ",
    "my": "ကျွန်တော်မြန်မာစာကိုချစ်တယ်",
    "mixed": "GPT ดีมาก 我爱 thé\n\tend 👨‍👩‍👧\r\nẹ́",
}


@pytest.fixture(params=registry.names("words"), scope="module")
def backend(request):
    module = registry.load("words", request.param)
    missing = registry.missing_packages(module)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return module.Backend(module.Config(), Context(Path(), Path))


def test_there_are_backends():
    assert {"spaces", "graphemes", "icu", "jieba", "pythainlp"} <= set(registry.names("words"))


@pytest.mark.parametrize("language", TEXTS)
def test_joined_the_parts_are_the_text(backend, language):
    parts = backend.split(TEXTS[language])
    assert "".join(parts) == TEXTS[language]
    assert all(parts)
    assert len(parts) > 1 or " " not in TEXTS[language]


@given(text=st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("กาไม่ 我们 かな ខ្មែ x1 \n")))
@example("")
@settings(max_examples=60, deadline=None)
def test_joined_the_parts_of_any_text_are_the_text(backend, text):
    assert "".join(backend.split(text)) == text


def test_tokens_stand_where_they_say(backend):
    for text in TEXTS.values():
        found = tokens(text, backend.split)
        assert [text[token.start : token.end] for token in found] == [token.symbol for token in found]
        assert all(left.end <= right.start for left, right in pairwise(found))


def test_the_same_text_gives_the_same_parts(backend):
    first = {language: backend.split(text) for language, text in TEXTS.items()}
    assert {language: backend.split(TEXTS[language]) for language in reversed(TEXTS)} == first


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("spaces", "Xin chào", ["Xin", " ", "chào"]),
        ("graphemes", "ẹ́kọ́", ["ẹ́", "k", "ọ́"]),
        ("icu", "ภาษาไทยง่าย", ["ภาษา", "ไทย", "ง่าย"]),
        ("icu", "今日はいい天気", ["今日", "は", "いい", "天気"]),
        ("jieba", "我来到北京清华大学", ["我", "来到", "北京", "清华大学"]),
        ("pythainlp", "วันนี้อากาศดี", ["วันนี้", "อากาศ", "ดี"]),
    ],
)
def test_words_that_a_reader_would_find(name, text, words):
    module = registry.load("words", name)
    if missing := registry.missing_packages(module):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert module.Backend(module.Config(), Context(Path(), Path)).split(text) == words
