# SPDX-License-Identifier: Apache-2.0
"""The real loading and decoding path, with made models that write rubbish."""

from __future__ import annotations

import shutil
from itertools import pairwise

import msgspec
import numpy as np
import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from speechmill.asr.sherpa_onnx import Backend, Config, layout, model_digest, prepare, rebase
from speechmill.core.errors import MissingModel, UnsupportedLanguage
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio

SAMPLES = np.random.default_rng(5).normal(0, 0.1, 16000 * 30).astype(np.float32)
SPEECH = [Interval(1.0, 3.0), Interval(12.0, 9.0)]


@pytest.fixture(scope="module", params=["zipformer_ctc", "transducer", "omnilingual"])
def folder(request, tiny_onnx, tmp_path_factory):
    return getattr(tiny_onnx, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def transducer(tiny_onnx, tmp_path):
    return tiny_onnx.transducer(tmp_path / "transducer")


def transcribe(folder, context, spoken="vi", **options):
    config = Config(model=str(folder), **options)
    return Backend(config, context).transcribe(ArrayAudio([SAMPLES]), SPEECH, spoken)


def test_words_lie_in_their_stretch_of_speech_and_spell_the_text(folder, context):
    first, second = transcribe(folder, context).utterances
    for found, (low, high) in ((first, (0.8, 4.2)), (second, (11.8, 21.2))):
        assert len(found.words) > 3
        assert low <= found.start == found.words[0].start
        assert found.words[-1].end <= high + 1e-4
        assert all(left.end <= right.start + 1e-4 for left, right in pairwise(found.words))
        assert "".join(word.symbol for word in found.words) == found.text.replace(" ", "")
        assert found.language == "vi"


def test_no_mark_of_the_vocabulary_is_text(folder, context):
    assert not any("<" in found.text for found in transcribe(folder, context).utterances)


def test_a_transducer_says_how_sure_it_is(transducer, context):
    scores = [word.score for found in transcribe(transducer, context).utterances for word in found.words]
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert len(set(scores)) > 3


def test_a_transducer_can_be_searched_with_a_beam(transducer, context):
    found = transcribe(transducer, context, decoding="modified_beam_search")
    assert sum(len(one.words) for one in found.utterances) > 5


def test_a_chunk_does_not_depend_on_those_before(transducer, context):
    backend = Backend(Config(model=str(transducer)), context)
    both = backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, "vi").utterances
    assert backend.transcribe(ArrayAudio([SAMPLES]), SPEECH[1:], "vi").utterances == both[1:]
    assert backend.transcribe(ArrayAudio([SAMPLES]), SPEECH, "vi").utterances == both


def test_a_models_own_language_stands_where_none_is_given(transducer, context):
    assert {one.language for one in transcribe(transducer, context, None, language="vi").utterances} == {"vi"}
    assert {one.language for one in transcribe(transducer, context, None).utterances} == {None}


def test_another_language_than_the_models_is_refused(transducer, context):
    with pytest.raises(UnsupportedLanguage, match=r"'vi' only, not 'fr'; say when: \"language == 'vi'\""):
        transcribe(transducer, context, "fr", language="vi")


def test_the_kind_is_seen_from_files_and_metadata(tiny_onnx, tmp_path):
    for maker in ("zipformer_ctc", "transducer", "omnilingual"):
        assert layout(getattr(tiny_onnx, maker)(tmp_path / maker), Config(model="")).kind == maker


def test_int8_is_preferred_and_float32_can_be_asked_for(transducer):
    for path in list(transducer.glob("*coder*.onnx")):  # releases leave a part or two unquantised
        shutil.copyfile(path, path.with_suffix(".int8.onnx"))
    names = {
        precision: {part: path.name for part, path in layout(transducer, Config("", precision=precision)).parts.items()}
        for precision in ("int8", "float32")
    }
    assert names["int8"] == {
        "encoder": "encoder-epoch-1-avg-1.int8.onnx",
        "decoder": "decoder-epoch-1-avg-1.int8.onnx",
        "joiner": "joiner-epoch-1-avg-1.onnx",
    }
    assert set(names["float32"].values()) == {f"{part}-epoch-1-avg-1.onnx" for part in names["float32"]}


def test_two_models_in_a_folder_are_refused_by_name(tiny_onnx, transducer):
    tiny_onnx.transducer(transducer, suffix="-epoch-2-avg-1")
    with pytest.raises(MissingModel, match=r"several models: encoder-epoch-1-avg-1\.onnx, encoder-epoch-2-avg-1\.onnx"):
        prepare(Config(model=str(transducer)))


def test_a_streaming_model_beside_the_whole_one_is_left_alone(tiny_onnx, tmp_path):
    folder = tiny_onnx.zipformer_ctc(tmp_path / "model")
    shutil.copyfile(folder / "model.onnx", folder / "model-streaming.onnx")
    assert layout(folder, Config(model="")).parts == {"model": folder / "model.onnx"}


def test_a_part_that_is_missing_is_an_error_before_any_work(transducer):
    (transducer / "joiner-epoch-1-avg-1.onnx").unlink()
    with pytest.raises(MissingModel, match=r"it needs \*encoder\*\.onnx, \*decoder\*\.onnx and \*joiner\*\.onnx, or"):
        prepare(Config(model=str(transducer)))
    (transducer / "tokens.txt").unlink()
    with pytest.raises(MissingModel, match=r"has no tokens\.txt or \*-tokens\.txt"):
        prepare(Config(model=str(transducer)))


def test_a_kind_that_is_not_known_is_named(tiny_onnx, tmp_path):
    onnx = pytest.importorskip("onnx")
    folder = tiny_onnx.zipformer_ctc(tmp_path / "model")
    model = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(model, {"model_type": "telespeech_ctc"})
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(MissingModel, match=r"says 'telespeech_ctc' of its kind; known are zipformer2_ctc,"):
        prepare(Config(model=str(folder)))
    assert layout(folder, Config(model="", kind="zipformer_ctc")).kind == "zipformer_ctc"


def test_digest_and_place_of_a_local_folder(transducer, tmp_path):
    moved = rebase(Config(model="transducer"), tmp_path)
    assert moved == msgspec.structs.replace(moved, model=str(transducer.resolve()))
    before = model_digest(moved)
    (transducer / "tokens.txt").write_text("<blk> 0\n")
    assert model_digest(moved) != before
