# SPDX-License-Identifier: Apache-2.0
"""Lexica: MFA's and CMU's style, round trip, digest, broken lines."""

from __future__ import annotations

import pytest

from speechmill.core.errors import FormatError
from speechmill.formats import lexicon
from speechmill.formats.lexicon import Lexicon, Pronunciation


def _read(tmp_path, text):
    path = tmp_path / "a.dict"
    path.write_text(text, encoding="utf-8")
    return lexicon.read(path)


def test_mfa_style(tmp_path):
    # "a" + U+0309 is the NFD spelling of "ả".
    read = _read(tmp_path, "gia\u0309\t0.99\t0.23\t0.85\t1.13\tz aː\nnhà\t0.5\tɲ aː\nnhà\tɲ a 1\ncà phê\tk aː f e\n")
    assert read.entries == {
        "giả": (Pronunciation(("z", "aː"), 0.99, 0.23, 0.85, 1.13),),
        "nhà": (Pronunciation(("ɲ", "aː"), 0.5), Pronunciation(("ɲ", "a", "1"))),
        "cà phê": (Pronunciation(("k", "aː", "f", "e")),),
    }
    assert read.phones == ("1", "a", "aː", "e", "f", "k", "z", "ɲ")


def test_cmu_style(tmp_path):
    read = _read(tmp_path, ";;; a comment\nREAD  R EH1 D\nREAD(2)  R IY1 D # the other\nTHE 0.75 DH AH0\nTWO 2 T UW\n")
    assert read.entries == {
        "READ": (Pronunciation(("R", "EH1", "D")), Pronunciation(("R", "IY1", "D"))),
        "THE": (Pronunciation(("DH", "AH0"), 0.75),),
        "TWO": (Pronunciation(("2", "T", "UW")),),  # a bare digit may be a tone
    }


def test_the_same_line_twice_is_one_variant(tmp_path):
    assert _read(tmp_path, "a\tA\na\tA\n").entries == {"a": (Pronunciation(("A",)),)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tA\nb\t\n", "2: 'b' has no phones"),
        ("\tA B\n", "1: 'A B' has no word"),
        ("a\t0.5\t0.5\tA\n", "1: 2 numbers"),
        ("a\tA\tB\n", "1: 'A' should be numbers"),
        ("a\t1.5\tA\n", "1: 1.5 are not probabilities"),
        ("a\tnan\tA\n", "1: nan are not probabilities"),
        ("a 0.5\n", "1: 'a 0.5' has no phones"),
        ("\n;;; nothing\n", "a lexicon without words"),
    ],
)
def test_broken_lines_say_where(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        _read(tmp_path, text)


def test_round_trip_and_digest(tmp_path):
    one = Lexicon({"b": (Pronunciation(("B",), 0.5, 0.1, 1.0, 1.2),), "a": (Pronunciation(("A", "x")),)})
    other = Lexicon(dict(reversed(list(one.entries.items()))))
    path = tmp_path / "a.dict"
    lexicon.write(path, one)
    assert path.read_text() == "a\tA x\nb\t0.5\t0.1\t1.0\t1.2\tB\n"
    assert lexicon.read(path) == one
    assert one.digest == other.digest == lexicon.read(path).digest
    assert one.digest != Lexicon({"a": (Pronunciation(("A", "x")),)}).digest


@pytest.mark.parametrize(
    ("word", "pronunciation"),
    [
        ("a", Pronunciation(("A B",))),
        ("a", Pronunciation(())),
        ("a", Pronunciation(("A",), 0.5, 0.5)),
        ("a\tb", Pronunciation(("A",))),
        ("a\nb", Pronunciation(("A",))),
        ("a(2)", Pronunciation(("A",))),
    ],
)
def test_what_would_not_come_back_is_not_written(tmp_path, word, pronunciation):
    with pytest.raises(FormatError):
        lexicon.write(tmp_path / "a.dict", Lexicon({word: (pronunciation,)}))


def test_a_real_dictionary_survives_a_round_trip(shared_data, tmp_path):
    read = lexicon.read(shared_data / "espeak_vi" / "vietnamese_hanoi_mfa.dict")
    assert read.entries["bẩm"] == (Pronunciation(("ɓ", "ə˨˩˨", "m")),)
    lexicon.write(tmp_path / "a.dict", read)
    assert lexicon.read(tmp_path / "a.dict") == read
