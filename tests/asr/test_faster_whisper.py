# SPDX-License-Identifier: Apache-2.0
"""The real loading, decoding and timing path, with a made model that writes rubbish."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("faster_whisper")

from speechmill.asr.faster_whisper import Backend, Config, model_digest
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio

SAMPLES = np.random.default_rng(5).normal(0, 0.1, 16000 * 40).astype(np.float32)
SPEECH = [Interval(1.0, 6.0), Interval(12.0, 9.0)]


@pytest.fixture
def config(tiny_whisper) -> Config:
    return Config(model=str(tiny_whisper), beam_size=2)


@pytest.fixture
def backend(config, context) -> Backend:
    return Backend(config, context)


def test_words_lie_in_their_stretch_of_speech_and_in_order(backend):
    transcript = backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, "vi")
    assert transcript.backend == "faster_whisper"
    words = [word for utterance in transcript.utterances for word in utterance.words]
    assert len(words) >= 2
    for word in words:
        assert 0.8 <= word.start <= word.end <= 7.2001 or 11.8 <= word.start <= word.end <= 21.2001
        assert 0.0 <= word.score <= 1.0
    assert all(left.end <= right.start + 1e-6 for left, right in pairwise(words))
    assert {utterance.language for utterance in transcript.utterances} == {"vi"}


def test_utterances_span_their_words(backend):
    for utterance in backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, "en").utterances:
        assert utterance.start == utterance.words[0].start
        assert utterance.start + utterance.duration == pytest.approx(utterance.words[-1].end)
        assert utterance.text.split() == [word.symbol for word in utterance.words]


def test_language_is_detected_once_for_the_recording(backend):
    transcript = backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, None)
    assert len(transcript.utterances) >= 2
    (language,) = {utterance.language for utterance in transcript.utterances}
    assert language in {"en", "vi", "de"}


def test_a_recording_does_not_depend_on_those_before(config, context):
    recordings = [ArrayAudio([SAMPLES[: 16000 * 22]]), ArrayAudio([SAMPLES[::-1][: 16000 * 22]])]
    alone = [Backend(config, context).transcribe(audio, SPEECH, None) for audio in recordings]
    shared = Backend(config, context)
    assert [shared.transcribe(audio, SPEECH, None) for audio in recordings[::-1]] == alone[::-1]


@pytest.mark.parametrize("compute_type", ["int8", "float32"])
def test_a_chunk_does_not_depend_on_what_shares_its_batch(config, context, compute_type):
    speech = [Interval(1.0, 6.0), Interval(12.0, 9.0), Interval(25.0, 4.0), Interval(33.0, 5.0)]
    audio = ArrayAudio([SAMPLES])
    found = {}
    for batch_audio_s in (30.0, 60.0, 120.0):
        options = msgspec.structs.replace(config, batch_audio_s=batch_audio_s, compute_type=compute_type)
        found[batch_audio_s] = Backend(options, context).transcribe(audio, speech, "en")
    assert len(found[30.0].utterances) == 4
    assert found[30.0] == found[60.0] == found[120.0]
    options = msgspec.structs.replace(config, compute_type=compute_type)
    alone = Backend(options, context).transcribe(audio, speech[2:3], "en").utterances
    assert alone == found[120.0].utterances[2:3]


def test_silence_says_nothing(backend):
    assert backend.transcribe(ArrayAudio([np.zeros(160000)]), [Interval(0, 10)], None).utterances == ()


@pytest.mark.parametrize(("language", "words"), [("tlh", "'tlh'"), ("xx-YY", "'xx-YY'")])
def test_unknown_languages_are_refused(backend, language, words):
    with pytest.raises(UnsupportedLanguage, match=words):
        backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, language)


def test_digest_of_a_folder_follows_its_files(tiny_whisper, tmp_path):
    copy = shutil.copytree(tiny_whisper, tmp_path / "copy")
    assert model_digest(Config(model=str(copy))) == model_digest(Config(model=str(tiny_whisper)))
    (copy / "README.md").write_text("not read by the model")
    assert model_digest(Config(model=str(copy))) == model_digest(Config(model=str(tiny_whisper)))
    with (copy / "model.bin").open("ab") as file:
        file.write(b"\0")
    assert model_digest(Config(model=str(copy))) != model_digest(Config(model=str(tiny_whisper)))


def test_a_size_names_its_repository(monkeypatch):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    commit = "536b0662742c02347bc0e980a01041f333bce120"
    assert model_digest(Config(model="small", revision=commit)) == f"Systran/faster-whisper-small@{commit}"


def test_offline_says_what_to_fetch_and_where_to_put_it(context, monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    words = r"'Systran/faster-whisper-tiny'.*SPEECHMILL_OFFLINE is set.*hf download .*--local-dir FOLDER"
    with pytest.raises(MissingModel, match=words):
        Backend(Config(model="tiny", download_root=str(tmp_path)), context)


def test_a_folder_without_a_tokenizer_is_refused(tiny_whisper, context, tmp_path):
    copy = Path(shutil.copytree(tiny_whisper, tmp_path / "copy"))
    (copy / "tokenizer.json").unlink()
    with pytest.raises(MissingModel, match=r"has no tokenizer\.json"):
        Backend(Config(model=str(copy)), context)


def test_an_unknown_size_names_the_sizes(context):
    with pytest.raises(MissingModel, match="large-v3-turbo"):
        Backend(Config(model="smal"), context)


@pytest.mark.parametrize("options", [{"beam_size": 0}, {"batch_audio_s": 0.0}])
def test_a_search_over_nothing_is_refused(options):
    with pytest.raises(msgspec.ValidationError, match=next(iter(options))):
        msgspec.convert(options, Config)
