# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from speechmill.core.errors import MissingDependency, SpeechmillError
from speechmill.core.types import Word
from speechmill.demo.espeak import Event, Line, phone_times, speak, word_times

WORD, PHONE = 1, 7
TEXT = "Ở nhà, it's."
# At 1,000 Hz: a closure before "n", a comma's pause from 400 to 600, an onset at 620 after the last event.
EVENTS = (
    Event(WORD, 0, 1, 0),
    Event(PHONE, 0, 0, 10, "ə"),
    Event(PHONE, 0, 0, 150, ""),
    Event(WORD, 2, 3, 150),
    Event(PHONE, 2, 0, 180, "n"),
    Event(PHONE, 2, 0, 250, "a"),
    Event(PHONE, 2, 0, 400, ""),
    Event(PHONE, 2, 0, 600, ""),
    Event(WORD, 7, 2, 600),
    Event(PHONE, 7, 0, 620, "ɪ"),
    Event(PHONE, 7, 0, 700, "s"),
    Event(PHONE, 7, 0, 900, ""),
)


def test_words_end_where_a_pause_begins_and_start_where_it_is_over() -> None:
    assert word_times(TEXT, EVENTS, 1000, 1000) == (
        Word("Ở", 0.01, 0.14),
        Word("nhà", 0.15, 0.25),
        Word("it's", 0.62, 0.28),
    )


def test_the_last_word_ends_with_the_audio_where_no_event_follows() -> None:
    assert word_times(TEXT, EVENTS[:-1], 1000, 1000)[-1] == Word("it's", 0.62, 0.38)


def test_phones_lie_inside_their_words_and_leave_pauses_out() -> None:
    assert phone_times(EVENTS, 1000, 1000) == (
        Word("ə", 0.01, 0.14),
        Word("n", 0.15, 0.1),
        Word("a", 0.25, 0.15),
        Word("ɪ", 0.62, 0.08),
        Word("s", 0.7, 0.2),
    )


def test_words_without_an_event_of_their_own_are_an_error() -> None:
    with pytest.raises(SpeechmillError, match="runs 'nhà' together"):
        word_times(TEXT, [event for event in EVENTS if event.position != 2], 1000, 1000)


@pytest.mark.usefixtures("espeak")
def test_the_same_lines_give_the_same_samples() -> None:
    lines = [Line("My friend is out.", "en-us+f2"), Line("Xin chào các bạn.", "vi")]
    first, second = speak(lines), speak(lines)
    assert [len(one.words) for one in first] == [4, 4]
    assert first == second


@pytest.mark.usefixtures("espeak")
def test_speech_is_inside_the_words() -> None:
    (one,) = speak([Line("Good weather, and plenty of water.", "en-us")])
    inside = np.zeros(len(one.samples), dtype=bool)
    for word in one.words:
        inside[round(word.start * one.sampling_rate) : round(word.end * one.sampling_rate)] = True
    energy = np.square(one.samples)
    assert energy[inside].sum() / energy.sum() > 0.9999
    assert 0.05 < (~inside).mean() < 0.5


@pytest.mark.usefixtures("espeak")
def test_words_that_espeak_joins_are_named() -> None:
    with pytest.raises(SpeechmillError, match=r"runs .(in|the). together"):
        speak([Line("We live in the city.", "en-us")])


@pytest.mark.usefixtures("espeak")
def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(SpeechmillError, match="no voice 'klingon-9'"):
        speak([Line("Hello.", "klingon-9")])


def test_without_espeak_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="pip install 'speechmill\\[demo\\]'"):
        speak([Line("Hello.", "en-us")])


@pytest.mark.usefixtures("espeak")
def test_espeak_is_never_loaded_into_the_process_that_asks() -> None:
    # In a fresh one: other tests load it, as the backend of `g2p` does.
    code = "import sys; from speechmill.demo.espeak import Line, speak; speak([Line('Hello.', 'en-us')]); "
    code += "print('espeakng_loader' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
