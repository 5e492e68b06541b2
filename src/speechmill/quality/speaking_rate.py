# SPDX-License-Identifier: Apache-2.0
"""Speaking rate: words and characters of the text for each second in which the VAD hears speech.

Pauses don't count. Read English has 2 to 4 words a second; far more or less is text that doesn't belong to the audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from speechmill import words
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Column, Cut
from speechmill.quality._text import num_characters, text_words

VERSION = "1"
COST = 0.0001  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "words_per_second": Column("1/s", (0.0, 1e6), False, "words as they are said, over the speech by VAD"),
    "graphemes_per_second": Column("1/s", (0.0, 1e6), False, "characters without blanks, over the speech by VAD"),
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What is too little to divide by."""

    min_speech_s: Annotated[float, Meta(ge=0.01)] = 0.1  # of less, the VAD's own edges are most


def model_digest(config: Config) -> str:
    """Name what parts words in this installation."""
    return words.identity()


class Backend:
    """Scores segments with their speaking rate."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return both rates. Raises Unscorable: "no-text", "no-words", "no-speech"."""
        said = text_words(cut)
        speech_s = sum(interval.duration for interval in cut.speech)
        if speech_s < self.config.min_speech_s:
            raise Unscorable("no-speech", f"{speech_s:.3f} s by VAD; a rate needs {self.config.min_speech_s} s")
        characters = num_characters(cut.segment.text or "")
        return {"words_per_second": len(said) / speech_s, "graphemes_per_second": characters / speech_s}
