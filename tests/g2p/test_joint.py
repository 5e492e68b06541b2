# SPDX-License-Identifier: Apache-2.0
"""A joint n-gram model: small made-up spellings that a reader can check, and hostile files."""

import io
import json
import pickle
import random
import zipfile

import numpy as np
import pytest

from speechmill.core.errors import ConfigError, FormatError
from speechmill.formats.lexicon import Lexicon, Pronunciation, read
from speechmill.g2p import joint

CONSONANTS = {"p": "p", "t": "t", "k": "k", "m": "m", "n": "n", "sh": "ʃ", "ch": "tʃ", "s": "s", "l": "l", "x": "k s"}
VOWELS = {"a": "a", "e": "ɛ", "i": "i", "o": "ɔ", "u": "u", "ee": "iː"}


def made_up(count, seed=0):
    """Words of two or three open syllables, spelled with digraphs and an x of two phones."""
    draw = random.Random(seed)
    entries = {}
    while len(entries) < count:
        parts = [(draw.choice(list(CONSONANTS)), draw.choice(list(VOWELS))) for _ in range(draw.choice((2, 3)))]
        phones = " ".join(f"{CONSONANTS[consonant]} {VOWELS[vowel]}" for consonant, vowel in parts)
        entries["".join(consonant + vowel for consonant, vowel in parts)] = (Pronunciation(tuple(phones.split())),)
    return Lexicon(entries)


@pytest.fixture(scope="module")
def model():
    return joint.train(made_up(400))


def test_digraphs_and_letters_of_two_phones_are_learnt(model):
    assert " ".join(model.guess("cheexa")[0].phones) == "tʃ iː k s a"


def test_new_words_are_right(model):
    known = made_up(400).entries
    test = Lexicon({word: said for word, said in made_up(700, seed=5).entries.items() if word not in known})
    accuracy = joint.evaluate(model, test)
    assert accuracy.words > 300
    assert accuracy.word_accuracy > 0.97
    assert accuracy.phone_error_rate < 0.01


def test_guesses_are_ordered_and_their_confidence_sums_to_one_at_most(model):
    guesses = model.guess("sheshi", n_best=5)
    confidences = [guess.confidence for guess in guesses]
    assert confidences == sorted(confidences, reverse=True)
    assert 0.99 < sum(model.guess("sheshi", n_best=1000)[i].confidence for i in range(len(guesses))) <= 1.0001
    assert len({guess.phones for guess in guesses}) == len(guesses)


@pytest.mark.parametrize("word", ["", "pizza", "påta", "pa ta", "a" * 200, "^", "#"])
def test_a_word_with_letters_that_it_never_saw_has_no_guess(model, word):
    assert model.guess(word) == ()


def test_only_the_other_case_is_known(model):
    assert model.guess("PATEKI") == model.guess("pateki")


def test_variants_that_are_rare_are_not_said_for_words_that_have_none():
    entries = dict(made_up(300).entries)
    for word in list(entries)[:60]:
        entries[word] = (Pronunciation(entries[word][0].phones[:-1]), *entries[word])
    model = joint.train(Lexicon(entries))
    assert " ".join(model.guess("pateki")[0].phones) == "p a t ɛ k i"


def test_training_is_repeatable_and_does_not_depend_on_the_order_of_words():
    lexicon = made_up(120)
    backwards = Lexicon(dict(reversed(list(lexicon.entries.items()))))
    assert joint.train(lexicon).digest == joint.train(backwards).digest


def test_a_split_is_by_word_and_seed():
    lexicon = made_up(100)
    rest, test = joint.split(lexicon, 0.2, 1)
    assert (len(rest.entries), len(test.entries)) == (80, 20)
    assert rest.entries.keys() | test.entries.keys() == lexicon.entries.keys()
    assert joint.split(lexicon, 0.2, 1)[1].entries.keys() == test.entries.keys()
    assert joint.split(lexicon, 0.2, 2)[1].entries.keys() != test.entries.keys()


def test_marks_and_names_are_not_learnt_from():
    lexicon = made_up(60)
    more = Lexicon({**lexicon.entries, "<unk>": (Pronunciation(("spn",)),), "24h": (Pronunciation(("spn",)),)})
    assert "spn" not in joint.train(more).header.phones


def test_too_few_words_are_refused():
    with pytest.raises(ConfigError, match="10 words of letters are too few"):
        joint.train(made_up(10))
    assert not joint.can_learn(made_up(10))


def test_a_model_comes_back_from_its_file(model, tmp_path):
    joint.save(model, tmp_path / "g2p.npz")
    loaded = joint.load(tmp_path / "g2p.npz")
    assert loaded.digest == model.digest
    assert loaded.guess("cheexa", n_best=3) == model.guess("cheexa", n_best=3)


def test_tones_of_new_syllables_are_said(shared_data):
    known = read(shared_data / "espeak_vi" / "vietnamese_hanoi_mfa.dict")
    rest, test = joint.split(known, 0.2, 1)
    model = joint.train(rest)
    assert model.header.layout.kind == "marks-last"
    assert joint.evaluate(model, test).word_accuracy >= 0.95
    listed = {word: {one.phones for one in variants} for word, variants in test.entries.items()}
    guesses = {word: model.guess(word)[0] for word in test.entries if model.guess(word)}
    right = [guess.confidence for word, guess in guesses.items() if guess.phones in listed[word]]
    wrong = [guess.confidence for word, guess in guesses.items() if guess.phones not in listed[word]]
    assert np.mean(wrong) < np.mean(right) - 0.1


class _Evil:
    def __reduce__(self):
        return (print, ("run",))


def arrays_of(model, tmp_path):
    joint.save(model, tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def changed(name):
    """Return a change to a model's arrays, by name."""

    def header(arrays, **values):
        known = json.loads(arrays["header"].tobytes())
        return arrays | {"header": np.frombuffer(json.dumps(known | values).encode(), np.uint8)}

    return {
        "another format": lambda a: header(a, format="other"),
        "a field too many": lambda a: header(a, more=1),
        "no letters": lambda a: header(a, letters=[]),
        "no units": lambda a: header(a, units=[]),
        "a weight that is none": lambda a: header(a, skeleton_weight="1"),
        "keys out of range": lambda a: a | {"units.1.keys": a["units.1.keys"] + 10**9},
        "keys backwards": lambda a: a | {"units.1.keys": a["units.1.keys"][::-1].copy()},
        "suffixes out of range": lambda a: a | {"units.2.suffix": a["units.2.suffix"] - 10**6},
        "no number": lambda a: a | {"units.1.log_prob": a["units.1.log_prob"] * np.nan},
        "too likely": lambda a: a | {"units.1.log_prob": a["units.1.log_prob"] * 0 + 5},
        "too short": lambda a: a | {"units.1.backoff": a["units.1.backoff"][:-1]},
        "another type": lambda a: a | {"units.1.suffix": a["units.1.suffix"].astype(np.float32)},
        "a level gone": lambda a: {key: value for key, value in a.items() if not key.startswith("units.1")},
        "objects": lambda a: a | {"header": np.array([_Evil()], dtype=object)},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "another format", "a field too many", "no letters", "no units", "a weight that is none", "keys out of range",
        "keys backwards", "suffixes out of range", "no number", "too likely", "too short", "another type",
        "a level gone", "objects",
    ],
)  # fmt: skip
def test_a_file_that_was_tampered_with_is_refused(model, tmp_path, name, capsys):
    path = tmp_path / "bad.npz"
    np.savez(path, **changed(name)(arrays_of(model, tmp_path)))
    with pytest.raises(FormatError, match=r"bad\.npz: "):
        joint.load(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all", pickle.dumps(_Evil())])
def test_a_file_that_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(FormatError, match="not a G2P model"):
        joint.load(tmp_path / "bad.npz")


def test_a_cut_file_is_refused(model, tmp_path):
    joint.save(model, tmp_path / "g2p.npz")
    whole = (tmp_path / "g2p.npz").read_bytes()
    (tmp_path / "g2p.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="not a G2P model"):
        joint.load(tmp_path / "g2p.npz")


def test_a_zip_without_arrays_is_refused(tmp_path):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "bad.npz").write_bytes(held.getvalue())
    with pytest.raises(FormatError, match="not a G2P model"):
        joint.load(tmp_path / "bad.npz")


def test_a_file_that_is_not_there_is_an_error_with_the_next_command(tmp_path):
    with pytest.raises(FormatError, match="speechmill train-g2p LEXICON"):
        joint.load(tmp_path / "none.npz")
