# SPDX-License-Identifier: Apache-2.0
"""Stage `align`: text is put as it is said, times come back on the text's tokens and the recording's timeline."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from speechmill.core import registry
from speechmill.core.errors import Unalignable
from speechmill.core.registry import Choice
from speechmill.core.stage import Context, Item, Patch
from speechmill.core.types import Alignment, Source, Utterance, Word
from speechmill.formats.array_audio import ArrayAudio
from speechmill.stages.align import Align
from speechmill.text.spoken import fold


class EachWordASecond:
    """An aligner that hears every spoken word for one second."""

    def __init__(self, config, context):
        pass

    def align(self, samples, said, language):
        if not said.words:
            raise Unalignable("no-words", "nothing is said")
        words = [Word(one.word, float(i), 1.0, 0.5) for i, one in enumerate(said.words)]
        return Alignment(fold(said, words, len(samples) / 16_000), (Word("AH", 0.0, 1.0),))


@pytest.fixture
def aligned(monkeypatch):
    """Align one segment that starts at 10 s: words, phones and gap."""

    def align(text, language, languages=None):
        module = ModuleType("aligner")
        module.Backend = EachWordASecond
        module.LANGUAGES = languages
        load = registry.load
        monkeypatch.setattr(registry, "load", lambda family, name: module if family == "align" else load(family, name))
        stage = Align(Choice("align", "aligner", None))
        stage.open(Context(Path(), Path))
        segment = Utterance(text, 10.0, 20.0, language=language)
        item = Item(Source("a", "a.wav"), {"segments": (segment,)}, ArrayAudio([np.zeros(40 * 16_000)]))
        (patch,) = stage.process([item])
        assert isinstance(patch, Patch), patch
        return tuple(patch.columns[name][0] for name in stage.writes)

    return align


def test_a_token_of_many_words_has_one_time(aligned):
    words, phones, gap = aligned("It cost $43,000.", "en")
    assert words == (Word("It", 10.0, 1.0, 0.5), Word("cost", 11.0, 1.0, 0.5), Word("$43,000", 12.0, 4.0, 0.5))
    assert phones == (Word("AH", 10.0, 1.0),)
    assert gap is None


def test_a_number_without_rules_keeps_its_place(aligned):
    words, _, gap = aligned("ọmọ 23 dára", "yo")
    assert words == (Word("ọmọ", 10.0, 1.0, 0.5), Word("23", 11.0, 0.0, 0.0), Word("dára", 11.0, 1.0, 0.5))
    assert gap is None


@pytest.mark.parametrize(("languages", "said"), [(frozenset({"en"}), "five"), (frozenset({"en", "fr"}), None)])
def test_an_aligner_of_one_language_takes_text_of_none_for_it(aligned, languages, said):
    words, _, gap = aligned("5", None, languages)
    if said:
        assert words == (Word("5", 10.0, 1.0, 0.5),)
    else:
        assert gap == "no-words: nothing is said"


def test_text_without_blanks_is_parted(aligned):
    pytest.importorskip("jieba")
    words, _, _ = aligned("我来到北京。", "zh")
    assert [word.symbol for word in words] == ["我", "来到", "北京"]
