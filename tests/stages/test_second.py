# SPDX-License-Identifier: Apache-2.0
"""The second recogniser: when it is asked, and when asking it makes no sense."""

from __future__ import annotations

import pytest

from speechmill.core.errors import ConfigError
from speechmill.core.registry import Choice, load
from speechmill.core.stage import Item
from speechmill.core.types import Interval, Source, Transcript, Utterance
from speechmill.pipeline import plan, spec
from speechmill.stages.second import Second

HEARD = Transcript("pocketsphinx", (Utterance("yes", 0.0, 1.0),))


class Recogniser:
    def transcribe(self, audio, speech, language):
        return HEARD


def heard(speech, language="en", when=None):
    module = load("asr", "pocketsphinx")
    stage = Second(Choice("asr", "pocketsphinx", module.Config(), when))
    stage._backends[0] = Recogniser()
    source = Source("a", "a.wav", key="k", language=language, num_speakers=1)
    return stage.work(Item(source, {"speech": speech}, object())).columns["second"]


def test_it_hears_what_the_vad_found():
    assert heard((Interval(0.0, 1.0),)) == HEARD


def test_it_is_not_asked_in_silence_nor_in_a_language_it_does_not_know_nor_against_its_condition():
    assert heard(()) == Transcript("none")
    assert heard((Interval(0.0, 1.0),), language="vi") == Transcript("none")
    assert heard((Interval(0.0, 1.0),), when="num_speakers != 1") == Transcript("none")


def corpus(tmp_path, **fields):
    return spec.resolve({"sources": [{"local": {"path": "."}}], "language": "en", **fields}, tmp_path)


def test_it_is_a_stage_of_its_own_only_where_it_is_asked_for(tmp_path):
    asked = corpus(tmp_path, transcript=["sidecar"], second_asr="pocketsphinx")
    assert "second" in [stage.name for stage in plan.stages(asked)]
    assert "second" not in [stage.name for stage in plan.stages(corpus(tmp_path))]


def test_a_recogniser_is_not_compared_with_itself(tmp_path):
    with pytest.raises(ConfigError, match=r"second_asr: pocketsphinx .* it would agree with itself"):
        corpus(tmp_path, transcript=["sidecar", "pocketsphinx"], second_asr="pocketsphinx")


def test_with_other_options_it_may_be_the_same_recogniser(tmp_path):
    other = {"pocketsphinx": {"language_weight": 9.0}}
    assert corpus(tmp_path, transcript=["pocketsphinx"], second_asr=other).second_asr.config.language_weight == 9.0
