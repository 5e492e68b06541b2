# SPDX-License-Identifier: Apache-2.0
"""From evidence to a probability: one logistic function for each kind of transcript and each set of evidence.

Coefficients lie in trust.toml, which benchmarks/tuning/trust.py makes. A set of evidence has coefficients of its own,
so that what is absent is not guessed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from speechmill.core.errors import Unscorable
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Transcript
from speechmill.measures.agreement import agreement
from speechmill.quality import Cut, _tables
from speechmill.quality._checks import known_share, repeated_share, unique_share
from speechmill.quality._text import heard_words, num_characters, own_words

TABLE = "trust.toml"
USUAL_PACE = 13.0  # characters a second of read English: the median of the development speech
LOOP_UNIQUE, LOOP_REPEATED, KNOWN, LOOP_WORDS, TOO_FAST = 0.4, 0.5, 0.5, 5, 40.0  # the limits of `hallucination`
SIDES = frozenset({"posterior", "agreement"})  # what may be absent; the rest is known of any text


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """Coefficients for one kind of transcript and one set of evidence."""

    transcript: str  # name of the backend whose text it is
    language: str
    intercept: float
    weights: dict[str, float]  # evidence -> its weight
    second: str | None = None  # the second recogniser, where agreement is evidence

    def probability(self, evidence: Mapping[str, float]) -> float:
        """Return the expected word accuracy, 0..1."""
        total = self.intercept + sum(weight * evidence[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-min(40.0, max(-40.0, total))))

    @property
    def evidence(self) -> frozenset[str]:
        """Which of what may be absent it asks for."""
        return SIDES & self.weights.keys()


@functools.cache
def models() -> tuple[Model, ...]:
    """Return every calibrated model."""
    return tuple(msgspec.convert(_tables.read(TABLE)["model"], list[Model]))


def evidence(cut: Cut) -> dict[str, float]:
    """Collect what speaks for a segment's text. Raises Unscorable: "no-text", "no-words", "too-short".

    posterior: mean confidence of the recogniser's words. agreement: root of 1 - WER of the second recogniser by the
    text; the root, as with a weak recogniser a true text agrees in half of its words. pace: how many times faster or
    slower than usual, logarithmic. made_up: 1 where the text loops, is too fast or is a phrase known for it.
    """
    said = own_words(cut)
    if not len(cut.samples):
        raise Unscorable("too-short", "no samples")
    scores, pace = [score for _, score in said if score is not None], _pace(cut)
    made_up = _made_up([word for word, _ in said], pace, cut.language)
    known = {"pace": abs(math.log(pace / USUAL_PACE)), "made_up": made_up}
    if scores:
        known["posterior"] = sum(scores) / len(scores)
    second: Transcript | None = cut.columns.get("second")
    if second is not None and second.backend != "none":
        heard = heard_words(second, cut.segment, cut.language)
        known["agreement"] = math.sqrt(1 - agreement(said, heard, 0.5).wer)
    return known


def _pace(cut: Cut) -> float:
    """Characters a second."""
    return num_characters(cut.segment.text or "") / (len(cut.samples) / WORKING_HZ)


def _made_up(said: list[str], pace: float, language: str | None) -> float:
    loops = len(said) >= LOOP_WORDS and (unique_share(said) <= LOOP_UNIQUE or repeated_share(said) >= LOOP_REPEATED)
    return float(loops or pace > TOO_FAST or known_share(said, language) >= KNOWN)
