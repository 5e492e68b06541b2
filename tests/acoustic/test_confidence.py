# SPDX-License-Identifier: Apache-2.0
"""How sure an alignment is, of made-up evidence and of made-up speech."""

from types import SimpleNamespace

import numpy as np
import pytest

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.confidence import (
    ANY,
    PAUSE,
    STEP,
    Evidence,
    Filler,
    Norms,
    Phones,
    Tally,
    judged,
    speech_outside,
    typical,
)
from speechmill.acoustic.gmm import Mixtures, Scorer
from speechmill.acoustic.train import train
from speechmill.acoustic.trees import monophones
from speechmill.core.types import Interval

HOP = 0.005


def phones(*spans):
    """Make a path of (phone, word, frames)."""
    phone, word, frames = (np.array(values, np.int32) for values in zip(*spans, strict=True))
    return Phones(phone, word, np.cumsum(frames).astype(np.int32))


def evidence(posterior, speech=None):
    posterior = np.array(posterior, float)
    return Evidence(posterior, np.full(len(posterior), 5.0) if speech is None else np.array(speech, float), HOP)


def test_norms_of_a_common_phone_are_its_own():
    tally = Tally(4)
    for _ in range(500):
        tally.add(phones((2, 0, 20), (3, 0, 40)), evidence([-1.0] * 10 + [-3.0] * 20))
    norms = tally.norms()
    assert norms.mean[2] == pytest.approx([-1.02, np.log(0.1) + 0.0068], abs=2e-3)
    assert norms.mean[3] == pytest.approx([-2.98, np.log(0.2) - 0.0068], abs=2e-3)
    assert norms.mean[0] == pytest.approx([-2.0, (np.log(0.1) + np.log(0.2)) / 2])  # silence: the mean of all
    assert norms.deviation[0] == pytest.approx([1.0, np.log(2) / 2])


def test_a_rare_phone_is_judged_more_widely_than_a_common_one():
    def deviation(times):
        tally = Tally(4)
        for number in range(times):
            tally.add(phones((2, 0, 20), (3, 0, 20)), evidence([number % 2 - 2.0] * 20))
        return tally.norms().deviation[2, 0]

    assert deviation(1000) == pytest.approx(0.5 * np.sqrt(1.01), abs=1e-3)
    assert deviation(2) == pytest.approx(0.5 * np.sqrt(1 + 10 / 2), abs=1e-3)


def test_tallies_add_up():
    one, other, both = Tally(4), Tally(4), Tally(4)
    parts = phones((2, 0, 20)), evidence([-1.0] * 10), phones((3, 0, 10)), evidence([-2.0] * 5)
    one.add(*parts[:2])
    other.add(*parts[2:])
    one.merge(other)
    both.add(*parts[:2])
    both.add(*parts[2:])
    assert (one.norms().mean == both.norms().mean).all()


def test_pauses_and_unknown_words_are_no_norm():
    tally = Tally(4)
    tally.add(phones((0, PAUSE, 20), (1, ANY, 20)), evidence([-1.0] * 20))
    assert tally.count.sum() == 0


def filler():
    """Return what knows silence near -9 (unknown speech is anywhere), `a` near 0 and `b` near 9."""
    tying = monophones(["a", "b"])
    means = np.array([-9.0] * 3 + [0.0] + [0.0] * 3 + [9.0] * 3)[:, None]
    variances = np.array([1.0] * 3 + [100.0] + [1.0] * 6)[:, None]
    return Filler(Scorer(Mixtures(np.arange(11, dtype=np.int32), np.ones(10), means, variances)), tying)


def test_a_frame_that_fits_its_state_is_close_to_certain():
    found = filler().evidence(np.array([[0.0], [0.0], [9.0], [9.0]], np.float32), np.array([4, 4, 4, 4], np.int32), HOP)
    assert found.posterior[0] == pytest.approx(-np.log(3.1), abs=0.01)  # three states of `a`, a tenth of any
    assert found.posterior[1] == -40.0 or found.posterior[1] == pytest.approx(-40.5 - np.log(3.07), abs=0.6)


def test_speech_is_told_from_silence():
    frames = np.array([[-9.0], [-9.0], [9.0], [9.0]], np.float32)
    found = filler().evidence(frames, np.array([0, 0, 7, 7], np.int32), HOP)
    assert found.speech[0] < -3
    assert found.speech[1] > 10


def test_a_word_that_sounds_wrong_is_less_sure_than_its_neighbours():
    norms = Norms(np.tile([-1.0, np.log(0.1)], (4, 1)), np.tile([1.0, 0.5], (4, 1)))
    path = phones((2, 0, 20), (3, 1, 20), (2, 2, 20))
    found = judged(path, evidence([-1.0] * 10 + [-9.0] * 10 + [-1.0] * 10), norms, 3)
    assert found.words[1] < found.words[0] - 0.2
    assert found.words[1] < found.words[2] - 0.2
    assert found.score < 0.2


def test_a_word_of_odd_length_is_less_sure():
    norms = Norms(np.tile([-1.0, np.log(0.1)], (4, 1)), np.tile([1.0, 0.3], (4, 1)))
    usual = judged(phones((2, 0, 20), (3, 1, 20)), evidence([-1.0] * 20), norms, 2)
    long = judged(phones((2, 0, 20), (3, 1, 400)), evidence([-1.0] * 210), norms, 2)
    assert usual.words[1] > 0.8
    assert long.words[1] < 0.3


def test_a_word_that_nobody_can_say_scores_nothing_and_harms_no_other():
    norms = typical(4)
    found = judged(phones((2, 0, 20), (1, ANY, 20), (2, 2, 20)), evidence([0.0] * 30), norms, 3)
    assert found.words[1] == 0
    assert found.words[0] == found.words[2] > 0.5


def test_nothing_known_is_not_sure():
    assert judged(phones((1, ANY, 20)), evidence([0.0] * 10), typical(4), 1).score == 0


def test_speech_in_a_pause_has_a_place_and_a_length():
    path = phones((2, 0, 20), (0, PAUSE, 20), (2, 1, 20))
    speech = [5.0] * 10 + [-5.0] * 3 + [5.0] * 5 + [-5.0] * 2 + [5.0] * 10
    assert speech_outside(path, evidence([0.0] * 30, speech)) == (Interval(0.13, 0.05),)


@pytest.fixture(scope="module")
def aligner(band_examples, band_lexicon):
    return Aligner(train(band_examples, band_lexicon, threads=1), band_lexicon)


def said(aligner, samples, *words):
    return aligner.align(samples, tuple(((word,),) for word in words))


def test_a_swapped_word_is_the_least_sure_and_the_whole_is_doubtful(aligner, spoken):
    samples, _ = spoken(["sad", "ba", "dis", "ed"], 21)
    true, swapped = said(aligner, samples, "sad", "ba", "dis", "ed"), said(aligner, samples, "sad", "ba", "abi", "ed")
    scores = [word.score for word in swapped.words]
    assert true.warnings == ()
    assert scores.index(min(scores)) == 2
    assert swapped.score < 0.2 < 0.5 < true.score
    assert swapped.warnings[-1].startswith("low-confidence: ")


def test_a_text_that_ends_before_the_speech_is_found(aligner, spoken):
    samples, _ = spoken(["sad", "ba", "", "dis", "abi"], 22)
    found = said(aligner, samples, "sad", "ba")
    assert found.score < 0.2
    assert found.warnings


def test_a_text_of_another_recording_is_found(aligner, spoken):
    samples, _ = spoken(["sad", "ba", "dis", "ed", "abi"], 23)
    assert said(aligner, samples, "abi", "dis", "ba", "se").score < 0.2


def test_digital_silence_is_no_speech_whatever_a_model_takes_it_for(aligner, spoken, monkeypatch):
    samples, _ = spoken(["sad", "ba", "dis"], 24)
    padded = np.concatenate([samples, np.zeros(16000, np.float32)])
    every = len(padded) // (80 * STEP) + 1
    everywhere = Evidence(np.zeros(every), np.full(every, 9.0), HOP)
    monkeypatch.setattr(aligner, "_filler", SimpleNamespace(evidence=lambda *_: everywhere))
    ends = [one.partition(" s of")[0] for one in said(aligner, padded, "sad", "ba", "dis").warnings]
    tail = next(float(one.split()[1]) for one in ends if one.startswith("unaligned-tail"))
    assert 0.25 < tail < 0.6  # the pause of 0.3 s, and not the second of zeros


def test_noise_is_no_speech_of_the_text(aligner):
    noise = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)
    assert any(warning.startswith("low-confidence: ") for warning in said(aligner, noise, "sad", "ba", "dis").warnings)


def test_a_phone_that_no_training_speech_had_is_judged_by_its_length_alone():
    norms = Norms(np.tile([-1.0, np.log(0.1)], (4, 1)), np.tile([1.0, 0.5], (4, 1)))
    path = phones((2, 0, 20), (1, 1, 20), (2, 2, 20))
    good, bad = (judged(path, evidence([-1.0] * 10 + [x] * 10 + [-1.0] * 10), norms, 3) for x in (-1.0, -30.0))
    assert bad.words[1] == good.words[1] > 0.5
