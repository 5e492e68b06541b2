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
from speechmill.core.types import Alignment, Correction, Source, Utterance, Word
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


class Together:
    """An aligner of whole recordings that can't align segments of one word."""

    def __init__(self, config, context):
        self.starts = 0

    def align_all(self, cuts):
        self.starts += 1
        assert [len(cut.read()) for cut in cuts] == [32_000] * len(cuts)
        if not all(cut.said.words for cut in cuts):
            raise Unalignable("all-at-once", "nothing is said in one of them")
        whole = Alignment((Word(f"start {self.starts} of {len(cuts)}", 0.5, 1.0),))
        return [whole if len(cut.said.words) > 1 else Unalignable("one-word", cut.said.text) for cut in cuts]


def together(texts, corrections=()):
    module = ModuleType("aligner")
    module.Backend = Together
    segments = tuple(Utterance(text, 10.0 * i, 2.0, language="en") for i, text in enumerate(texts))
    item = Item(
        Source("a", "a.wav", corrections=corrections), {"segments": segments}, ArrayAudio([np.zeros(60 * 16_000)])
    )
    return module, item


@pytest.fixture
def all_aligned(monkeypatch):
    def align(texts, corrections=()):
        module, item = together(texts, corrections)
        load = registry.load
        monkeypatch.setattr(registry, "load", lambda family, name: module if family == "align" else load(family, name))
        stage = Align(Choice("align", "aligner", None))
        stage.open(Context(Path(), Path))
        (patch,) = stage.process([item])
        return patch

    return align


def test_an_aligner_of_recordings_is_started_once_and_gets_what_is_to_be_aligned(all_aligned):
    patch = all_aligned(["one two", None, "three", "four five"])
    words = patch.columns["segments.words"]
    assert words[0] == (Word("start 1 of 3", 0.5, 1.0),)
    assert (words[1], words[2]) == (None, None)
    assert words[3] == (Word("start 1 of 3", 30.5, 1.0),)
    assert patch.columns["segments.gaps.align"] == (None, "no-text", "one-word: three", None)


def test_what_is_wrong_with_all_segments_is_said_of_each(all_aligned):
    patch = all_aligned(["one two", "…"])
    assert patch.columns["segments.gaps.align"] == ("all-at-once: nothing is said in one of them",) * 2


def test_boundaries_that_a_person_set_are_not_aligned(all_aligned):
    words = (Word("one", 0.25, 0.5), Word("two", 1.0, 0.5))
    patch = all_aligned(["one two", "four five"], (Correction("c", 0.0, 2.0, 0, "one two", words=words),))
    assert patch.columns["segments.words"] == (
        (Word("one", 0.25, 0.5, 1.0), Word("two", 1.0, 0.5, 1.0)),
        (Word("start 1 of 1", 10.5, 1.0),),
    )
