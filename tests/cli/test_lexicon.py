# SPDX-License-Identifier: Apache-2.0
"""`speechmill lexicon` and `speechmill train-g2p` on small texts."""

import json

import pytest

from speechmill.formats.lexicon import Lexicon, Pronunciation, read, write


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "corpus" / "ann"
    folder.mkdir(parents=True)
    (folder / "one.txt").write_text("Xin chào, pizza!\n", encoding="utf-8")
    (folder / "two.lab").write_text("chào 21 pizza", encoding="utf-8")
    (folder / "three.TextGrid").write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n1\n'
        '"IntervalTier"\n"ann"\n0\n1\n1\n0\n1\n"bạn"\n',
        encoding="utf-8",
    )
    return tmp_path / "corpus"


@pytest.fixture
def lexicon(tmp_path):
    words = [a + b + c + d for a in "ptk" for b in "aiu" for c in "mns" for d in "aiu"]
    write(tmp_path / "small.dict", Lexicon({word: (Pronunciation(tuple(word)),) for word in words}))
    return tmp_path / "small.dict"


def test_make_writes_the_words_of_a_folder_and_names_what_is_missing(speechmill, texts, tmp_path):
    out = tmp_path / "made.dict"
    done = speechmill("lexicon", "make", texts, "--from", "vi-hanoi", "--language", "vi", "-o", out)
    assert sorted(read(out).entries) == ["bạn", "chào", "hai", "mươi", "mốt", "xin"]
    assert "1 of 7 words have no pronunciation there: pizza." in done.stdout
    assert "speechmill lexicon extend" in done.stdout


def test_make_says_where_nothing_can_be_pronounced(speechmill, tmp_path):
    (tmp_path / "words.txt").write_text("pizza facebook")
    done = speechmill("lexicon", "make", tmp_path / "words.txt", "--from", "vi-hanoi", "-o", tmp_path / "x", expect=2)
    assert "vi-hanoi pronounces none of 2 words" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_without_texts_is_an_error(speechmill, tmp_path):
    (tmp_path / "empty").mkdir()
    done = speechmill("lexicon", "make", tmp_path / "empty", "-o", tmp_path / "x", expect=2)
    assert "no texts in this folder; they end in .lab, .txt" in done.stderr


def test_oov_lists_and_counts(speechmill, texts, lexicon):
    found = json.loads(speechmill("lexicon", "oov", lexicon, texts, "--language", "vi", "--json").stdout)
    assert found["words"] == 7
    assert [(row["word"], row["count"]) for row in found["oov"]][:2] == [("chào", 2), ("pizza", 2)]
    table = speechmill("lexicon", "oov", lexicon, texts).stdout
    assert "words in" in table
    assert f"speechmill lexicon extend {lexicon}" in table


def test_extend_adds_what_is_predicted_and_leaves_the_lexicon_alone(speechmill, lexicon, tmp_path):
    before = lexicon.read_bytes()
    (tmp_path / "text.txt").write_text("pama pasana wxyz")
    done = speechmill("lexicon", "extend", lexicon, "--from", tmp_path / "text.txt")
    assert "1 words added to 81, by learnt; 1 could not be said" in done.stdout
    assert lexicon.read_bytes() == before
    assert read(tmp_path / "small.extended.dict").entries["pasana"][0].phones == tuple("pasana")


def test_a_lexicon_too_small_to_learn_from_asks_for_another(speechmill, tmp_path):
    write(tmp_path / "tiny.dict", Lexicon({"a": (Pronunciation(("a",)),)}))
    (tmp_path / "text.txt").write_text("b")
    done = speechmill("lexicon", "extend", tmp_path / "tiny.dict", "--from", tmp_path / "text.txt", expect=2)
    assert "too few words" in done.stderr
    assert "--g2p vi-hanoi" in done.stderr


def test_show_prints_each_variant(speechmill):
    shown = speechmill("lexicon", "show", "các", "pizza", "--from", "vi-hanoi").stdout
    assert "k aː˦˥ k̚" in shown
    assert "not there" in shown
    found = json.loads(speechmill("lexicon", "show", "các", "--from", "vi-hanoi", "--json").stdout)
    assert found["các"][1] == {"phones": ["k", "aː˦˥"], "probability": 0.5}


def test_a_model_is_trained_told_how_good_and_used(speechmill, lexicon, tmp_path):
    done = speechmill("train-g2p", lexicon, tmp_path / "model.npz", "--json")
    found = json.loads(done.stdout)
    assert (found["held_out"], found["words"]) == (16, 81)
    assert found["word_accuracy"] >= 0.9
    assert "held out 8 words:" in speechmill("train-g2p", lexicon, tmp_path / "m.npz", "--test-share", "0.1").stdout
    shown = json.loads(speechmill("lexicon", "show", "pasana", "--from", tmp_path / "model.npz", "--json").stdout)
    assert shown["pasana"][0]["phones"] == list("pasana")


def test_a_models_name_ends_in_npz(speechmill, lexicon, tmp_path):
    done = speechmill("train-g2p", lexicon, tmp_path / "model", expect=2)
    assert "ends in .npz" in done.stderr
