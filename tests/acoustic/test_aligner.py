# SPDX-License-Identifier: Apache-2.0
"""What an aligner says of good and of hopeless input."""

from itertools import pairwise

import numpy as np
import pytest

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.train import train
from speechmill.core.errors import AudioError, Unalignable
from speechmill.formats.lexicon import Lexicon, Pronunciation


@pytest.fixture(scope="module")
def model(band_examples, band_lexicon):
    return train(band_examples, band_lexicon, threads=1)


@pytest.fixture(scope="module")
def aligner(model, band_lexicon):
    return Aligner(model, band_lexicon)


def ways(*words):
    return tuple(((word,),) for word in words)


def reason(aligner, samples, said):
    with pytest.raises(Unalignable) as caught:
        aligner.align(samples, said)
    return caught.value.reason


def test_hopeless_input_has_a_reason(aligner, spoken):
    samples, _ = spoken(["ba"], 1)
    assert reason(aligner, samples, ()) == "no-text"
    assert reason(aligner, samples, ((), ())) == "no-text"
    assert reason(aligner, samples[:400], ways("ba")) == "audio-too-short"
    assert reason(aligner, samples[:0], ways("ba")) == "audio-too-short"
    assert reason(aligner, np.zeros(16_000, np.float32), ways("ba")) == "no-speech"


def test_samples_that_are_no_numbers_are_refused(aligner, spoken):
    samples, _ = spoken(["ba"], 1)
    samples[100] = np.inf
    with pytest.raises(AudioError, match="not-finite"):
        aligner.align(samples, ways("ba"))


def test_a_word_that_the_lexicon_lacks_is_there_with_a_warning(aligner, spoken):
    samples, truth = spoken(["sad", "ba", "dis"], 2)
    found = aligner.align(samples, ways("sad", "mystery", "dis"))
    assert [word.symbol for word in found.words] == ["sad", "mystery", "dis"]
    assert found.words[1].score == 0
    assert found.phones[1] == ()
    assert found.warnings == ("oov: mystery",)
    assert abs(found.words[2].start - truth[5][1]) < 0.05


def test_the_way_that_was_said_is_chosen(aligner, spoken):
    samples, _ = spoken(["sad", "dis", "ba"], 4)
    said = ((("sad",),), (("ed", "se"), ("dis",), ("abi",)), (), (("ba",),))
    found = aligner.align(samples, said)
    assert found.chosen == (0, 1, 0, 0)
    assert [word.symbol for word in found.words] == ["sad", "dis", "ba"]


def test_the_pronunciation_that_was_said_is_chosen(model, spoken):
    lexicon = Lexicon({"x": (Pronunciation(("e", "d")), Pronunciation(("d", "i", "s")))})
    samples, _ = spoken(["dis"], 5)
    found = Aligner(model, lexicon).align(samples, ways("x"))
    assert [phone.symbol for phone in found.phones[0]] == ["d", "i", "s"]


def test_a_phone_that_nobody_trained_is_unknown_speech(model, spoken):
    lexicon = Lexicon({"sad": (Pronunciation(("s", "zz", "d")),)})
    samples, truth = spoken(["sad"], 6)
    found = Aligner(model, lexicon).align(samples, ways("sad"))
    assert [phone.symbol for phone in found.phones[0]] == ["s", "zz", "d"]
    assert abs(found.phones[0][1].start - truth[1][1]) < 0.03


def test_a_wrong_text_scores_lower_than_the_right_one(aligner, spoken):
    samples, _ = spoken(["sad", "dis"], 7)
    right, wrong = aligner.align(samples, ways("sad", "dis")), aligner.align(samples, ways("abi", "ba"))
    assert right.score > 0.7 > 0.3 > wrong.score


def test_phones_fill_their_words(aligner, spoken):
    samples, _ = spoken(["sad", "", "dis", "ba"], 8)
    found = aligner.align(samples, ways("sad", "dis", "ba"))
    for word, phones in zip(found.words, found.phones, strict=True):
        assert phones[0].start == word.start
        assert phones[-1].end == pytest.approx(word.end, abs=1e-6)
        for before, after in pairwise(phones):
            assert before.end == pytest.approx(after.start, abs=1e-6)
