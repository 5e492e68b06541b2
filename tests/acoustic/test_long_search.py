# SPDX-License-Identifier: Apache-2.0
"""Searching long texts in frames that are made up: each is what its class of phones sounds like, with noise."""

import numpy as np
import pytest

from speechmill.acoustic import _long_kernels, _long_search, _long_sound
from speechmill.acoustic._long_search import Prices, line_of, search, spans
from speechmill.formats.lexicon import Lexicon, Pronunciation

SOUNDS = {"pas": "pas", "mi": "mi", "lob": "lob", "fuz": "fuz", "new": "new"}
LEXICON = Lexicon({word: (Pronunciation(tuple(phones)),) for word, phones in SOUNDS.items()})
PAUSE = "_"


@pytest.fixture(autouse=True)
def far_apart(monkeypatch):
    """Classes that nobody confuses."""
    means = np.random.default_rng(1).normal(0, 1.5, (13, 39))
    table = _long_sound.Gaussians(means, np.ones_like(means))
    monkeypatch.setattr(_long_sound, "_classes", lambda: table)


def frames(said, length=4, seed=0):
    """Frames of words, pauses "_" of ten frames, and letters of no word."""
    rng = np.random.default_rng(seed)
    table = _long_sound._classes()
    classes = []
    for word in said.split():
        if word == PAUSE:
            classes += [12] * 10
        else:
            classes += [_long_sound.class_of(phone) for phone in word for _ in range(length)]
    noise = rng.normal(0, 0.3, (len(classes), table.means.shape[1]))
    return (table.means[classes] + noise * np.sqrt(table.variances[classes])).astype(np.float32)


def found(said, text, **prices):
    ways = tuple(((word,),) for word in text.split())
    coarse = search(frames(said), line_of(ways, LEXICON), Prices(rounds=1, **prices))
    return {coarse.line.words[word].symbol: span for word, span in spans(coarse).items()}


def test_words_are_found_at_their_frames():
    assert found("_ pas mi _ lob", "pas mi lob") == {"pas": (10, 22), "mi": (22, 30), "lob": (40, 52)}


def test_a_word_that_is_not_said_has_no_frames():
    assert found("_ pas _ lob _", "pas fuz lob") == {"pas": (10, 22), "lob": (32, 44)}


def test_speech_outside_the_text_belongs_to_no_word():
    assert found("_ pas nugotehik lob _", "pas lob") == {"pas": (10, 22), "lob": (58, 70)}


def test_many_words_may_be_missing_at_either_end():
    text = "fuz new fuz new fuz pas lob pas lob mi new mi new mi"
    line = line_of(tuple(((word,),) for word in text.split()), LEXICON)
    coarse = search(frames("_ pas lob pas lob _"), line, Prices(rounds=1))
    assert spans(coarse) == {5: (10, 22), 6: (22, 34), 7: (34, 46), 8: (46, 58)}


def test_stretches_that_are_searched_apart_give_the_path_of_one(monkeypatch):
    words = ["pas", "mi", "lob", "fuz", "new"] * 20
    line = line_of(tuple(((word,),) for word in words), LEXICON)
    features = frames(" _ ".join(words[:40] + words[60:]))
    whole = search(features, line, Prices(rounds=1))
    monkeypatch.setattr(_long_search, "_SEGMENT", 60)
    parted = search(features, line, Prices(rounds=1))
    assert len(parted.path) == len(features) > 20 * 60
    assert spans(parted) == spans(whole)
    assert len(spans(parted)) == 80


def test_a_band_widens_until_the_path_fits_in_it(monkeypatch):
    words = ["pas", "mi", "lob", "fuz", "new"] * 20
    line = line_of(tuple(((word,),) for word in words), LEXICON)
    features = frames(" ".join([PAUSE] * 60 + words))  # far from an even division
    expected = spans(search(features, line, Prices(rounds=1)))
    monkeypatch.setattr(_long_search, "_WIDE", 20)
    monkeypatch.setattr(_long_search, "_SEGMENT", 60)
    assert spans(search(features, line, Prices(rounds=1))) == expected
    assert expected[0] == (600, 612)
    assert len(expected) == 100


def test_a_word_that_the_lexicon_lacks_takes_its_letters_time():
    assert found("_ pas gek lob _", "pas gek lob") == {"pas": (10, 22), "gek": (22, 34), "lob": (34, 46)}


def test_the_likeliest_pronunciation_is_taken():
    variants = (Pronunciation(("p",), 0.2), Pronunciation(("m", "a"), 1.0))
    line = line_of(((("pa",),),), Lexicon({"pa": variants}))
    assert line.phones == ("a", "m")
    assert line.column.tolist() == [2, 1, 0, 2]


def test_phones_learn_from_frames_and_lean_on_their_class():
    rng = np.random.default_rng(0)
    features = rng.normal(3.0, 1.0, (10_000, 39)).astype(np.float32)
    learnt = _long_sound.learnt(features, np.zeros(10_000, np.int64), ("p", "t", "a"))
    before = _long_sound.beginning(("p", "t", "a"))
    assert learnt.means[0] == pytest.approx(np.full(39, 3.0), abs=0.1)
    assert learnt.means[1] == pytest.approx(np.full(39, 3.0), abs=0.1)  # never heard, but a voiceless stop as well
    assert np.array_equal(learnt.means[2], before.means[2])


def test_audio_is_read_in_blocks_and_blocks_leave_no_trace(monkeypatch):
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000 * 130).astype(np.float32)
    asked = []

    def read(start, duration):
        asked.append(duration)
        return samples[round(start * 16_000) : round((start + duration) * 16_000)]

    blocks = _long_sound.frames(read, 130.0)
    assert max(asked) < 61
    monkeypatch.setattr(_long_sound, "_BLOCK_S", 1e3)
    whole = _long_sound.frames(read, 130.0)
    assert blocks.shape == whole.shape == (4333, 39)
    assert np.abs(blocks - whole).max() < 1e-3


def test_skipped_words_cost_each_until_many_cost_no_more():
    after = np.array([0, 0, 0, -1e30, -1e30, -1e30], np.float32)
    came = np.array([0, 0, 7, 0, 0, 0], np.int32)
    _long_kernels.past_words(after, came, np.arange(4, dtype=np.int32), np.float32(10), np.float32(25))
    assert after[2:].tolist() == [0, -10, -20, -25]
    assert came[2:].tolist() == [7, 7, 7, 7]
