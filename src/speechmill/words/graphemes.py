# SPDX-License-Identifier: Apache-2.0
"""Every character a word: a stopgap for scripts without blanks, and what a character error rate counts."""

from __future__ import annotations

from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.text.characters import graphemes

VERSION = "1"
REQUIRES = ()
LANGUAGES = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class Backend:
    """Parts text into grapheme clusters."""

    def __init__(self, config: Config, context: Context) -> None:
        pass

    def split(self, text: str) -> list[str]:
        """Return what readers take for single characters, blanks included."""
        return graphemes(text)
