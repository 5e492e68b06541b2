# SPDX-License-Identifier: Apache-2.0
"""PocketSphinx on real speech: words, times, and no memory of what came before."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pocketsphinx")

from speechmill.asr.pocketsphinx import Backend, Config
from speechmill.core.errors import UnsupportedLanguage
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.wer import tokens, wer


def read(path) -> np.ndarray:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16000
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    samples = np.concatenate(frames, axis=1)[0]
    return (samples / np.iinfo(samples.dtype).max).astype(np.float32)


@pytest.fixture(scope="module")
def austen(shared_data) -> dict[str, tuple[np.ndarray, str]]:
    folder = shared_data / "librivox_austen"
    rows = (line.split("\t") for line in (folder / "transcripts.tsv").read_text().splitlines()[1:])
    return {name: (read(folder / name), text) for name, text in rows}


@pytest.fixture
def backend(context) -> Backend:
    return Backend(Config(), context)


def everything(samples: np.ndarray) -> list[Interval]:
    return [Interval(0.0, len(samples) / 16000)]


def test_clean_reading_is_mostly_right(austen, backend):
    samples, text = austen["0880.flac"]
    (utterance,) = backend.transcribe(ArrayAudio([samples]), everything(samples), "en").utterances
    assert wer(tokens(text), tokens(utterance.text)).rate < 0.4
    assert utterance.text == " ".join(word.symbol for word in utterance.words)
    assert utterance.language == "en"


def test_words_carry_no_marks_of_the_decoder(austen, backend):
    samples = np.concatenate([samples for samples, _ in austen.values()])[: 16000 * 12]
    words = [
        w for u in backend.transcribe(ArrayAudio([samples]), everything(samples), None).utterances for w in u.words
    ]
    assert len(words) > 15
    assert all(word.symbol.replace("'", "").replace(".", "").replace("-", "").isalpha() for word in words)
    assert all(0.0 <= word.score <= 1.0 for word in words)
    assert len({word.score for word in words}) > 3


def test_times_are_those_of_the_recording(austen, context):
    samples, _ = austen["0880.flac"]
    backend = Backend(Config(pad_s=0.0), context)
    (alone,) = backend.transcribe(ArrayAudio([samples]), everything(samples), "en").utterances
    later = np.concatenate([np.zeros(5 * 16000, np.float32), samples])
    audio, speech = ArrayAudio([np.zeros_like(later), later]), [Interval(5.0, len(samples) / 16000, channel=1)]
    (moved,) = backend.transcribe(audio, speech, "en").utterances
    assert (moved.channel, moved.start, moved.text) == (1, 5.0, alone.text)
    np.testing.assert_allclose([w.start - 5 for w in moved.words], [w.start for w in alone.words], atol=1e-4)


@pytest.mark.slow
def test_a_chunk_does_not_depend_on_those_before(austen, context):
    names = ["0880.flac", "0890.flac", "0920.flac"]
    audio = [ArrayAudio([austen[name][0] * gain]) for name, gain in zip(names, (1.0, 0.1, 0.6), strict=True)]
    alone = [Backend(Config(), context).transcribe(a, everything(a.read()), "en") for a in audio]
    shared = Backend(Config(), context)
    assert [shared.transcribe(a, everything(a.read()), "en") for a in audio] == alone
    assert [shared.transcribe(a, everything(a.read()), "en") for a in audio[::-1]] == alone[::-1]


@pytest.mark.parametrize("seconds", [0.001, 0.05, 3.0])
def test_silence_says_nothing(backend, seconds):
    samples = np.zeros(round(seconds * 16000), np.float32)
    assert backend.transcribe(ArrayAudio([samples]), everything(samples), "en").utterances == ()


def test_other_languages_are_refused(backend):
    with pytest.raises(UnsupportedLanguage, match="'vi'"):
        backend.transcribe(ArrayAudio([np.zeros(16000)]), [Interval(0, 1)], "vi")
