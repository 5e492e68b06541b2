# SPDX-License-Identifier: Apache-2.0
"""Training on bands of noise, whose boundaries are known exactly."""

import numpy as np
import pytest

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import FeatureConfig, static
from speechmill.acoustic.train import Options, TrainingError, sampled, train
from speechmill.acoustic.types import Example
from speechmill.formats.lexicon import Lexicon, Pronunciation


@pytest.fixture(scope="module")
def model(band_examples, band_lexicon):
    return train(band_examples, band_lexicon, threads=1)


def test_boundaries_are_found_within_two_frames_on_average(model, band_lexicon, spoken):
    aligner = Aligner(model, band_lexicon)
    errors = []
    for seed in range(100, 110):
        samples, truth = spoken(["sad", "", "ba", "dis"], seed)
        found = aligner.align(samples, ((("sad",),), (("ba",),), (("dis",),)))
        phones = [phone for word in found.phones for phone in word]
        assert [phone.symbol for phone in phones] == [phone for phone, _, _ in truth]
        errors += [abs(phone.start - start) for phone, (_, start, _) in zip(phones, truth, strict=True)]
        errors += [abs(phone.end - end) for phone, (_, _, end) in zip(phones, truth, strict=True)]
    assert float(np.mean(errors)) < 0.01
    assert float(np.max(errors)) < 0.03


def test_order_and_threads_change_nothing(model, band_examples, band_lexicon):
    assert train(band_examples[::-1], band_lexicon, threads=2).digest == model.digest


def test_the_card_says_what_it_was_made_of(model, band_lexicon):
    assert model.card.phones == ("a", "b", "d", "e", "i", "s")
    assert (model.card.utterances, model.card.speakers) == (40, 2)
    assert model.card.lexicon == band_lexicon.digest
    assert 0.01 < model.card.hours < 0.02


def test_how_often_words_were_said_is_counted(model, band_examples):
    said = sum(len(example.ways) for example in band_examples)
    assert sum(one.count for one in model.said) == said
    assert sum(one.pauses for one in model.said) < 0.05 * said  # there are no pauses between words


def test_an_utterance_alone_makes_a_model(band_examples, band_lexicon):
    model = train(band_examples[:1], band_lexicon, threads=1)
    found = Aligner(model, band_lexicon).align(band_examples[0].read(), band_examples[0].ways)
    assert len(found.words) == len(band_examples[0].ways)


def test_a_lexicon_of_one_phone_makes_a_model(spoken):
    samples, truth = spoken(["ba"], 3)
    lexicon = Lexicon({"hm": (Pronunciation(("m",)),)})
    example = Example("one", len(samples) / 16_000, lambda: samples, ((("hm",),),))
    found = Aligner(train([example], lexicon, threads=1), lexicon).align(samples, example.ways)
    assert abs(found.words[0].start - truth[0][1]) < 0.03
    assert abs(found.words[0].end - truth[-1][2]) < 0.03


def test_hours_are_capped_by_seed_and_not_by_order(band_examples, band_lexicon):
    options = Options(max_hours=20 / 3600, seed=5)
    kept = [one.key for one in sampled(band_examples, band_lexicon, options)]
    assert kept == [one.key for one in sampled(band_examples[::-1], band_lexicon, options)]
    assert 15 < sum(one.duration for one in band_examples if one.key in kept) <= 20
    assert kept != [one.key for one in sampled(band_examples, band_lexicon, Options(max_hours=20 / 3600, seed=6))]


def test_what_cannot_be_trained_on_says_why(band_examples, band_lexicon):
    with pytest.raises(TrainingError, match="none of 0 utterances"):
        train([], band_lexicon)
    with pytest.raises(TrainingError, match="not unique: u00"):
        train([band_examples[0], band_examples[0]], band_lexicon)
    short = Example("short", 0.01, lambda: np.zeros(160, np.float32), band_examples[0].ways)
    with pytest.raises(TrainingError, match="audio for all its phones"):
        train([short], band_lexicon, threads=1)


def test_an_example_that_cannot_be_used_is_named(band_examples, band_lexicon):
    broken = Example("broken", 1.0, lambda: np.full(16_000, np.nan, np.float32), band_examples[0].ways)
    short = Example("short", 0.01, lambda: np.zeros(160, np.float32), band_examples[0].ways)
    model = train([*band_examples[:10], broken, short], band_lexicon, threads=1)
    assert model.card.left_out == ("audio-too-short: short", "not-finite: broken")


def test_phones_that_the_seed_does_not_know_start_evenly(band_examples, band_lexicon, spoken):
    strange = {
        word: (Pronunciation(tuple(f"木{phone}" for phone in said[0].phones)),)
        for word, said in band_lexicon.entries.items()
    }
    lexicon = Lexicon(strange)
    model = train(band_examples, lexicon, threads=1)
    even = train(band_examples, lexicon, Options(from_seed=False), threads=1)
    assert model.digest == even.digest
    assert (
        train(band_examples, band_lexicon, Options(from_seed=False), threads=1).digest
        != train(band_examples, band_lexicon, threads=1).digest
    )


def test_features_survive_a_file_that_takes_a_part_at_a_time(band_examples, monkeypatch):
    with Corpus(FeatureConfig(), 1) as corpus:
        whole = corpus._file

        class Reluctant:
            def write(self, content):
                return whole.write(content[:1000])

            def __getattr__(self, name):
                return getattr(whole, name)

        monkeypatch.setattr(corpus, "_file", Reluctant())
        corpus.fill(band_examples[:2], lambda share: None)
        assert (corpus.static(corpus.utterances[1]) == static(band_examples[1].read(), FeatureConfig())).all()
