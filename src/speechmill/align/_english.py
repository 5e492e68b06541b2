# SPDX-License-Identifier: Apache-2.0
"""How English text is said, as far as an aligner with a dictionary needs it.

`written` splits text into the symbols that carry words, `readings` says which words a symbol stands
for, `letter_to_sound` guesses a pronunciation for what no dictionary has. Not a text normaliser:
numbers, a few signs and nothing else.
"""

from __future__ import annotations

import re
import unicodedata

from speechmill.core.errors import Unalignable

_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at"}
_MONEY = {"$": "dollars", "€": "euros", "£": "pounds"}
_FOLDED = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "th", "’": "'", "‘": "'"})
_SAID = re.compile(
    r"(?P<ordinal>\d+)(?:st|nd|rd|th)\b|(?P<number>\d[\d,]*)(?:\.(?P<decimals>\d+))?|(?P<word>[a-z']+)|."
)

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def written(text: str) -> list[str]:
    """Split at white space and strip outer punctuation; what has no letter, digit or readable sign is no word.

    >>> written("“Hello, world” — 50% off!")
    ['Hello', 'world', '50%', 'off']
    """
    stripped = (_stripped(token) for token in text.split())
    return [symbol for symbol in stripped if any(c.isalnum() or c in _SIGNS or c in _MONEY for c in symbol)]


def _stripped(token: str) -> str:
    kept = [i for i, c in enumerate(token) if c in _SIGNS or not unicodedata.category(c).startswith("P")]
    return token[kept[0] : kept[-1] + 1] if kept else ""


def readings(symbol: str) -> list[list[str]]:
    """List the ways a symbol may be said, each as lower-case words; the first is the likeliest.

    Raises Unalignable("unknown-characters") for letters that are not Latin.

    >>> readings("1984")
    [['nineteen', 'eighty', 'four'], ['one', 'thousand', 'nine', 'hundred', 'eighty', 'four']]
    """
    plain = _latin(symbol)
    amount_first = re.sub(r"([$€£])([\d.,]*\d)", r"\2\1", plain)
    words = [word for match in _SAID.finditer(amount_first) for word in _words(match)]
    if not words:
        raise Unalignable("unknown-characters", repr(symbol))
    year = re.fullmatch(r"(1[1-9](?!00)|20(?=[1-9]))(\d\d)", plain)
    return [_year(year), words] if year else [words]


def _latin(symbol: str) -> str:
    folded = unicodedata.normalize("NFKD", symbol.casefold().translate(_FOLDED))
    plain = "".join(character for character in folded if not unicodedata.category(character).startswith("M"))
    strange = sorted({c for c in plain if (c.isalpha() or c.isdigit()) and not c.isascii()})
    if strange:
        raise Unalignable("unknown-characters", f"{''.join(strange)} in {symbol!r}")
    return plain


def _words(match: re.Match[str]) -> list[str]:
    if match["ordinal"]:
        *rest, last = number_words(match["ordinal"])
        return [*rest, _ordinal(last)]
    if match["number"]:
        decimals = ["point", *(_digit(c) for c in match["decimals"])] if match["decimals"] else []
        return number_words(match["number"].replace(",", "")) + decimals
    if match["word"]:
        word = match["word"].strip("'")
        return [word] if word else []
    sign = {**_SIGNS, **_MONEY}.get(match[0])
    return [sign] if sign else []


def number_words(digits: str) -> list[str]:
    """Spell a cardinal from 0 to 999,999; longer ones and those with leading zeros digit by digit.

    >>> " ".join(number_words("120045"))
    'one hundred twenty thousand forty five'
    """
    if len(digits) > 6 or (digits[0] == "0" and len(digits) > 1):
        return [_digit(digit) for digit in digits]
    thousands, rest = divmod(int(digits), 1000)
    head = [*_below_thousand(thousands), "thousand"] if thousands else []
    return head + (_below_thousand(rest) if rest or not thousands else [])


def _below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    head = [_digit(str(hundreds)), "hundred"] if hundreds else []
    return head + (_below_hundred(rest) if rest or not hundreds else [])


def _below_hundred(number: int) -> list[str]:
    if number < 20:
        return [_ONES.split()[number]]
    tens, ones = divmod(number, 10)
    return [_TENS.split()[tens - 2]] + ([_digit(str(ones))] if ones else [])


def _digit(digit: str) -> str:
    return _ONES.split()[int(digit)]


def _ordinal(word: str) -> str:
    return _ORDINALS.get(word) or (f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th")


def _year(match: re.Match[str]) -> list[str]:
    century, year = match[1], match[2]
    middle = ["oh"] if year[0] == "0" else []
    return _below_hundred(int(century)) + middle + _below_hundred(int(year))


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
