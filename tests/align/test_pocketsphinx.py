# SPDX-License-Identifier: Apache-2.0
"""PocketSphinx's alignment of real English: every word, in order, inside the audio, or a reason."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("pocketsphinx")

from speechmill.align.pocketsphinx import Backend, Config
from speechmill.core.errors import Unalignable, UnsupportedLanguage
from speechmill.demo.espeak import Line, speak
from speechmill.measures.wer import tokens
from speechmill.text.spoken import spoken

TEXT = "he was not an ill disposed young man"


def english(text: str):
    return spoken(text, "en")


def read(path) -> np.ndarray:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16000
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    samples = np.concatenate(frames, axis=1)[0]
    return (samples / np.iinfo(samples.dtype).max).astype(np.float32)


@pytest.fixture(scope="module")
def backend(pocketsphinx_context) -> Backend:
    return Backend(Config(), pocketsphinx_context)


@pytest.fixture(scope="module")
def samples(shared_data) -> np.ndarray:
    return read(shared_data / "librivox_austen" / "0880.flac")


@pytest.fixture(scope="module")
def other(shared_data) -> list[tuple[np.ndarray, str]]:
    folder = shared_data / "librispeech_test_other"
    rows = [line.split("\t") for line in (folder / "transcripts.tsv").read_text().splitlines()[1:]]
    return [(read(folder / name), text) for name, text in rows[::6]]


def test_words_and_phones_are_nested_and_inside_the_audio(backend, samples):
    alignment = backend.align(samples, english(TEXT), "en")
    assert [word.symbol for word in alignment.words] == TEXT.split()
    assert all(left.end <= right.start + 1e-6 for left, right in pairwise(alignment.words))
    assert all(left.end <= right.start + 1e-6 for left, right in pairwise(alignment.phones))
    assert all(word.duration > 0 for word in (*alignment.words, *alignment.phones))
    assert alignment.words[0].start >= 0
    assert alignment.words[-1].end <= len(samples) / 16000
    first = [phone for phone in alignment.phones if phone.end <= alignment.words[0].end + 1e-6]
    assert [phone.symbol for phone in first] == ["HH", "IY"]
    assert first[-1].end == pytest.approx(alignment.words[0].end)


def test_symbols_are_the_words_as_written(backend, samples):
    words = backend.align(samples, english("“He was — not an ill-disposed young Man!”"), "en-GB").words
    assert [word.symbol for word in words] == ["He", "was", "not", "an", "ill-disposed", "young", "Man"]


def test_a_text_that_is_not_said_is_refused_or_scores_low(backend, samples):
    with pytest.raises(Unalignable, match=r"no-alignment|poor-match"):
        backend.align(samples, english("we shall buy more green apples soon"), None)
    true, wrong = (
        backend.align(samples, english(TEXT), None),
        backend.align(samples, english(TEXT.replace("young", "apple")), None),
    )
    assert wrong.words[-2].score < 0.3 < true.words[-2].score


def test_a_guessed_pronunciation_halves_the_score(backend, samples):
    plain = backend.align(samples, english(TEXT), "en").words[-2]
    guessed = backend.align(samples, english(TEXT.replace("young", "yuhng")), "en").words[
        -2
    ]  # the same phones, by rule
    assert (guessed.symbol, guessed.start, guessed.duration) == ("yuhng", plain.start, plain.duration)
    assert guessed.score == pytest.approx(plain.score / 2, abs=1e-3)


def test_a_number_in_real_speech_has_the_times_of_its_word(backend, shared_data):
    clip = read(shared_data / "librispeech_test_other" / "1998" / "1998-15444-0008.flac")
    spelled = backend.align(clip, english("the dose for an adult is ten minims"), "en").words
    written = backend.align(clip, english("The dose for an adult is 10 minims."), "en").words
    assert [word.symbol for word in written] == ["The", "dose", "for", "an", "adult", "is", "10", "minims"]
    assert [(word.start, word.duration) for word in written] == [(word.start, word.duration) for word in spelled]


def test_spelled_digits_find_their_word(backend, shared_data):
    clip = read_digits(shared_data / "free_spoken_digits" / "7_george_0.flac")
    (word,) = backend.align(clip, english("7"), "en").words
    assert word.symbol == "7"
    assert word.duration > 0.2


def read_digits(path) -> np.ndarray:
    """8 kHz clips: every sample twice, and silence around them."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 8000
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    samples = np.concatenate(frames, axis=1)[0]
    return np.pad(np.repeat(samples / np.iinfo(samples.dtype).max, 2), 3200).astype(np.float32)


@pytest.mark.slow
def test_true_transcripts_align_alone_and_after_others(backend, other, pocketsphinx_context):
    shared = [backend.align(samples, english(text), "en") for samples, text in other]
    for alignment, (_, text) in zip(shared, other, strict=True):
        assert tokens(" ".join(word.symbol for word in alignment.words)) == tokens(text)
    fresh = Backend(Config(), pocketsphinx_context)
    assert [fresh.align(samples, english(text), "en") for samples, text in other[::-1]] == shared[::-1]


@pytest.mark.parametrize(
    ("text", "seconds", "reason"),
    [
        ("", 1.0, "no-words"),
        ("— ♪ …", 1.0, "no-words"),
        ("xin chào 日本", 2.0, "unknown-characters"),
        ("one two three four", 0.3, "audio-too-short-for-text"),
        ("hello", 0.0, "audio-too-short-for-text"),
    ],
)
def test_what_can_not_be_aligned_has_a_reason(backend, text, seconds, reason):
    with pytest.raises(Unalignable) as caught:
        backend.align(np.full(round(seconds * 16000), 0.1, np.float32), english(text), "en")
    assert caught.value.reason == reason


def test_silence_is_not_aligned(backend):
    with pytest.raises(Unalignable, match="silence"):
        backend.align(np.zeros(16000, np.float32), english("hello"), "en")


def test_a_tone_has_no_alignment(backend):
    tone = np.sin(np.arange(32000) * 0.1).astype(np.float32)
    with pytest.raises(Unalignable, match=r"no-alignment|poor-match"):
        backend.align(tone, english("hello there"), "en")


def test_other_languages_are_refused(backend, samples):
    with pytest.raises(UnsupportedLanguage, match="'vi'"):
        backend.align(samples, english(TEXT), "vi")


def synthesised(text: str) -> tuple[np.ndarray, list]:
    """Speak a text that has no digits; its words have exact times."""
    if importlib.util.find_spec("espeakng_loader") is None:  # importing it would load a GPL library into this process
        pytest.skip("espeakng-loader is not installed")
    soxr = pytest.importorskip("soxr")
    (said,) = speak([Line(text, "en-us")])
    return (soxr.resample(said.samples, said.sampling_rate, 16000) / 2).astype(np.float32), list(said.words)


def test_numbers_dates_and_abbreviations_have_times(backend):
    text = "It cost $43,000 on 3/4/2021, i.e. 20% more."
    samples, true = synthesised(
        "It cost forty three thousand dollars on march fourth twenty twenty one, that is twenty percent more."
    )
    words = backend.align(samples, english(text), "en").words
    assert [word.symbol for word in words] == ["It", "cost", "$43,000", "on", "3/4/2021", "i.e.", "20%", "more"]
    assert all(word.duration > 0 for word in words)
    said = [(0, 0), (1, 1), (2, 5), (6, 6), (7, 11), (12, 13), (14, 15), (16, 16)]  # first and last word of each token
    for word, (first, last) in list(zip(words, said, strict=True))[1:]:
        assert word.start == pytest.approx(true[first].start, abs=0.25), word
        assert word.end == pytest.approx(true[last].end, abs=0.25), word


@pytest.mark.parametrize(
    ("text", "said", "token", "first", "last"),
    [
        ("He was born in 1905.", "He was born in nineteen oh five", "1905", 4, 6),
        ("He was born in 1905.", "He was born in one thousand nine hundred five", "1905", 4, 8),
        ("Call 555-1234 today.", "Call five five five one two three four today", "555-1234", 1, 7),
        ("Old King Henry VIII danced well.", "Old King Henry the eighth danced well", "VIII", 3, 4),
    ],
)
def test_the_audio_decides_how_a_token_is_said(backend, text, said, token, first, last):
    samples, true = synthesised(said)
    word = next(word for word in backend.align(samples, english(text), "en").words if word.symbol == token)
    assert word.start == pytest.approx(true[first].start, abs=0.12)
    assert word.end == pytest.approx(true[last].end, abs=0.12)
