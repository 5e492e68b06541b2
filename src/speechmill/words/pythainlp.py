# SPDX-License-Identifier: Apache-2.0
"""Thai words, by PyThaiNLP's `newmm`: as few words of its dictionary as fill the text."""

from __future__ import annotations

from msgspec import Struct

from speechmill.core.stage import Context

VERSION = "1"
REQUIRES = ("pythainlp>=5",)
LANGUAGES = frozenset({"th"})


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options."""


class Backend:
    """Parts text with newmm."""

    def __init__(self, config: Config, context: Context) -> None:
        pass

    def split(self, text: str) -> list[str]:
        """Return words, blanks and punctuation."""
        from pythainlp.tokenize.newmm import segment

        return [str(part) for part in segment(text, safe_mode=True)]
