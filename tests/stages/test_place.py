# SPDX-License-Identifier: Apache-2.0
"""One text for a long recording gets times; what isn't said is named; what can't be found stays as it was."""

import json

import numpy as np
import pytest

from speechmill.core.stage import Item
from speechmill.core.types import Canonical, Source, Transcript, Utterance
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.stages.place import as_written, filled, placed
from speechmill.text.spoken import spoken

RATE = 16_000


def test_a_few_tokens_that_were_not_found_share_what_is_left():
    found = [(1.0, 1.5), None, None, (2.5, 3.0)]
    assert filled(found, 9.0) == [(1.0, 1.5), (1.5, 2.0), (2.0, 2.5), (2.5, 3.0)]


def test_many_in_a_row_were_not_said():
    found = [(1.0, 1.5), *[None] * 5, (2.5, 3.0)]
    assert filled(found, 9.0) == found


def test_tokens_at_the_ends_get_a_little_of_what_is_before_and_after():
    made = filled([None, (1.0, 1.5), None], 1.7)
    assert np.allclose(made, [(0.7, 1.0), (1.0, 1.5), (1.5, 1.7)])


def test_neighbours_that_touch_leave_no_time():
    assert filled([(1.0, 1.5), None, (1.5, 2.0)], 9.0)[1] == (1.5, 1.5)


def test_a_word_has_its_punctuation_and_a_dash_belongs_to_nobody():
    assert as_written(spoken("«Xin chào» -- các bạn!", "vi")) == ["«Xin", "chào»", "các", "bạn!"]


def test_text_without_blanks_is_cut_at_its_words():
    said = spoken("我来了。好", "zh", lambda text: [*text])
    assert "".join(as_written(said)) == "我来了。好"


@pytest.fixture(scope="module")
def reading(shared_data):
    """Sixteen utterances one after the other: samples, text, and when each word starts."""
    pytest.importorskip("numba")
    gold = json.loads((shared_data / "espeak_vi" / "gold_words.json").read_text())
    parts, words, starts, at = [], [], [], 0.0
    for path in sorted((shared_data / "espeak_vi" / "f1").glob("*.flac"))[:16]:
        samples, rate = read_audio(path)
        assert rate == RATE
        for word, start, _end in gold[path.stem]:
            words.append(word)
            starts.append(at + start)
        parts += [np.ravel(samples), np.zeros(RATE // 2, np.float32)]
        at += len(parts[-2]) / RATE + 0.5
    return np.concatenate(parts), words, starts


def place(reading, text):
    samples = reading[0]
    seconds = len(samples) / RATE
    columns = {"audio": Canonical(("a.flac",), seconds, RATE, 1, "pcm")}
    item = Item(Source("a", "a.wav", language="vi"), columns, ArrayAudio([samples]))
    return placed(Transcript("sidecar", (Utterance(text),)), item, "vi-hanoi")


def test_the_words_of_a_text_are_found(reading):
    made = place(reading, " ".join(reading[1]))
    (one,) = made.utterances
    assert made.warnings == ()
    assert [word.symbol for word in one.words] == reading[1]
    errors = np.abs([word.start - start for word, start in zip(one.words, reading[2], strict=True)])
    assert np.median(errors) < 0.1
    assert np.mean(errors < 0.5) > 0.95


def test_a_passage_that_is_not_said_is_left_out_and_named(reading):
    words = reading[1]
    passage = ["không", "ai", "đọc", "những", "dòng", "chữ", "này", "đâu", "cả", "nhé"]
    made = place(reading, " ".join([*words[:60], *passage, *words[60:]]))
    (one,) = made.utterances
    (warning,) = made.warnings
    assert warning.startswith("text-not-spoken: ")
    kept = [word.symbol for word in one.words]
    assert len(words) - 5 <= len(kept) <= len(words) + 4


def test_a_text_that_nobody_can_say_stays_without_times(reading):
    made = place(reading, "… ?!")
    assert made.utterances == (Utterance("… ?!"),)
    assert made.warnings[0].startswith("text-not-placed: no-text")


def test_a_short_recording_is_a_segment_as_it_is(reading):
    short = place((reading[0][: 20 * RATE], [], []), "xin chào")
    assert short.utterances == (Utterance("xin chào"),)
    assert short.warnings == ()
