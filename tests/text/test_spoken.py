# SPDX-License-Identifier: Apache-2.0
"""From text to spoken words and back: every token once, in order, whatever it holds."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from speechmill.core.types import Word
from speechmill.text._ways import listed
from speechmill.text.characters import folded, graphemes
from speechmill.text.roman import value
from speechmill.text.spoken import SpokenWord, fold, spoken

LANGUAGES = ["en", "en-GB", "vi", "yo", "th", "tr", None]
PIECES = st.sampled_from(
    listed(
        "$43,000 3/4/2021 i.e. 20% -5°C Dr. 10:30 1990s ½ VIII TP.HCM 43.000đ 10h30 me@site.org C++ #5 "
        "555-1234 1/0 99/99/9999 5-10kg 23:61 $. 1.2.3.4 ẹ́kọ́ ภาษา ٤٢ don't — & IV HTTP/2 24/7 0/5 ' % "
    )
)
TEXTS = st.lists(PIECES | st.text(st.characters(exclude_categories=("Cs",)), max_size=8), max_size=8).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES))
def test_every_token_is_said_or_named_as_unspoken(text, language):
    said = spoken(text, language)
    assert len(said.ways) == len(said.tokens)
    assert [text[token.start : token.end] for token in said.tokens] == [token.symbol for token in said.tokens]
    assert all(left.end <= right.start for left, right in pairwise(said.tokens))
    indices = [word.token for word in said.words]
    assert indices == sorted(indices)
    assert sorted({*indices, *said.unspoken}) == list(range(len(said.tokens)))
    assert not {*indices} & {*said.unspoken}
    assert spoken(text, language) == said


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES))
def test_spoken_words_have_neither_digits_nor_blanks(text, language):
    for ways in spoken(text, language).ways:
        assert len(set(ways)) == len(ways) <= 12
        for way in ways:
            assert way
            for word in way:
                assert word
                assert not any(character.isdigit() or character.isspace() for character in word), (word, text)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES), st.randoms(use_true_random=False))
def test_folding_gives_every_token_a_time_in_order(text, language, random):
    said = spoken(text, language)
    chosen = [random.randrange(len(ways)) if ways else 0 for ways in said.ways]
    count = sum(len(ways[way]) for ways, way in zip(said.ways, chosen, strict=True) if ways)
    words = fold(said, [Word("x", i * 1.0, 0.5, 0.5) for i in range(count)], count * 1.0, chosen)
    assert [word.symbol for word in words] == [token.symbol for token in said.tokens]
    assert all(left.end <= right.start + 1e-6 for left, right in pairwise(words))
    assert all(word.duration >= 0 and word.end <= count + 1e-6 for word in words)
    assert {i for i, word in enumerate(words) if word.score == 0.0} == set(said.unspoken)


def test_a_token_lasts_from_its_first_word_to_its_last():
    said = spoken("It cost $43,000.", "en")
    timed = [Word(str(i), i / 2, 0.4, score) for i, score in enumerate([1.0, 1.0, 0.9, 0.8, 0.7, 0.4])]
    assert fold(said, timed, 3.0) == (
        Word("It", 0.0, 0.4, 1.0),
        Word("cost", 0.5, 0.4, 1.0),
        Word("$43,000", 1.0, 1.9, 0.7),
    )


def test_scores_weigh_as_long_as_their_words_last():
    said = spoken("20%", "en")
    (word,) = fold(said, [Word("twenty", 0.0, 0.3, 1.0), Word("percent", 0.3, 0.1, 0.0)], 1.0)
    assert word.score == 0.75
    (word,) = fold(said, [Word("twenty", 0.0, 0.3), Word("percent", 0.3, 0.1)], 1.0)
    assert word.score is None


def test_another_way_has_another_number_of_words():
    said = spoken("1984", "en")
    assert len(said.ways[0][1]) == 6
    timed = [Word("x", float(i), 1.0, 1.0) for i in range(6)]
    assert fold(said, timed, 6.0, [1]) == (Word("1984", 0.0, 6.0, 1.0),)
    with pytest.raises(ValueError, match="6 timed words for 3 spoken ones of '1984'"):
        fold(said, timed, 6.0)


def test_what_has_no_rule_is_marked_and_gets_what_is_left():
    said = spoken("23 ọmọ 4 5", "yo")
    assert said.words == (SpokenWord("ọmọ", 1),)
    assert said.unspoken == (0, 2, 3)
    assert fold(said, [Word("ọmọ", 1.0, 1.0, 0.9)], 4.0) == (
        Word("23", 0.0, 1.0, 0.0),
        Word("ọmọ", 1.0, 1.0, 0.9),
        Word("4", 2.0, 1.0, 0.0),
        Word("5", 3.0, 1.0, 0.0),
    )


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("Ilé-ìwé Ẹ̀KỌ́", "yo", ["ilé", "ìwé", "ẹ̀kọ́"]),
        ("ISTANBUL’da", "tr", ["ıstanbul'da"]),
        ("می‌خواهم", "fa", ["می‌خواهم"]),
        ("नमस्ते दुनिया।", "hi", ["नमस्ते", "दुनिया"]),
        ("Hello", None, ["hello"]),
    ],
)
def test_words_of_other_languages_stay_as_they_are(text, language, words):
    assert [word.word for word in spoken(text, language).words] == words


def test_text_without_blanks_is_parted_first():
    said = spoken("ภาษาไทย", "th", lambda text: [text[:4], text[4:]])
    assert [token.symbol for token in said.tokens] == ["ภาษา", "ไทย"]


@pytest.mark.parametrize(
    ("numeral", "number"),
    [("I", 1), ("IV", 4), ("XIV", 14), ("XL", 40), ("MCMLXXXIV", 1984), ("IIII", None), ("IC", None), ("", None)],
)
def test_roman_numerals(numeral, number):
    assert value(numeral) == number


GREETINGS = {
    "am": "ሰላም ለዓለም", "ar": "مرحبا بالعالم", "bn": "ওহে বিশ্ব", "bo": "འཛམ་གླིང་ བདེ་ལེགས",
    "cs": "Dobrý den, světe", "de": "Grüß Gott, schöne Welt", "el": "Γειά σου, Κόσμε",
    "fa": "سلام می‌کنم دنیا", "fr": "L’été à Noël", "ha": "Sannu duniya ƙasa", "he": "שלום עולם",
    "hi": "नमस्ते दुनिया", "hu": "Jó reggelt", "ig": "Ụtụtụ ọma", "ja": "こんにちは 世界",
    "ka": "გამარჯობა მსოფლიო", "km": "សួស្តី ពិភពលោក", "ko": "안녕 세상", "my": "မင်္ဂလာပါ ကမ္ဘာ",
    "pl": "Dzień dobry, źdźbło", "ru": "Привет, мир", "ta": "வணக்கம் உலகம்", "th": "สวัสดี ชาวโลก",
    "tr": "Günaydın IŞIK", "vi": "Chào thế giới", "yo": "Ẹ káàárọ̀ ayé", "zh": "你好 世界",
}  # fmt: skip


@pytest.mark.parametrize("language", GREETINGS)
def test_words_of_many_languages_pass_through(language):
    text = GREETINGS[language]
    said = spoken(unicodedata.normalize("NFD", text), language)
    assert len(said.tokens) == len(text.split())
    assert said.unspoken == ()
    letters = "".join(graphemes(folded("".join(word.word for word in said.words), language)))
    assert letters == "".join(c for c in folded(text, language).replace("’", "'") if c not in " ,་")


def test_capitals_throughout_are_words(shared_data):
    rows = (shared_data / "librispeech_test_other" / "transcripts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for text in (row.split("\t")[1].upper() for row in rows):
        said = spoken(text, "en")
        assert [token.symbol for token in said.tokens] == text.split()
        assert [word.word for word in said.words if len(word.word) > 1] == [
            w for w in text.lower().split() if len(w) > 1
        ]
