# SPDX-License-Identifier: Apache-2.0
"""Loans and foreign names in Vietnamese text, said as if they were Vietnamese: a guess, made of its own syllables.

Letters that the language lacks are spelled with its own (f is ph), and what is left is cut into the longest syllables
there are, from the left; a consonant that fits into none is said with ơ, as speakers do who spell one out. It is
better than a word of unknown speech, and no more than that: sing and pizza have as many readings as speakers.
"""

from __future__ import annotations

import re
import unicodedata

from speechmill.g2p._vietnamese_syllables import Syllable, parse

_SPELLED = (
    ("d", "đ"), ("z", "d"), ("f", "ph"), ("j", "gi"), ("w", "u"), ("sh", "s"), ("ck", "c"), ("oo", "u"), ("ee", "i"),
    (r"([bcdđghklmnpqrstvx])\1", r"\1"), (r"c(?=[ieêy])", "x"), (r"k(?![aăâeêioôơuưy])", "c"), (r"q(?!u)", "c"),
    (r"g(?=[eê])", "gh"), (r"([ieê])ng(?![aăâeêioôơuưy])", r"\1nh"),
)  # fmt: skip
_LONGEST = 7  # letters of a syllable: nghiêng
_SPELLING = re.compile("[a-zàáảãạăắằẳẵặâấầẩẫậđèéẻẽẹêếềểễệìíỉĩịòóỏõọôốồổỗộơớờởỡợùúủũụưứừửữựỳýỷỹỵ]+")
_K = Syllable("k", False, "ơ", "", "ngang")  # for letters that start no syllable before ơ
_RISING = "\u0301"  # what syllables with a final stop have, where no tone is written


def guessed(word: str) -> list[Syllable]:
    """Return a loan as syllables; none where it isn't written in Latin letters.

    >>> [one.onset + one.nucleus + one.coda for one in guessed("sing")]
    ['sinh']
    """
    small = unicodedata.normalize("NFC", word.lower())
    if not _SPELLING.fullmatch(small):
        return []
    for letters, spelled in _SPELLED:
        small = re.sub(letters, spelled, small)
    found = []
    while small:
        length, syllable = _first(small)
        found.append(syllable)
        small = small[length:]
    return found


def _first(letters: str) -> tuple[int, Syllable]:
    for length in range(min(_LONGEST, len(letters)), 0, -1):
        for tone in ("", _RISING):
            if (syllable := parse(letters[:length] + tone)) is not None:
                return length, syllable
    return 1, parse(letters[0] + "ơ") or _K
