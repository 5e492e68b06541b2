# SPDX-License-Identifier: Apache-2.0
"""Whether two platforms mean the same language: regions and scripts aside, and by the code that is used today."""

from __future__ import annotations

from speechmill.sources._languages import language_of

# Withdrawn codes, and parts of a language that platforms give its name.
_SAME = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "fil": "tl", "cmn": "zh", "nb": "no", "nob": "no"}


def primary(language: str | None) -> str | None:
    """Return the code of a language without its region and script; None where no language is stated.

    >>> primary("en-GB"), primary("eng"), primary("English"), primary("iw"), primary("und"), primary("Klingonish")
    ('en', 'en', 'en', 'he', None, None)
    """
    code = (language_of(language) or "").partition("-")[0]
    return _SAME.get(code, code) or None
