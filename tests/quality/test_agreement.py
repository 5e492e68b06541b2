# SPDX-License-Identifier: Apache-2.0
"""The metric `agreement` compares the text with the second recogniser's words in its span."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Transcript, Utterance, Word
from speechmill.quality import Cut, agreement

SEGMENT = Utterance("It costs 5 dollars.", 1.0, 2.0)
HEARD = (
    Word("and", 0.0, 0.9, 0.9),
    Word("it", 1.0, 0.2, 0.8),
    Word("cost", 1.2, 0.4, 0.7),
    Word("five", 1.6, 0.4, 0.6),
)


def score(second, segment=SEGMENT, **options):
    backend = agreement.Backend(agreement.Config(**options), Context(Path(), models.path))
    columns = {} if second is None else {"second": second}
    return backend.score(Cut(np.zeros(32_000, np.float32), segment, language="en", columns=columns))


def test_the_columns_are_rates_and_confidences():
    found = score(Transcript("other", (Utterance("and it cost five", 0.0, 2.0, words=HEARD),)))
    # it costs five dollars : it cost five: one other, one missing, of four
    assert found["agreement_wer"] == 0.5
    assert found["agreement_cer"] == pytest.approx(8 / 18)  # s and dollars, of itcostsfivedollars
    # agreed: 0.2 + 0.8 * the other's score
    assert found["mean_word_confidence"] == pytest.approx((0.84 + 0 + 0.68 + 0) / 4)
    assert found["min_word_confidence"] == 0.0


def test_the_votes_weight_is_an_option():
    found = score(
        Transcript("other", (Utterance("it", 1.0, 0.5, words=HEARD[1:2]),)), Utterance("it", 1.0, 0.5), vote_weight=0.0
    )
    assert found["mean_word_confidence"] == pytest.approx(0.8)


def test_what_the_second_did_not_hear_is_all_wrong():
    assert score(Transcript("other"))["agreement_wer"] == 1.0


@pytest.mark.parametrize("second", [None, Transcript("none")])
def test_without_a_second_recogniser_the_gap_says_so(second):
    with pytest.raises(Unscorable, match="no-second-transcript"):
        score(second)


def test_it_reads_the_second_transcript():
    assert agreement.READS == ("second",)
