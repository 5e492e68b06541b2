# SPDX-License-Identifier: Apache-2.0
"""Probability that the segment's text is in the language that is spoken: 139 languages, by py3langid.

Naive Bayes over byte sequences: Lui & Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012;
its model lies in the wheel (4.6 MB, BSD). A few words say little: four English words are found in 29 of 30 cases, two
in two of three. Names, numbers and loan words pull it down: one segment's low value means less than a recording's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context
from speechmill.quality import Column, Cut
from speechmill.quality._text import text_words

VERSION = "1"
COST = 0.0002  # CPU seconds per second of audio, for estimates
REQUIRES = ("py3langid>=0.4",)
MODELS = ()
LANGUAGES = None

COLUMNS = {
    "text_language": Column("probability", (0.0, 1.0), True, "that the text is in the language spoken, py3langid"),
}
# What else may be the same: ISO 639-3 counts the right side as part of the language on the left.
_PARTS = {
    "ar": ("ary", "arz"),
    "gn": ("gug",),
    "ki": ("kik",),
    "ku": ("sdh",),
    "ff": ("fuv",),
    "no": ("nn",),
    "uz": ("uzs",),
    "zh": ("wuu", "yue"),
}
_SPELT = {"nb": "no", "fil": "tl", "cmn": "zh", "iw": "he", "in": "id", "ji": "yi"}  # old, narrow or other codes


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How much text is needed."""

    min_chars: Annotated[int, Meta(ge=1)] = 12  # letters and digits; in less, every second guess is wrong


class Backend:
    """Scores segments with the language of their text."""

    def __init__(self, config: Config, context: Context) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        self.config = config
        self._identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `text_language`, 0..1.

        Raises Unscorable: "no-text", "no-words", "too-little-text", "no-language", "language-not-known".
        """
        said = text_words(cut)
        if cut.language is None:
            raise Unscorable("no-language", "neither the corpus nor the recogniser says what is spoken")
        code = cut.language.lower().split("-")[0]
        code = _SPELT.get(code, code)
        if code not in self._identifier.labels and code not in _PARTS:
            raise Unscorable("language-not-known", f"py3langid doesn't know {cut.language!r}")
        if sum(map(len, said)) < self.config.min_chars:
            raise Unscorable("too-little-text", f"{sum(map(len, said))} letters and digits of {self.config.min_chars}")
        ranked = dict(self._identifier.rank(cut.segment.text))
        return {"text_language": min(1.0, sum(ranked.get(one, 0.0) for one in (code, *_PARTS.get(code, ()))))}
