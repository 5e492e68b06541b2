# SPDX-License-Identifier: Apache-2.0
"""IPA by espeak-ng, where it is installed."""

import importlib.util
from pathlib import Path

import pytest

from speechmill.core.errors import ConfigError
from speechmill.core.stage import Context
from speechmill.g2p.espeak import Backend, Config, _phones

HERE = importlib.util.find_spec("espeakng_loader") is not None
installed = pytest.mark.skipif(not HERE, reason="espeakng-loader is not installed")


def said(word, language, **options):
    found = Backend(Config(language, **options), Context(Path(), Path)).pronounce([word])[0]
    return [" ".join(variant.phones) for variant in found]


@installed
@pytest.mark.parametrize(
    ("language", "word", "phones"),
    [("en", "hello", "h ə l oʊ"), ("de", "straße", "ʃ t ɾ ɑː s ə"), ("vi", "nguyễn", "ŋ w iɛ5 n")],
)
def test_words_of_three_languages(language, word, phones):
    assert said(word, language) == [phones]


@installed
def test_voices_do_not_get_in_each_others_way():
    english, german = (Backend(Config(voice), Context(Path(), Path)) for voice in ("en", "de"))
    first = english.pronounce(["hand", "who"])
    german.pronounce(["hand"])
    assert english.pronounce(["hand", "who"]) == first


@installed
def test_letters_of_another_script_that_it_can_only_name_are_no_pronunciation():
    assert said("ẹ̀kọ́", "en") == []


@installed
def test_an_unknown_voice_is_an_error():
    with pytest.raises(ConfigError, match="no voice 'xx'"):
        Backend(Config("xx"), Context(Path(), Path))


def test_stress_goes_and_tones_stay():
    assert _phones("ŋ_w_ˈiɛ5_n_", whole=True, foreign=True) == ("ŋ", "w", "iɛ5", "n")


def test_words_of_another_language_may_be_left_out():
    assert _phones("(en)t_ˈiː_m(de)", whole=True, foreign=True) == ("t", "iː", "m")
    assert _phones("(en)t_ˈiː_m(de)", whole=True, foreign=False) == ()


def test_an_answer_of_several_words_is_none():
    assert _phones("l_ˈɛ_t_ə w_ˈʌ_n", whole=True, foreign=True) == ()
    assert _phones("l_ˈɛ_t_ə", whole=False, foreign=True) == ()
