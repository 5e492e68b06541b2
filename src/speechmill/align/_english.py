# SPDX-License-Identifier: Apache-2.0
"""Letters of English words for an aligner with a dictionary: spelled as it has them, and guessed where it has not.

How numbers and signs are said is in `speechmill.text.english`; this is about the words that come of it.
"""

from __future__ import annotations

import re
import unicodedata

from speechmill.core.errors import Unalignable

_FOLDED = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "th", "’": "'", "‘": "'"})


def latin(word: str) -> str:
    """Write a word in the 26 letters and the apostrophe, as a dictionary has it.

    Raises Unalignable("unknown-characters") for letters that are not Latin.

    >>> latin("café")
    'cafe'
    """
    folded = unicodedata.normalize("NFKD", word.casefold().translate(_FOLDED))
    plain = "".join(character for character in folded if not unicodedata.category(character).startswith("M"))
    strange = sorted({c for c in plain if not (c.isascii() and (c.isalpha() or c == "'"))})
    if strange:
        raise Unalignable("unknown-characters", f"{''.join(strange)} in {word!r}")
    return plain


# (pattern, phones), tried in order at each place of the word. English spelling has no such rules: these are
# right often enough to find where a name is said, no more.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), phones)
    for pattern, phones in (
        ("tion|cian", "SH AH N"), ("sion", "ZH AH N"), ("ture", "CH ER"), ("ough|augh", "AO"), ("eigh", "EY"),
        ("igh", "AY"), ("tch|ch", "CH"), ("sch|sh", "SH"), ("dge|dg", "JH"), ("th", "TH"), ("ph|ff?", "F"),
        ("wh|w(?!r)", "W"), ("wr|rh|rr?", "R"), ("kn|gn(?!$)|nn?(?!g)|mn$", "N"), ("ng", "NG"), ("n", "N"),
        ("qu", "K W"), ("ck|kk?|cc?(?![eiy])|q", "K"), ("cc?", "S"), ("gh", "G"), ("gg|g(?![eiy])", "G"), ("g|j", "JH"),
        ("ar", "AA R"), ("(?:er|ir|ur)e?", "ER"), ("ore?", "AO R"), ("ee|ea|ie|ey$", "IY"), ("oo|ue|ew", "UW"),
        ("ou", "AW"), ("oa|ow|oe", "OW"), ("ai|ay|ei|ey", "EY"), ("oi|oy", "OY"), ("au|aw", "AO"),
        ("a(?=[bcdfgklmnpstvz]e$)", "EY"), ("i(?=[bcdfgklmnpstvz]e$)", "AY"), ("o(?=[bcdfgklmnpstvz]e$)", "OW"),
        ("u(?=[bcdfgklmnpstvz]e$)", "UW"), ("(?<=.)e$", ""), ("(?<=[bcdfgklmnpstvz])e(?=s$|d$)", "AH"),
        ("a$", "AH"), ("o$", "OW"), ("i$", "IY"), ("y(?=[aeiou])", "Y"), ("(?<=.)y$", "IY"), ("y", "IH"), ("a", "AE"),
        ("e", "EH"), ("i", "IH"), ("o", "AA"), ("u", "AH"), ("bb?", "B"), ("dd?", "D"),
        ("(?<=.)h(?![aeiouy])", ""), ("h", "HH"), ("ll?", "L"),
        ("mm?", "M"), ("pp?", "P"), ("ss?", "S"), ("tt?", "T"), ("vv?", "V"), ("x", "K S"), ("zz?", "Z"),
    )
)  # fmt: skip


def letter_to_sound(word: str) -> list[str]:
    """Guess the ARPAbet phones of a lower-case word from its letters, at least one.

    >>> letter_to_sound("thornfield")
    ['TH', 'AO', 'R', 'N', 'F', 'IY', 'L', 'D']
    """
    letters = word.replace("'", "")
    phones: list[str] = []
    place = 0
    while place < len(letters):
        pattern, sound = next(rule for rule in _RULES if rule[0].match(letters, place))
        match = pattern.match(letters, place)
        place = match.end() if match else place + 1
        phones += sound.split()
    return phones or ["AH"]
