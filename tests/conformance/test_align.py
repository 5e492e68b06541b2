# SPDX-License-Identifier: Apache-2.0
"""What every aligner of single segments keeps, over all that are registered and installed here."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from speechmill.core import registry
from speechmill.core.errors import Unalignable, UnsupportedLanguage
from speechmill.core.stage import Context


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
    context = Context(tmp_path, _wheel_models)
    return lambda: module.Backend(module.Config(), context)


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
        alignment = backend.align(samples, text, "en")
        assert [word.symbol for word in alignment.words] == text.split()
        for timed in (alignment.words, alignment.phones):
            assert timed[0].start >= 0
            assert timed[-1].end <= len(samples) / 16000 + 1e-6
            assert all(left.end <= right.start + 1e-6 for left, right in pairwise(timed))
            assert all(word.duration > 0 for word in timed)
            assert all(word.score is None or 0 <= word.score <= 1 for word in timed)


def test_phones_lie_inside_words(make, readings):
    alignment = make().align(*readings[0], "en")
    for phone in alignment.phones:
        assert any(w.start - 1e-3 <= phone.start and phone.end <= w.end + 1e-3 for w in alignment.words), phone


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
def test_silence_is_unalignable(make, seconds):
    with pytest.raises(Unalignable) as caught:
        make().align(np.zeros(round(seconds * 16000), np.float32), "hello there", "en")
    assert caught.value.reason


@pytest.mark.parametrize("text", ["", " ", "…"])
def test_a_text_without_words_is_unalignable(make, readings, text):
    with pytest.raises(Unalignable) as caught:
        make().align(readings[0][0], text, "en")
    assert caught.value.reason


def test_alone_is_the_same_as_after_others(make, readings):
    alone = [make().align(samples, text, "en") for samples, text in readings[:3]]
    used = make()
    with pytest.raises(Unalignable):
        used.align(np.zeros(16000, np.float32), "zzyzx unheard", "en")
    assert [used.align(samples, text, "en") for samples, text in readings[2::-1]] == alone[::-1]


@pytest.mark.parametrize("name", registry.names("align"))
def test_an_unknown_language_is_refused_by_name(name):
    if getattr(registry.load("align", name), "LANGUAGES", None) is None:
        pytest.skip("serves any language")
    with pytest.raises(UnsupportedLanguage, match="'xx'"):
        registry.check_language("align", name, "xx")
