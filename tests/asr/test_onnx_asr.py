# SPDX-License-Identifier: Apache-2.0
"""The real loading and decoding path, with made NeMo models that write rubbish."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("onnx_asr")
pytest.importorskip("onnx")

from speechmill.asr.onnx_asr import Backend, Config, model_digest, prepare
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio

SAMPLES = np.random.default_rng(5).normal(0, 0.1, 16000 * 30).astype(np.float32)
SPEECH = [Interval(1.0, 3.0), Interval(12.0, 9.0)]


@pytest.fixture(scope="module", params=["nemo_ctc", "nemo_tdt"])
def folder(request, tiny_onnx, tmp_path_factory):
    return getattr(tiny_onnx, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def canary(tiny_onnx, tmp_path):
    return tiny_onnx.nemo_aed(tmp_path / "canary")


def transcribe(folder, context, spoken="en", speech=SPEECH, **options):
    config = Config(model=str(folder), precision="float32", **options)
    return Backend(config, context).transcribe(ArrayAudio([SAMPLES]), speech, spoken).utterances


def test_words_lie_in_their_stretch_of_speech_and_spell_the_text(folder, context):
    first, second = transcribe(folder, context)
    for found, (low, high) in ((first, (0.8, 4.2)), (second, (11.8, 21.2))):
        assert len(found.words) > 3
        assert low <= found.start == found.words[0].start
        assert found.words[-1].end <= high + 1e-4
        assert all(left.end <= right.start + 1e-4 for left, right in pairwise(found.words))
        assert "".join(word.symbol for word in found.words) == found.text.replace(" ", "")
        assert all(0.0 <= word.score <= 1.0 for word in found.words)


def test_a_chunk_does_not_depend_on_those_before(folder, context):
    assert transcribe(folder, context, speech=SPEECH[1:]) == transcribe(folder, context)[1:]


def test_the_language_is_the_recordings_or_the_options(folder, context):
    assert {found.language for found in transcribe(folder, context, "fr", language="en")} == {"fr"}
    assert {found.language for found in transcribe(folder, context, None, language="en")} == {"en"}
    assert {found.language for found in transcribe(folder, context, None)} == {None}


def test_canary_is_told_the_language_and_gives_no_word_times(canary, context):
    first, second = transcribe(canary, context, "de-AT")
    assert (first.text, first.start, first.duration, first.words) == ("guten good tag day", 0.8, 3.4, ())
    assert second.language == "de-AT"


@pytest.mark.parametrize(("spoken", "words"), [(None, "no language was given"), ("vi", "it doesn't know 'vi'")])
def test_canary_refuses_to_guess_a_language(canary, context, spoken, words):
    with pytest.raises(UnsupportedLanguage, match=words):
        transcribe(canary, context, spoken)


def test_a_kind_that_the_folder_does_not_say_can_be_said(tiny_onnx, tmp_path, context):
    folder = tiny_onnx.nemo_ctc(tmp_path / "model")
    known = transcribe(folder, context)
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"]
    (folder / "config.json").write_text(json.dumps(config))
    assert transcribe(folder, context, kind="nemo-conformer-ctc") == known


def test_a_precision_that_is_not_there_is_an_error_before_any_work(folder):
    with pytest.raises(MissingModel, match=r"has no \*int8\.onnx"):
        prepare(Config(model=str(folder)))


def test_a_missing_vocabulary_is_named(tiny_onnx, tmp_path, context):
    folder = tiny_onnx.nemo_ctc(tmp_path / "model")
    (folder / "vocab.txt").unlink()
    with pytest.raises(MissingModel, match=r"'vocab\.txt' not found.*It needs config\.json"):
        transcribe(folder, context)


def test_names_that_share_a_repository_are_told_apart(monkeypatch):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    first, second = (model_digest(Config(model=f"gigaam-v2-{kind}", revision="0" * 40)) for kind in ("ctc", "rnnt"))
    assert first == "gigaam-v2-ctc istupakov/gigaam-v2-onnx@" + "0" * 40
    assert second == "gigaam-v2-rnnt istupakov/gigaam-v2-onnx@" + "0" * 40


def test_offline_names_the_repository_and_the_files(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECHMILL_OFFLINE", "1")
    with pytest.raises(MissingModel, match=r"hf download istupakov/parakeet-tdt-0\.6b-v3-onnx --local-dir FOLDER"):
        prepare(Config(model="nemo-parakeet-tdt-0.6b-v3", download_root=str(tmp_path)))
