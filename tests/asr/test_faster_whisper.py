# SPDX-License-Identifier: Apache-2.0
"""The real loading, decoding and timing path, with a made model that writes rubbish."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

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


def test_digest_of_a_hub_name_pins_the_revision():
    assert model_digest(Config(model="small", revision="536b066")) == "small@536b066"
    assert model_digest(Config()) == "small@main"


def test_offline_says_what_to_fetch_and_where_to_put_it(context, monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    with pytest.raises(MissingModel, match=r"'tiny'.*SPEECHMILL_OFFLINE is set.*hf download .*--local-dir FOLDER"):
        Backend(Config(model="tiny", download_root=str(tmp_path)), context)


def test_an_unreachable_hub_is_one_clear_error(context, monkeypatch, tmp_path):
    import huggingface_hub.constants

    # Nothing listens on the discard port: the connection is refused at once.
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("SPEECHMILL_OFFLINE", raising=False)
    with pytest.raises(MissingModel, match=r"owner/name.*could not be reached.*hf download owner/name"):
        Backend(Config(model="owner/name", download_root=str(tmp_path)), context)


def test_a_folder_that_is_not_there_is_not_looked_for_on_a_hub(context, tmp_path):
    with pytest.raises(MissingModel, match="no folder"):
        Backend(Config(model=str(tmp_path / "absent")), context)


def test_a_folder_without_a_tokenizer_is_refused(tiny_whisper, context, tmp_path):
    copy = Path(shutil.copytree(tiny_whisper, tmp_path / "copy"))
    (copy / "tokenizer.json").unlink()
    with pytest.raises(MissingModel, match=r"has no tokenizer\.json"):
        Backend(Config(model=str(copy)), context)


def test_an_unknown_size_names_the_sizes(context):
    with pytest.raises(MissingModel, match="large-v3-turbo"):
        Backend(Config(model="smal"), context)
