# SPDX-License-Identifier: Apache-2.0
"""Trust rises with evidence for the text, and is given only where it is calibrated."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Transcript, Utterance, Word
from speechmill.pipeline import spec
from speechmill.pipeline.plan import stages
from speechmill.quality import Cut, transcript
from speechmill.quality._trust import USUAL_PACE, Model, evidence
from speechmill.quality._trust import models as calibrated

TEXT = "the quick brown fox jumps over a lazy dog"


def said(text, score=None):
    step = 3.0 / len(text.split())
    return tuple(Word(word, i * step, step, score) for i, word in enumerate(text.split()))


def score(first, second=None, text=TEXT, confidence=None, language="en", **options):
    segment = Utterance(text, 0.0, 3.0, words=said(text, confidence) if confidence is not None else ())
    columns = {"transcript": Transcript(first)}
    if second is not None:
        backend, heard = second
        columns["second"] = Transcript(backend, (Utterance(heard, 0.0, 3.0, words=said(heard)),))
    backend = transcript.Backend(transcript.Config(**options), Context(Path(), models.path))
    cut = Cut(np.zeros(48_000, np.float32), segment, language=language, columns=columns)
    return backend.score(cut)["transcript_confidence"]


def test_confident_words_make_a_text_trustworthy():
    assert 0 < score("pocketsphinx", confidence=0.2) < score("pocketsphinx", confidence=0.9) < 1


def test_a_given_text_is_trusted_where_the_second_recogniser_agrees():
    agreed = score("sidecar", ("pocketsphinx", TEXT))
    half = score("sidecar", ("pocketsphinx", "the quick brown fox and nothing that was so"))
    other = score("sidecar", ("pocketsphinx", "no word of this stands there at any rate"))
    assert agreed > 0.9
    assert other < half < agreed


def test_a_loop_is_not_trusted():
    loop = "on and on and on and on and on"
    assert score("sidecar", ("pocketsphinx", loop), text=loop) < score("sidecar", ("pocketsphinx", TEXT)) - 0.1


@pytest.mark.parametrize(
    "asked",
    [
        {"first": "faster_whisper", "confidence": 0.9},
        {"first": "sidecar", "second": ("faster_whisper", TEXT)},
        {"first": "pocketsphinx", "confidence": 0.9, "language": "vi"},
        {"first": "pocketsphinx", "confidence": 0.9, "language": None},
    ],
)
def test_elsewhere_it_is_uncalibrated_and_ranks_only_where_that_is_asked_for(asked):
    with pytest.raises(Unscorable, match="uncalibrated"):
        score(**asked)
    assert 0 < score(**asked, uncalibrated=True) < 1


def test_evidence_that_is_not_calibrated_is_left_out():
    alone = score("pocketsphinx", confidence=0.6)
    assert score("pocketsphinx", ("faster_whisper", TEXT), confidence=0.6) == alone
    assert score("pocketsphinx", ("pocketsphinx", TEXT), confidence=0.6) != alone
    # Confidences in a file are somebody else's.
    agreed = score("sidecar", ("pocketsphinx", TEXT))
    assert score("sidecar", ("pocketsphinx", TEXT), confidence=0.1) == agreed


def test_without_evidence_there_is_no_value():
    with pytest.raises(Unscorable, match="no-evidence"):
        score("sidecar")


def test_in_a_plan_it_waits_for_both_transcripts():
    asked = {
        "sources": [{"local": {"path": "."}}],
        "language": "en",
        "transcript": ["sidecar"],
        "quality": ["transcript"],
    }
    found = {stage.name: stage for stage in stages(spec.resolve({**asked, "second_asr": "pocketsphinx"}, Path()))}
    assert found["quality.transcript"].reads == ("audio", "speech", "segments", "transcript", "second")
    alone = {stage.name: stage for stage in stages(spec.resolve(asked, Path()))}
    assert alone["quality.transcript"].reads == ("audio", "speech", "segments", "transcript")


def test_evidence_is_what_it_says():
    second = Transcript("other", (Utterance("the quick", 0.0, 3.0, words=said("the quick")),))
    segment = Utterance("the slow", 0.0, 2.0, words=(Word("the", 0.0, 1.0, 0.5), Word("slow", 1.0, 1.0, 0.75)))
    cut = Cut(np.zeros(32_000, np.float32), segment, language="en", columns={"second": second})
    found = evidence(cut)
    assert found["posterior"] == 0.625
    assert found["agreement"] == pytest.approx(math.sqrt(0.5))
    assert found["pace"] == pytest.approx(math.log(USUAL_PACE / 3.5))  # seven letters in two seconds
    assert found["made_up"] == 0.0


def test_a_model_is_a_logistic_function():
    model = Model("x", "en", -1.0, {"posterior": 2.0, "pace": -0.5})
    assert model.probability({"posterior": 0.5, "pace": 0.0, "made_up": 1.0}) == 0.5
    assert model.probability({"posterior": 1.0, "pace": 2.0}) == 0.5
    assert model.evidence == {"posterior"}


def test_more_evidence_for_a_text_never_counts_against_it():
    for model in calibrated():
        assert all(weight > 0 for name, weight in model.weights.items() if name in ("posterior", "agreement"))
        assert all(weight <= 0 for name, weight in model.weights.items() if name in ("pace", "made_up"))
