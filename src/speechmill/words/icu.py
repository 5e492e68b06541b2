# SPDX-License-Identifier: Apache-2.0
"""Words of six scripts without blanks, by the dictionaries of ICU, which come with the package `icu4py`.

ICU chooses the dictionary by script, so one text may mix several. Its Chinese and Japanese dictionary is small:
`jieba` knows more Chinese words.
"""

from __future__ import annotations

from msgspec import Struct

from speechmill.core.stage import Context

VERSION = "1"
REQUIRES = ("icu4py>=1.2",)
LANGUAGES = frozenset({"th", "km", "lo", "my", "zh", "yue", "ja"})


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class Backend:
    """Parts text with ICU's word breaker."""

    def __init__(self, config: Config, context: Context) -> None:
        pass

    def split(self, text: str) -> list[str]:
        """Return words, blanks and punctuation."""
        from icu4py.breakers import WordBreaker

        return [str(part) for part in WordBreaker(text, "und")]
