# SPDX-License-Identifier: Apache-2.0
"""The real loading and decoding path, with made networks that write rubbish."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("transformers")

from speechmill.asr.transformers import Backend, Config, model_digest, prepare
from speechmill.core.errors import ConfigError, MissingModel, UnsupportedLanguage
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio

SAMPLES = np.random.default_rng(5).normal(0, 0.1, 16000 * 30).astype(np.float32)
SPEECH = [Interval(1.0, 3.0), Interval(12.0, 9.0)]


@pytest.fixture(scope="module", params=["wav2vec2", "whisper"])
def folder(request, tiny_transformers, tmp_path_factory):
    return getattr(tiny_transformers, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def mms(tiny_transformers, tmp_path_factory):
    return tiny_transformers.mms(tmp_path_factory.mktemp("mms"))


@pytest.fixture(scope="module")
def whisper(tiny_transformers, tmp_path_factory):
    return tiny_transformers.whisper(tmp_path_factory.mktemp("whisper"))


def transcribe(folder, context, spoken="vi", speech=SPEECH, **options):
    config = Config(model=str(folder), **options)
    return Backend(config, context).transcribe(ArrayAudio([SAMPLES]), speech, spoken).utterances


def test_words_lie_in_their_stretch_of_speech_and_spell_the_text(folder, context):
    first, second = transcribe(folder, context)
    for found, (low, high) in ((first, (0.8, 4.2)), (second, (11.8, 21.2))):
        assert found.words
        assert low <= found.start == found.words[0].start
        assert found.words[-1].end <= high + 1e-4
        assert all(left.end <= right.start + 1e-4 for left, right in pairwise(found.words))
        assert "".join(word.symbol for word in found.words) == found.text.replace(" ", "")
        assert found.language == "vi"


def test_a_chunk_does_not_depend_on_those_before(folder, context):
    assert transcribe(folder, context, speech=SPEECH[1:]) == transcribe(folder, context)[1:]


def test_letters_say_how_sure_they_are(tiny_transformers, tmp_path, context):
    folder = tiny_transformers.wav2vec2(tmp_path / "model")
    scores = [word.score for found in transcribe(folder, context) for word in found.words]
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert len(set(scores)) > 1


def test_an_adapter_writes_its_languages_letters(mms, context):
    text = "".join(found.text for found in transcribe(mms, context, "yo", target_lang="yor"))
    assert {"ẹ", "ọ", "ṣ"} <= set(text) <= set(" abdeẹgiọṣ")


def test_an_adapter_that_is_not_there_is_an_error_before_any_work(mms):
    with pytest.raises(MissingModel, match=r"has no adapter\.vie\.safetensors or adapter\.vie\.bin"):
        prepare(Config(model=str(mms), target_lang="vie"))


def test_adapters_are_told_apart(mms):
    first, second = (model_digest(Config(model=str(mms), target_lang=code)) for code in ("eng", "yor"))
    assert first != second


def test_whisper_detects_a_language_and_writes_it_down(whisper, context):
    (language,) = {found.language for found in transcribe(whisper, context, None)}
    assert language in {"en", "vi", "yo"}
    assert transcribe(whisper, context, language) == transcribe(whisper, context, None)


def test_whisper_hears_no_more_at_once_than_it_can(whisper, context):
    found = transcribe(whisper, context, speech=[Interval(0.0, 29.0)], max_chunk_s=60.0)
    assert len(found) == 1
    long = ArrayAudio([np.concatenate([SAMPLES, SAMPLES])])
    backend = Backend(Config(model=str(whisper), max_chunk_s=60.0), context)
    assert len(backend.transcribe(long, [Interval(0.0, 60.0)], "vi").utterances) >= 3


def test_whisper_refuses_a_language_that_it_does_not_know(whisper, context):
    with pytest.raises(UnsupportedLanguage, match="does not know 'fr'"):
        transcribe(whisper, context, "fr")


def test_another_language_than_the_models_is_refused(folder, context):
    with pytest.raises(UnsupportedLanguage, match=r"'yo' only, not 'vi'; say when: \"language == 'yo'\""):
        transcribe(folder, context, "vi", language="yo")


def test_whisper_without_heads_that_follow_the_speech_gives_no_word_times(tiny_transformers, tmp_path, context):
    folder = tiny_transformers.whisper(tmp_path / "model", with_times=False)
    first, second = transcribe(folder, context)
    assert (first.start, first.duration, first.words) == (0.8, 3.4, ())
    assert second.text


def test_whisper_can_be_searched_with_beams(whisper, context):
    assert all(found.words for found in transcribe(whisper, context, num_beams=2))


def test_a_model_of_another_kind_is_named(whisper, context, tmp_path):
    copy = shutil.copytree(whisper, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ConfigError, match=r"a model of type 'bert'; known are .*wav2vec2.*whisper"):
        transcribe(copy, context)


def test_broken_weights_are_one_clear_error(tiny_transformers, tmp_path, context):
    folder = tiny_transformers.wav2vec2(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(MissingModel, match=r"asr transformers: .*model can't be opened"):
        transcribe(folder, context)


def test_a_vocabulary_that_is_missing_is_named(tiny_transformers, tmp_path):
    folder = tiny_transformers.wav2vec2(tmp_path / "model")
    (folder / "vocab.json").unlink()
    with pytest.raises(MissingModel, match=r"has no tokenizer\.json or vocab\.json"):
        prepare(Config(model=str(folder)))
