# SPDX-License-Identifier: Apache-2.0
"""Agreement of the segment's text with what a second recogniser hears in it; the corpus file's `second_asr` names one.

Two that are wrong in the same way agree. Numbers count as they are said, so that "5" and "five" are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from speechmill import words
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.types import Transcript
from speechmill.measures.agreement import agreement
from speechmill.quality import Column, Cut
from speechmill.quality._text import heard_words, own_words

VERSION = "1"
COST = 0.0005  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None
READS = ("second",)

_ROVER = "ROVER's vote of two, Fiscus, ASRU 1997"
COLUMNS = {
    "agreement_wer": Column("rate", (0.0, 1.0), False, "word errors of the second recogniser, by the text"),
    "agreement_cer": Column("rate", (0.0, 1.0), False, "the same, of letters and digits"),
    "mean_word_confidence": Column("share", (0.0, 1.0), True, _ROVER),
    "min_word_confidence": Column("share", (0.0, 1.0), True, _ROVER),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How words are voted on."""

    # Of the vote, against recognisers' own confidences. Of two settings of pocketsphinx, whose votes say little, more
    # than 0.2 told right words from wrong ones less well; raise it where the two have nothing in common.
    vote_weight: Annotated[float, Meta(ge=0, le=1)] = 0.2


def model_digest(config: Config) -> str:
    """Name what parts words in this installation."""
    return words.identity()


class Backend:
    """Compares two transcripts of a segment."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return two rates and two confidences, 0..1.

        Raises Unscorable: "no-second-transcript", "no-text", "no-words".
        """
        second: Transcript | None = cut.columns.get("second")
        if second is None or second.backend == "none":
            raise Unscorable("no-second-transcript", "the corpus file's second_asr didn't hear the recording")
        heard = heard_words(second, cut.segment, cut.language)
        found = agreement(own_words(cut), heard, self.config.vote_weight)
        return {
            "agreement_wer": found.wer,
            "agreement_cer": found.cer,
            "mean_word_confidence": sum(found.confidences) / len(found.confidences),
            "min_word_confidence": min(found.confidences),
        }
