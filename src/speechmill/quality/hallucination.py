# SPDX-License-Identifier: Apache-2.0
"""Checks for text that nobody said, each a score of its own; `hallucination` counts those that fail.

Recognisers that were trained on subtitles write fluent text over music and silence, and fall into loops. The limits on
different words, on characters a second and on long words are those in use for such corpora; the options name them. The
checks look at the text alone but for its length in time and the VAD's speech in it, so that they hold for captions too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from speechmill import words
from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.core.timebase import WORKING_HZ
from speechmill.quality import Column, Cut, _checks, _tables
from speechmill.quality._checks import known_share, repeated_share, speech_share, unique_share
from speechmill.quality._text import num_characters, text_words
from speechmill.text.characters import graphemes

VERSION = "1"
COST = 0.0002  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "hallucination": Column("checks", (0.0, 6.0), False, "how many of the six below fail"),
    "unique_word_share": Column("share", (0.0, 1.0), True, "different words over words"),
    "repeated_share": Column("share", (0.0, 1.0), False, "words that repeat the one to four words before them"),
    "longest_word": Column("characters", (0.0, 1e6), False, "characters of the longest word"),
    "chars_per_second": Column("1/s", (0.0, 1e6), False, "characters without blanks, over the duration"),
    "known_phrase_share": Column("share", (0.0, 1.0), False, "words in phrases that recognisers are known to make up"),
    "speech_share": Column("share", (0.0, 1.0), True, "share of the segment in which the VAD hears speech"),
}
Share = Annotated[float, Meta(ge=0, le=1)]


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a check fails."""

    max_unique_share: Share = 0.4  # as few different words, or fewer, are a loop
    min_words: Annotated[int, Meta(ge=1)] = 5  # with fewer, "no no no" may well be said
    max_repeated_share: Share = 0.5  # half of the text says again what was just said
    min_word_chars: Annotated[int, Meta(ge=1)] = 25  # German and Finnish have words of 24; loops have no blanks
    max_chars_per_second: Annotated[float, Meta(gt=0)] = 40.0  # fast speech has about 25
    max_known_share: Share = 0.5  # a phrase that is most of the segment, not one inside a talk
    min_speech_share: Share = 0.1  # text over what is no speech


def model_digest(config: Config) -> str:
    """Name the phrases, which come with the package, and what parts words in this installation."""
    return f"{_tables.digest(_checks.TABLE)} {words.identity()}"


class Backend:
    """Scores segments with what their text gives away."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return the number of failed checks and what each looks at.

        Raises Unscorable: "no-text", "no-words", "too-short".
        """
        said = text_words(cut)
        if not len(cut.samples):
            raise Unscorable("too-short", "no samples")
        duration = len(cut.samples) / WORKING_HZ
        found = {
            "unique_word_share": unique_share(said),
            "repeated_share": repeated_share(said),
            "longest_word": float(max(len(graphemes(word)) for word in said)),
            "chars_per_second": num_characters(cut.segment.text or "") / duration,
            "known_phrase_share": known_share(said, cut.language),
            "speech_share": speech_share(sum(interval.duration for interval in cut.speech), duration),
        }
        return {"hallucination": float(self._failed(found, len(said))), **found}

    def _failed(self, found: Mapping[str, float], num_words: int) -> int:
        limits, enough = self.config, num_words >= self.config.min_words
        return sum(
            (
                enough and found["unique_word_share"] <= limits.max_unique_share,
                enough and found["repeated_share"] >= limits.max_repeated_share,
                found["longest_word"] >= limits.min_word_chars,
                found["chars_per_second"] > limits.max_chars_per_second,
                found["known_phrase_share"] >= limits.max_known_share,
                found["speech_share"] < limits.min_speech_share,
            )
        )
