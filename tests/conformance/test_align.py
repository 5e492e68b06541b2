# SPDX-License-Identifier: Apache-2.0
"""What every aligner of single segments keeps, over all that are registered and installed here."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill.align import Lesson
from speechmill.core import registry
from speechmill.core.errors import Unalignable, UnsupportedLanguage
from speechmill.core.stage import Context
from speechmill.text.spoken import spoken
from speechmill.text.tokens import Token


@pytest.fixture(params=registry.names("align"))
def make(request, tmp_path):
    """Return a maker of one backend: new ones must agree with used ones."""
    module = registry.load("align", request.param)
    missing = registry.missing_packages(module)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if not registry.knows_language(module, "en"):
        pytest.skip("the speech at hand is English")
    if not hasattr(module.Backend, "align"):
        pytest.skip("aligns a corpus, not a segment")
    options = OPTIONS[request.param](tmp_path) if request.param in OPTIONS else {}
    context = Context(tmp_path, _wheel_models)
    if hasattr(module, "train"):
        context = msgspec.structs.replace(context, made=request.getfixturevalue("trained")(request.param))
    return lambda: module.Backend(module.Config(**options), context)


@pytest.fixture(scope="module")
def trained(readings, tmp_path_factory):
    """Return a maker of a model of a backend that trains one, made of the readings once."""

    @functools.cache
    def make_model(name: str) -> Path:
        module, folder = registry.load("align", name), tmp_path_factory.mktemp(name)
        lessons = [
            Lesson(f"{i:02d}", len(samples) / 16_000, lambda samples=samples: samples, text, "en", "a reader")
            for i, (samples, text) in enumerate(readings)
        ]
        texts = [*(text for _samples, text in readings), "hello there zzyzx unheard never said"]
        module.train(module.Config(), lessons, lambda: [(text, "en") for text in texts], folder, lambda note: None, 1)
        return folder

    return make_model


def _random_network(folder: Path) -> dict[str, object]:
    path = Path(__file__).parents[1] / "asr" / "tiny_transformers.py"
    spec = importlib.util.spec_from_file_location("tiny_transformers", path)
    assert spec is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    labels = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'")
    tiny._ctc(folder / "model", {label: i for i, label in enumerate(labels)}, len(labels))
    return {"model": str(folder / "model"), "min_mean_score": 0.0}


def _stand_in(folder: Path) -> dict[str, object]:
    """A program that answers as MFA would, and hears words wherever they are asked for."""
    if os.name == "nt":
        pytest.skip("the stand-in is a shell script")
    program = folder / "mfa"
    stand_in = Path(__file__).parents[1] / "align" / "stand_in_mfa.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "$@"\n')
    program.chmod(0o755)
    (folder / "acoustic.zip").write_bytes(b"a model")
    (folder / "words.dict").write_text("he\th ee\n")
    models = {"model": str(folder / "acoustic.zip"), "dictionary": str(folder / "words.dict")}
    return {**models, "program": str(program)}


# What backends need that have no model of their own; a network of random weights finds a place for each word, any.
OPTIONS = {"ctc": _random_network, "mfa": _stand_in}
RUBBISH = {"ctc"}


@pytest.fixture
def hearing(make, request):
    """Return a maker of a backend whose model hears what is said."""
    if request.node.callspec.params["make"] in RUBBISH:
        pytest.skip("its made model hears nothing of what is said")
    return make


def _wheel_models(name: str) -> Path:
    if name != "pocketsphinx-en":
        pytest.skip(f"model {name} is not in an installed wheel")
    import pocketsphinx

    return Path(pocketsphinx.get_model_path("en-us"))


@pytest.fixture(scope="module")
def readings(shared_data) -> list[tuple[np.ndarray, str]]:
    av = pytest.importorskip("av")
    folder = shared_data / "librivox_austen"
    found = []
    for line in (folder / "transcripts.tsv").read_text().splitlines()[1:]:
        name, text = line.split("\t")
        with av.open(str(folder / name)) as container:
            samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]
        found.append(((samples / np.iinfo(samples.dtype).max).astype(np.float32), text))
    return found


def test_every_word_once_in_order_inside_the_audio(make, readings):
    backend = make()
    for samples, text in readings:
        alignment = backend.align(samples, spoken(text, "en"), "en")
        assert [word.symbol for word in alignment.words] == text.split()
        for timed in filter(None, (alignment.words, alignment.phones)):  # some time no phones
            assert timed[0].start >= 0
            assert timed[-1].end <= len(samples) / 16000 + 1e-6
            assert all(left.end <= right.start + 1e-6 for left, right in pairwise(timed))
            assert all(word.duration > 0 for word in timed)
            assert all(word.score is None or 0 <= word.score <= 1 for word in timed)


def test_every_token_once_whatever_it_is_said_as(hearing, readings):
    samples, text = readings[0]
    written = text.split()
    # What is said is the same; what is written has a number, a sign and an abbreviation in it.
    said = spoken(text, "en")
    grouped = msgspec.structs.replace(
        said,
        tokens=(Token("№1", 0, 0), *said.tokens[2:]),
        ways=(((written[0].lower(), written[1].lower()), ("never", "said")), *said.ways[2:]),
    )
    alignment = hearing().align(samples, grouped, "en")
    assert [word.symbol for word in alignment.words] == ["№1", *written[2:]]
    alone = hearing().align(samples, said, "en")
    assert alignment.words[0].start == alone.words[0].start
    assert alignment.words[0].end == pytest.approx(alone.words[1].end, abs=1e-6)
    assert alignment.words[1:] == alone.words[2:]
    assert alignment.phones == alone.phones


def test_what_can_not_be_said_gets_what_is_left_and_no_score(make, readings):
    samples, text = readings[0]
    said = spoken(text, "en")
    silent = msgspec.structs.replace(said, tokens=(*said.tokens, Token("♯♭", 0, 0)), ways=(*said.ways, ()))
    *words, last = make().align(samples, silent, "en").words
    assert (last.symbol, last.score) == ("♯♭", 0.0)
    assert last.start == pytest.approx(words[-1].end)
    assert last.end <= len(samples) / 16000 + 1e-6


def test_phones_lie_inside_words(make, readings):
    alignment = make().align(readings[0][0], spoken(readings[0][1], "en"), "en")
    for phone in alignment.phones:
        assert any(w.start - 1e-3 <= phone.start and phone.end <= w.end + 1e-3 for w in alignment.words), phone


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
def test_silence_is_unalignable(make, seconds):
    with pytest.raises(Unalignable) as caught:
        make().align(np.zeros(round(seconds * 16000), np.float32), spoken("hello there", "en"), "en")
    assert caught.value.reason


@pytest.mark.parametrize("text", ["", " ", "…"])
def test_a_text_without_words_is_unalignable(make, readings, text):
    with pytest.raises(Unalignable) as caught:
        make().align(readings[0][0], spoken(text, "en"), "en")
    assert caught.value.reason


def test_alone_is_the_same_as_after_others(make, readings):
    alone = [make().align(samples, spoken(text, "en"), "en") for samples, text in readings[:3]]
    used = make()
    with pytest.raises(Unalignable):
        used.align(np.zeros(16000, np.float32), spoken("zzyzx unheard", "en"), "en")
    assert [used.align(samples, spoken(text, "en"), "en") for samples, text in readings[2::-1]] == alone[::-1]


@pytest.mark.parametrize("name", registry.names("align"))
def test_an_unknown_language_is_refused_by_name(name):
    if getattr(registry.load("align", name), "LANGUAGES", None) is None:
        pytest.skip("serves any language")
    with pytest.raises(UnsupportedLanguage, match="'xx'"):
        registry.check_language("align", name, "xx")
