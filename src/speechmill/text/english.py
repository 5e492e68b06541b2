# SPDX-License-Identifier: Apache-2.0
"""How English tokens are said: numbers, money, dates, times, units, abbreviations, addresses, Roman numerals.

A token often can be said in several ways, and only the audio tells which ("1984", "Dr", "100"): all are given, the
likeliest first. Dates are read as the language's region writes them, month first in en-US and where no region is
given. What no rule knows is read piece by piece, and spelled where it has no vowel.
"""

from __future__ import annotations

import re

from speechmill.text import _english_dates as dates
from speechmill.text import _english_tables as tables
from speechmill.text import roman
from speechmill.text._english_numbers import LONGEST_NUMBER, cardinal, digits, ordinal, plural, whole, year
from speechmill.text._ways import Place, Rule, Ways, at, chain, first_match, unique
from speechmill.text.characters import folded, letters

DOTTED = frozenset(tables.ABBREVIATIONS)

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_MONEY_SIGN = "[" + "".join(tables.MONEY) + "]"
_UNIT = "|".join(sorted(map(re.escape, tables.UNITS), key=len, reverse=True))
_SUFFIX = "|".join(sorted(tables.SUFFIXES, key=len, reverse=True))
_ORDINAL = r"(?P<ordinal>\d{1,15}(?:st|nd|rd|th))(?![a-z])"
_WORD = r"(?P<word>[^\W\d_²³](?:[^\W\d²³]|['\u0300-\u036f])*)"
_RUN = re.compile(rf"{_ORDINAL}|(?P<number>{_NUMBER})|{_WORD}|(?P<sign>.)")
_DOMAIN = r"(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|ai|info|app|dev|tv|me|uk|us|ca|au|de|fr|jp|vn|eu|co)"
_A_NUMBER = re.compile(rf"-?{_MONEY_SIGN}?(?:{_NUMBER})?[¼-¾⅐-⅞]?(?<=.)")
_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_SOUND = re.compile("m+|h+m+|m+h+m+|s+h+|b+r+|g+r+|p+s+t+|t+s+k+|p+f+t+|z+|nth")  # words without a vowel
_DAY = re.compile(r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?")


def readings(place: Place) -> Ways:
    """List the ways a token is said, as lower-case words; the likeliest first, at most eight."""
    return first_match(_RULES, place) or unique(_pieces(place.symbol, place))


def _amount(text: str) -> Ways:
    """Read digits with commas and a decimal point."""
    before, _, after = text.partition(".")
    if not after:
        return _grouped(before)
    points = chain([["point"]], [digits(after), digits(after, zero="oh")])
    if not before:
        return chain([["zero"], []], points)
    hundredths = [["point", *cardinal(int(after))]] if len(after) == 2 and after[0] != "0" else []
    return chain(_grouped(before)[:2], [*points, *hundredths])


def _grouped(text: str) -> Ways:
    """Read a whole number; one with commas is not said digit by digit."""
    plain = text.replace(",", "")
    if "," not in text or len(plain) > LONGEST_NUMBER:
        return whole(plain)
    return unique([cardinal(int(plain)), cardinal(int(plain), british=True)])


def _number(match: re.Match[str], place: Place) -> Ways:
    text = match["number"]
    sign: Ways = {"-": [["minus"], ["negative"]], "+": [["plus"], []]}.get(match["sign"], [[]])
    ways = _amount(text)
    if _YEAR.fullmatch(text) and not match["sign"]:
        ways = unique(year(int(text)) + ways)
    if _is_day(place):
        ways = unique([ordinal(int(text)), ["the", *ordinal(int(text))], *ways])
    return chain(sign, ways)


def _is_day(place: Place) -> bool:
    if not _DAY.fullmatch(place.symbol):
        return False
    return any(_month(place.neighbour(step)) for step in (-1, 1))


def _month(symbol: str) -> bool:
    """Tell whether a symbol names a month; "may" and "march" only with their capital."""
    word = symbol.rstrip(".")
    if word in tables.BEFORE_NUMBER or word.casefold() in tables.ABBREVIATIONS:
        said = (tables.BEFORE_NUMBER.get(word) or tables.ABBREVIATIONS[word.casefold()])[0][0]
        return said in tables.MONTHS
    return word.casefold() in tables.MONTHS and not word.islower()


def _ordinal(match: re.Match[str], place: Place) -> Ways:
    said = ordinal(int(match["number"].replace(",", "")))
    return [said, ["the", *said]] if _is_day(place) else [said]


def _decade(match: re.Match[str], place: Place) -> Ways:
    """1990s, '90s, 90s."""
    text = match["number"]
    if len(text) == 4:
        return [plural(year(int(text))[0])]
    return [plural(cardinal(int(text)))] if int(text) % 10 == 0 else []


def _money(match: re.Match[str], place: Place) -> Ways:
    one, many, _, _ = tables.MONEY[match["sign"]]
    sign: Ways = [["minus"], ["negative"]] if match["minus"] else [[]]
    amount, suffix = match["number"], (match["suffix"] or "").lower()
    if suffix:
        said = chain(
            _amount(amount), [[tables.SUFFIXES[suffix], many], [*suffix, many], [*suffix], [tables.SUFFIXES[suffix]]]
        )
    elif place.neighbour(1).casefold() in tables.SUFFIXES.values():
        said = _amount(amount)  # "$5 million": dollars are said after the million
    else:
        said = _coins(match["sign"], amount) + chain(_amount(amount), [[one if amount == "1" else many]])
    return chain(sign, said)


def _coins(sign: str, amount: str) -> Ways:
    """Read $5.50 as dollars and cents."""
    one, many, part, parts = tables.MONEY[sign]
    before, _, after = amount.replace(",", "").partition(".")
    if len(after) != 2 or not parts:
        return []
    coins = [*cardinal(int(after)), part if after == "01" else parts]
    if int(before or 0) == 0:
        return [coins]
    if after == "00":
        return chain(whole(before)[:2], [[one if before == "1" else many]])
    short = ["oh", *cardinal(int(after))] if after[0] == "0" else cardinal(int(after))
    names = [[one if before == "1" else many]]
    return [*chain(whole(before)[:2], names, [["and", *coins], coins, short]), *chain(whole(before)[:1], [short])]


def _scale(match: re.Match[str], place: Place) -> Ways:
    """Say "million dollars" for the million of $5 million."""
    before = place.neighbour(-1)
    sign = next((sign for sign in tables.MONEY if sign in before), None)
    if sign is None or not re.search(r"\d", before):
        return []
    return [[match[0].casefold(), tables.MONEY[sign][1]], [match[0].casefold()]]


def _percent(match: re.Match[str], place: Place) -> Ways:
    sign: Ways = {"-": [["minus"], ["negative"]], "+": [["plus"], []]}.get(match["sign"], [[]])
    said = _between(match["number"], match["other"]) if match["other"] else _amount(match["number"])
    return chain(sign, said, [["percent"]])


def _measured(match: re.Match[str], place: Place) -> Ways:
    """Read 5kg, 60mph, 20°C."""
    one, many = tables.UNITS[match["unit"]]
    said = _between(match["number"], match["other"]) if match["other"] else _amount(match["number"])
    sign: Ways = [["minus"], ["negative"]] if match["sign"] else [[]]
    name = one if match["number"] == "1" and not match["other"] else many
    return chain(sign, said, [name.split(), one.split(), *_short(match["unit"])])


def _unit(match: re.Match[str], place: Place) -> Ways:
    """Read the kg of "5 kg"."""
    before = place.neighbour(-1)
    if not _A_NUMBER.fullmatch(before):
        return []
    one, many = (name.split() for name in tables.UNITS[match[0]])
    said = [one if before == "1" else many, one, *_short(match[0])]
    return [[match[0].lower()], *said] if match[0] in tables.WORDS_TOO and match[0].isalpha() else said


def _short(unit: str) -> Ways:
    """Spell the units that people do spell."""
    return [spelled(unit)] if unit in ("mph", "kph", "ms", "GB", "MB", "KB", "dB") else []


def _between(first: str, last: str) -> Ways:
    """Read a range; its halves are years where both may be."""
    both = bool(_YEAR.fullmatch(first)) and bool(re.fullmatch(r"\d\d|" + _YEAR.pattern, last))
    sides = [year(int(side)) if both and len(side) == 4 else _amount(side)[:2] for side in (first, last)]
    return chain(sides[0], [["to"], [], ["through"], ["dash"]], sides[1])


def _range(match: re.Match[str], place: Place) -> Ways:
    sign = match["sign"]
    said = _between(match["number"], match["other"])
    return chain(said, [[tables.MONEY[sign][1]]]) if sign else said


def _phone(match: re.Match[str], place: Place) -> Ways:
    text = match[0]
    if sum(character.isdecimal() for character in text) < 7:
        return []
    plus: Ways = [["plus"], []] if text.startswith("+") else [[]]
    only = re.sub(r"\D", "", text)
    return chain(plus, [digits(only), digits(only, zero="oh")])


def _address(match: re.Match[str], place: Place) -> Ways:
    """Read a web or e-mail address; its scheme may go unsaid."""
    text = match[0].rstrip("/")
    scheme = re.match(r"https?://", text)
    body = text[scheme.end() :] if scheme else text
    said = [[]] if not scheme else [[], [*spelled(scheme[0].rstrip(":/")), "colon", "slash", "slash"]]
    return chain(said, [[word for piece in _RUN.finditer(body) for word in _in_address(piece, place)]])


def _in_address(piece: re.Match[str], place: Place) -> list[str]:
    if piece["sign"]:
        return tables.IN_ADDRESS.get(piece["sign"], [[]])[0]
    if piece["word"]:
        return [word for way in _word(piece["word"], place) for word in way]
    parts = [digits(part) if len(part) > 2 else whole(part)[0] for part in re.findall(r"\d+", piece[0])]
    return [word for part in parts for word in ("dot", *part)][piece[0][0] != "." :]


def _hash(match: re.Match[str], place: Place) -> Ways:
    """Read #5 as number five, #speech as hashtag speech."""
    rest = match["rest"]
    named: Ways = [["number"]] if rest[0].isdecimal() else [["hashtag"], ["hash"], []]
    return chain(named, whole(rest) if rest.isdecimal() else _pieces(rest, place))


def _abbreviation(match: re.Match[str], place: Place) -> Ways:
    symbol = match[0].rstrip(".")
    if symbol in tables.BEFORE_NUMBER and place.neighbour(1)[:1].isdecimal():
        return tables.BEFORE_NUMBER[symbol]
    known = tables.ABBREVIATIONS.get(symbol.casefold())
    if known is None:
        return []
    if _month(symbol) and _DAY.fullmatch(place.neighbour(-1)):
        return [*known, ["of", *known[0]]]
    # Before a name it is a title or a saint, behind one a road: the likelier first.
    behind = len(known) > 1 and known[1][0] in ("drive", "street") and not place.neighbour(1)[:1].isupper()
    ways = known[::-1] if behind and place.index else known
    return [*ways, [symbol.casefold()]] if symbol.isalpha() and "." not in match[0] else ways


def _spoken_month(match: re.Match[str], place: Place) -> Ways:
    name = match[0].casefold()
    return [[name], ["of", name]] if _month(match[0]) and _DAY.fullmatch(place.neighbour(-1)) else []


def _initials(match: re.Match[str], place: Place) -> Ways:
    """Spell U.S. and J.R.R."""
    return [spelled(match[0])]


def _roman(match: re.Match[str], place: Place) -> Ways:
    """Read XIV as a number where it must be one, or where nothing else is likely."""
    symbol, before = match[0], place.neighbour(-1)
    number = roman.value(symbol)
    title, reign = before.casefold() in tables.TITLED, before.casefold() in tables.REIGNED
    behind_name = reign or (before[:1].isupper() and place.neighbour(-2).casefold() in tables.REIGNED)
    if (
        number is None
        or place.shouted
        or not (title or behind_name or (len(symbol) > 1 and symbol not in tables.NO_NUMERALS))
    ):
        return []
    ways = [cardinal(number), ["the", *ordinal(number)], spelled(symbol)]
    return [ways[1], ways[0], ways[2]] if behind_name else ways


def _acronym(match: re.Match[str], place: Place) -> Ways:
    """Spell FBI, say NASA; either may be so, and plural with a small s."""
    symbol, ending = match["letters"], match["ending"] or ""
    if place.shouted or len(symbol) < 2:
        return []
    letters = spelled(symbol)
    letters = [*letters[:-1], letters[-1] + "'s"] if ending else letters
    word = [(symbol + ending).lower()]
    has_vowel = re.search("[AEIOUY]", symbol) is not None
    if not has_vowel:
        return [letters]
    return [word, letters] if len(symbol) > 3 or symbol in tables.EMPHASISED else [letters, word]


def _compound(match: re.Match[str], place: Place) -> Ways:
    """Read and/or, 24/7, Python/C: with the slash or without."""
    parts = match[0].split("/")
    said: list[Ways] = [whole(part)[:1] if part.isdecimal() else _pieces(part, place) for part in parts if part]
    joined = [said[0], *(way for part in said[1:] for way in ([[], ["slash"]], part))] if said else []
    return chain(*joined)


def _from_to(match: re.Match[str], place: Place) -> Ways:
    """Read 10am-5pm, $5k-$10k."""
    sides = [readings(at(place, match[side])) for side in ("first", "last")]
    return chain(sides[0], [["to"], [], ["dash"]], sides[1])


def _code(match: re.Match[str], place: Place) -> Ways:
    return tables.CODES.get(match[0], [])


def _tongue(match: re.Match[str], place: Place) -> Ways:
    """Read C++ and C#."""
    return [[match[1].lower(), *({"++": ["plus", "plus"], "#": ["sharp"]}[match[2]])]]


def _pieces(symbol: str, place: Place) -> Ways:
    """Read a symbol run by run: words, numbers, signs; what else there is is silent."""
    parts: list[Ways] = []
    for piece in _RUN.finditer(symbol):
        if piece["ordinal"]:
            parts.append([ordinal(int(piece["ordinal"][:-2]))])
        elif piece["number"]:
            parts.append(_amount(piece["number"])[:4])
        elif piece["word"]:
            parts.append(_word(piece["word"], place))
        elif piece["sign"] in tables.SIGNS:
            parts.append(tables.SIGNS[piece["sign"]])
    return chain(*filter(None, parts)) if any(parts) else []


def _word(text: str, place: Place) -> Ways:
    """Read letters as a word, or spelled where they have no vowel."""
    parts: Ways = []
    for run in letters(text):
        word = folded(run, "en")
        mute = re.fullmatch("[bcdfghjklmnpqrstvwxz]{2,}", word) is not None and not _SOUND.fullmatch(word)
        capital = run.isupper() and len(run) > 1 and not place.shouted
        if mute or (capital and len(run) < 4 and len(text) != len(place.symbol)):
            parts.append(spelled(run))
        else:
            parts.append([word])
    return [[word for part in parts for word in part]] if parts else []


def spelled(text: str) -> list[str]:
    """Name letters one by one; digits are said as such.

    >>> spelled("mp3")
    ['m', 'p', 'three']
    """
    return [
        digits(character)[0] if character in "0123456789" else character.casefold()
        for character in text
        if character.isalnum()
    ]


_RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern, flags), say)
    for pattern, flags, say in (
        (rf"(?:https?://|www\.)\S+|\S+@\S+\.\w+|{_DOMAIN}(?:[/?:]\S*)?", re.I, _address),
        (rf"(?P<sign>[-+])?(?P<number>{_NUMBER})", 0, _number),
        (r"(?P<number>\d[\d,]{0,14})(?:st|nd|rd|th)", re.I, _ordinal),
        (r"'?(?P<number>\d0|1[1-9]\d0|20\d0)'?s", 0, _decade),
        (rf"(?P<minus>-)?(?P<sign>{_MONEY_SIGN})\s?(?P<number>{_NUMBER})(?P<suffix>{_SUFFIX})?", re.I, _money),
        (rf"(?P<minus>-)?(?P<number>{_NUMBER})(?P<suffix>{_SUFFIX})?\s?(?P<sign>{_MONEY_SIGN})", re.I, _money),
        ("thousand|million|billion|trillion", re.I, _scale),
        (rf"(?P<sign>[-+])?(?P<number>{_NUMBER})(?:-(?P<other>{_NUMBER}))?%", 0, _percent),
        (rf"(?P<sign>-)?(?P<number>{_NUMBER})(?:-(?P<other>{_NUMBER}))?-?(?P<unit>{_UNIT})", 0, _measured),
        (_UNIT, 0, _unit),
        (r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})", 0, dates.iso_date),
        (r"(?P<first>\d{1,2})[-/.](?P<second>\d{1,2})[-/.](?P<year>\d{4}|\d\d)", 0, dates.date),
        (r"\+?\(?\d+\)?(?:[-.]\d{2,}){2,}|\d{3}-\d{4}|\+\d{7,}", 0, _phone),
        (rf"(?P<sign>{_MONEY_SIGN})?(?P<number>{_NUMBER})-{_MONEY_SIGN}?(?P<other>{_NUMBER})(?![\d-])", 0, _range),
        (r"(?P<top>\d{1,3})/(?P<bottom>\d{1,3})", 0, dates.fraction),
        (r"(?P<number>\d+)?(?P<part>[¼-¾⅐-⅞])", 0, dates.vulgar),
        (r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?P<half>[ap]\.?m\.?)?", re.I, dates.clock),
        (r"(?P<hour>\d{1,2})(?P<minute>)(?P<second>)(?P<half>[ap]\.?m\.?)", re.I, dates.clock),
        (r"#(?P<rest>\w+)", 0, _hash),
        (r"([A-Z])(\+\+|#)", 0, _tongue),
        ("|".join(tables.CODES), 0, _code),
        (r"[^\W\d]+(?:\.[^\W\d]+)*\.?", 0, _abbreviation),
        (r"[^\W\d]+", 0, _spoken_month),
        (r"(?:[^\W\d_]\.)+[^\W\d_]?\.?(?<=..)", 0, _initials),
        ("[IVXLCDM]+", 0, _roman),
        ("(?P<letters>[A-Z]+)(?P<ending>'?s)?", 0, _acronym),
        (r"(?P<first>[^-]*\d[^-]*)-(?P<last>[^-]*\d[^-]*)", 0, _from_to),
        (r"\w+(?:/\w+)+", 0, _compound),
    )
)  # fmt: skip
