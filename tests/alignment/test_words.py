# SPDX-License-Identifier: Apache-2.0
"""Texts in words of a lexicon: as they stand first, then as they are said."""

import pytest

from speechmill.alignment.corpus import Corpus, Recording, Utterance
from speechmill.alignment.lexica import Source, prepare, source
from speechmill.alignment.words import Wording, script_language
from speechmill.core.errors import ConfigError
from speechmill.formats.lexicon import Lexicon, Pronunciation

PHONES = (Pronunciation(("x",)),)


def wording(*words, language=None):
    return Wording(Lexicon(dict.fromkeys(words, PHONES)), language)


@pytest.mark.parametrize(
    ("words", "language", "text", "ways"),
    [
        (("wacex000x000",), None, "wacex000x000", ((("wacex000x000",),),)),
        (("HELLO", "i'm"), None, "Hello, I’m", ((("HELLO",),), (("i'm",),))),
        (("Hello", "hello"), None, "Hello", ((("Hello",),),)),
        (("forty", "three", "dollars"), "en", "$43.", ((("forty", "three", "dollars"),),)),
        (("$43",), "en", "$43", ((("$43",),),)),
        (("well", "known"), None, "well-known", ((("well", "known"),),)),
        (("<noise>",), None, "<noise>", ((("<noise>",),),)),
        (("hoà",), "vi", "Hòa", ((("hoà",),),)),
        (("hòa",), "vi", "hoà", ((("hòa",),),)),
        (("ısparta",), "tr", "ISPARTA", ((("ısparta",),),)),
    ],
)
def test_a_token_is_found_in_the_lexicon(words, language, text, ways):
    found = wording(*words, language=language)(text)
    assert (found.ways, found.oov, found.known) == (ways, (), len(ways))


def test_a_word_that_is_nowhere_is_oov_and_a_number_without_rules_has_no_way():
    found = wording("one")("one Two 42 [laughter]")
    assert found.ways == ((("one",),), (("two",),), (), (("[laughter]",),))
    assert (found.oov, found.unspoken, found.known) == (("two", "[laughter]"), ("42",), 1)


def test_only_ways_that_the_lexicon_has_are_kept():
    ways = wording("nineteen", "eighty", "four", language="en")("1984").ways
    assert ways == ((("nineteen", "eighty", "four"),),)


def test_thai_is_parted_into_words_without_being_told():
    found = wording("สวัสดี", "ครับ")("สวัสดีครับ")
    assert found.ways == ((("สวัสดี",),), (("ครับ",),))


def test_yoruba_marks_stay_with_their_letters():
    assert wording("ẹ́kọ́")("Ẹ́kọ́ dára").ways == ((("ẹ́kọ́",),), (("dára",),))


def test_latin_script_needs_no_segmenter():
    assert script_language("chào สวัสดี") is None


def corpus_of(text):
    utterance = Utterance("a", text, "ann", 0.0, 1.0)
    return Corpus((Recording("a", None, None, 1.0, 1, 16000, (utterance,)),), ())


class Letters:
    def pronounce(self, words):
        return [(Pronunciation(tuple(word)),) if word.isascii() else () for word in words]


def test_what_the_lexicon_lacks_is_predicted_where_it_can_be():
    prepared = prepare(corpus_of("one two два 7"), Source("x", Lexicon({"one": PHONES}), Letters()), None)
    assert prepared.lexicon.entries == {"one": PHONES, "two": (Pronunciation(("t", "w", "o")),)}
    assert prepared.oov == {"два": 1, "7": 1}
    assert list(prepared.predicted) == ["two"]
    assert prepared.worded["a"].known == 2


def test_a_name_guesses_where_that_is_asked_for_and_the_guess_is_told_from_the_rules():
    text = "xin chào facebook"
    strict = prepare(corpus_of(text), source("vi-hanoi", None, "vi"), "vi")
    assert (strict.oov, list(strict.predicted)) == ({"facebook": 1}, [])
    guessed = prepare(corpus_of(text), source("vi-hanoi", "train", "vi"), "vi")
    assert (guessed.oov, list(guessed.predicted)) == ({}, ["facebook"])
    assert sorted(guessed.lexicon.entries) == ["chào", "facebook", "xin"]


def test_a_name_that_nothing_can_be_trained_on_is_refused_with_g2p():
    with pytest.raises(ConfigError, match="--g2p: nothing can be trained on graphemes, which is no file"):
        source("graphemes", "train")


def test_a_lexicon_that_is_neither_file_nor_backend_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="neither a file nor one of"):
        source(str(tmp_path / "none.dict"))


def test_a_backend_that_needs_a_model_is_no_lexicon():
    with pytest.raises(ConfigError, match="no lexicon joint: it is neither"):
        source("joint")
