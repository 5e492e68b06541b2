# SPDX-License-Identifier: Apache-2.0
"""Roman numerals from 1 to 3999, as they are correctly written."""

from __future__ import annotations

import re

_NUMERAL = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def value(numeral: str) -> int | None:
    """Return the number that capitals stand for, None where they are no numeral.

    >>> value("XIV"), value("IIX")
    (14, None)
    """
    if not numeral or _NUMERAL.fullmatch(numeral) is None:
        return None
    values = [_VALUES[letter] for letter in numeral]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
