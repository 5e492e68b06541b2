# SPDX-License-Identifier: Apache-2.0
"""English numbers in words: cardinals, ordinals, years, digits one by one."""

from __future__ import annotations

from speechmill.text._ways import Ways, listed, unique

ONES = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")
LONGEST_NUMBER = 18  # digits that there are words for
SCALES = ("thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int, *, british: bool = False) -> list[str]:
    """Say a number below 10**18; british: with "and" after the hundreds.

    >>> " ".join(cardinal(120045)), " ".join(cardinal(105, british=True))
    ('one hundred twenty thousand forty five', 'one hundred and five')
    """
    if number < 1000:
        return _below_thousand(number, british)
    words: list[str] = []
    groups = []
    while number:
        number, group = divmod(number, 1000)
        groups.append(group)
    for power in reversed(range(len(groups))):
        group = groups[power]
        if not group:
            continue
        last = power == 0 and group < 100 and british
        words += [*(["and"] if last else []), *_below_thousand(group, british)]
        words += [SCALES[power - 1]] if power else []
    return words


def _below_thousand(number: int, british: bool) -> list[str]:
    hundreds, rest = divmod(number, 100)
    head = [ONES[hundreds], "hundred"] if hundreds else []
    joint = ["and"] if british and head and rest else []
    return head + joint + (_below_hundred(rest) if rest or not hundreds else [])


def _below_hundred(number: int) -> list[str]:
    if number < 20:
        return [ONES[number]]
    tens, ones = divmod(number, 10)
    return [_TENS[tens - 2]] + ([ONES[ones]] if ones else [])


def digits(text: str, *, zero: str = "zero") -> list[str]:
    """Say digits one by one.

    >>> digits("007", zero="oh")
    ['oh', 'oh', 'seven']
    """
    return [zero if digit == "0" else ONES[int(digit)] for digit in text]


def whole(text: str) -> Ways:
    """List the ways to say a number written in digits: as a number, with "and", digit by digit; the likeliest first.

    A leading zero, or more than eleven digits in a row, is no number but a string of digits.
    """
    one_by_one = [digits(text), digits(text, zero="oh")]
    if (text[0] == "0" and len(text) > 1) or len(text) > 11:
        return unique(one_by_one)
    number = int(text)
    ways = [cardinal(number), cardinal(number, british=True)]
    if number in (100, 1000, 10**6):
        ways.append(["a", *cardinal(number)[1:]])
    return unique(ways + (one_by_one if len(text) > 2 else []))


def ordinal(number: int) -> list[str]:
    """Say an ordinal.

    >>> ordinal(121), ordinal(40)
    (['one', 'hundred', 'twenty', 'first'], ['fortieth'])
    """
    *rest, last = cardinal(number)
    return [*rest, ordinal_word(last)]


def ordinal_word(word: str) -> str:
    """Turn the last word of a cardinal into that of an ordinal."""
    return _ORDINALS.get(word) or (f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th")


def plural(words: list[str]) -> list[str]:
    """Put the last word into the plural: nineties, sixths."""
    *rest, last = words
    return [*rest, f"{last[:-1]}ies" if last.endswith("y") else f"{last}es" if last.endswith("x") else f"{last}s"]


def year(number: int) -> Ways:
    """List the ways to say a year from 1000 to 2999, the likeliest first.

    >>> [" ".join(way) for way in year(2021)]
    ['twenty twenty one', 'two thousand twenty one', 'two thousand and twenty one']
    """
    century, rest = divmod(number, 100)
    as_number = [cardinal(number), cardinal(number, british=True)]
    if number % 1000 < 10:  # 2000 to 2009
        late = [[*_below_hundred(century), "oh", ONES[rest]]] if rest else []
        return unique(as_number + late)
    if not rest:
        return unique([[*_below_hundred(century), "hundred"], *as_number])
    pair = [*_below_hundred(century), *(["oh"] if rest < 10 else []), *_below_hundred(rest)]
    return unique([pair, *as_number])
