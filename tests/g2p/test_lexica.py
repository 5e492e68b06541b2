# SPDX-License-Identifier: Apache-2.0
"""Lexica by name, words that one lacks, and what predicts them."""

import random

import pytest

from speechmill import g2p
from speechmill.core.errors import ConfigError
from speechmill.formats.lexicon import Lexicon, Pronunciation, write
from speechmill.g2p import joint


def small():
    """All words of two open syllables of six letters: said as they are written."""
    words = [a + b + c + d for a in "ptk" for b in "aiu" for c in "mns" for d in "aiu"]
    return Lexicon({word: (Pronunciation(tuple(word)),) for word in words})


@pytest.mark.parametrize(
    ("name", "word", "phones"),
    [
        ("vi-hanoi", "nam", "n aː˨˨ m"),
        ("vi-saigon", "nam", "n aː˧˧ m"),
        ("vi-hue", "nam", "n aː˧˥ m"),
        ("vietnamese", "nam", "n aː˨˨ m"),
        ("graphemes", "nam", "n a m"),
    ],
)
def test_names_and_what_they_say(name, word, phones):
    assert g2p.resolve(name).pronounce([word])[0][0].phones == tuple(phones.split())


def test_a_languages_default():
    assert g2p.resolve(None, language="vi-VN").name == "vi-hanoi"
    assert g2p.resolve(None, language="sw").name == "graphemes"
    assert g2p.default(None) == "graphemes"
    assert g2p.default("en") in ("cmudict", "graphemes")


def test_a_lexicon_is_of_exactly_the_words_asked_for():
    lexicon, missing = g2p.resolve("vi-hanoi").lexicon(["Xin", "xin", "pizza"])
    assert list(lexicon.entries) == ["Xin", "xin"]
    assert missing == ("pizza",)


def test_letters_are_not_mixed_in_silently():
    assert g2p.resolve(None, language="vi").pronounce(["facebook"]) == [()]


def test_a_file_is_a_lexicon_relative_to_its_base(tmp_path):
    write(tmp_path / "my.dict", small())
    assert g2p.resolve("my.dict", base=tmp_path).pronounce(["pama", "Pama"])[1][0].phones == tuple("pama")


def test_a_trained_model_is_a_lexicon(tmp_path):
    joint.save(joint.train(small()), tmp_path / "model.npz")
    assert g2p.resolve(str(tmp_path / "model.npz")).pronounce(["pasana"])[0][0].phones == tuple("pasana")


def test_what_a_source_is_known_by(tmp_path):
    digests = [g2p.resolve(name).digest for name in ("vi-hanoi", "vi-saigon", "graphemes")]
    assert len(set(digests)) == 3
    assert g2p.resolve("vi-hanoi").digest == digests[0]
    write(tmp_path / "my.dict", small())
    before = g2p.resolve("my.dict", base=tmp_path).digest
    write(tmp_path / "copy.dict", small())
    assert g2p.resolve("copy.dict", base=tmp_path).digest == before
    write(tmp_path / "my.dict", Lexicon({"a": (Pronunciation(("a",)),)}))
    assert g2p.resolve("my.dict", base=tmp_path).digest != before


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"neither a file nor one of .*Did you mean 'vi-hanoi'\?"):
        g2p.resolve("vi-hanoy")


def test_espeak_needs_the_language():
    with pytest.raises(ConfigError, match="needs to know the language"):
        g2p.resolve("espeak")


def test_words_are_counted_as_they_are_said():
    assert g2p.counted(["In 21, in 2021!"], "en")["in"] == 2
    assert g2p.counted(["năm 21"], "vi") == {"năm": 1, "hai": 1, "mươi": 1, "mốt": 1}
    assert g2p.counted(["mwaka 21"], "sw") == {"mwaka": 1, "21": 1}


def test_words_that_a_lexicon_lacks_come_with_the_commonest_first():
    found = g2p.oov(small(), {"pama": 9, "pasana": 2, "xyz": 5, "PAMA": 1})
    assert [(one.word, one.count, one.pronunciations, one.confidence) for one in found] == [
        ("xyz", 5, (), None),
        ("pasana", 2, (), None),
    ]


def test_a_lexicon_is_extended_by_a_model_of_itself():
    lexicon = small()
    extended = g2p.extend(lexicon, {"pama": 3, "pasana": 2, "xyz": 5}, g2p.resolve(None, lexicon))
    assert extended.lexicon.entries["pasana"][0].phones == tuple("pasana")
    assert len(extended.lexicon.entries) == len(lexicon.entries) + 1
    assert extended.missing == ("xyz",)
    confidence = {one.word: one.confidence for one in extended.oov}
    assert confidence["xyz"] is None
    assert 0.5 < confidence["pasana"] <= 1.0


def test_a_lexicon_that_is_too_small_predicts_nothing():
    tiny = Lexicon(dict(list(small().entries.items())[:5]))
    assert g2p.resolve(None, tiny).pronounce(["pasana"]) == [()]


def test_the_order_of_words_does_not_matter():
    words = [*list(small().entries)[:20], "pasana", "timisi"]
    source = g2p.resolve(None, small())
    expected = source.lexicon(words)
    random.Random(1).shuffle(words)
    assert source.lexicon(words) == expected
