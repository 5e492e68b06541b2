# SPDX-License-Identifier: Apache-2.0
"""How Vietnamese tokens are said: numbers, money, dates, times, units, abbreviations, addresses, Roman numerals.

Numbers are written with a comma before decimals and dots between thousands; the other way round is understood where it
can mean nothing else. Words are in the older placing of tones. Several ways to say a token are given, the likeliest
first. Words of other languages stay as they are written.
"""

from __future__ import annotations

import re
import unicodedata

from speechmill.text import _vietnamese_tables as tables
from speechmill.text import roman
from speechmill.text._vietnamese_numbers import cardinal, digits, month, whole, year
from speechmill.text._ways import Place, Rule, Ways, at, chain, first_match, unique
from speechmill.text.characters import folded, letters, tones_placed

DOTTED = frozenset(name.casefold() for name in (*tables.ABBREVIATIONS, *tables.TITLES) if len(name) > 1)

_NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_NUMBERS = rf"(?P<sign>-)?(?P<number>{_NUMBER})(?:-(?P<other>{_NUMBER}))?"
_MONEY_SIGN = "[" + "".join(tables.MONEY) + "]"
_CODE = "|".join(tables.CODES)
_UNIT = "|".join(sorted(map(re.escape, tables.UNITS), key=len, reverse=True))
_SUFFIX = r"k|K|tr|triệu|tỷ|tỉ|nghìn|ngàn"
_SUFFIXES: dict[str, Ways] = {
    "k": [["nghìn"], ["ngàn"], ["ca"]], "tr": [["triệu"]], "triệu": [["triệu"]], "tỷ": [["tỷ"]], "tỉ": [["tỷ"]],
    "nghìn": [["nghìn"]], "ngàn": [["ngàn"]],
}  # fmt: skip
_RUN = re.compile(rf"(?P<number>{_NUMBER})|(?P<word>[^\W\d_²³](?:[^\W\d²³]|[\u0300-\u036f])*)|(?P<sign>.)")
_DOMAIN = r"(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|ai|info|app|dev|tv|me|vn|uk|jp|cn)"
_YEAR = re.compile(r"1\d\d\d|20\d\d")
_DAYS = frozenset({"ngày", "mùng", "mồng", "hôm", "sáng", "chiều", "tối", "trưa", "đêm"})


def readings(place: Place) -> Ways:
    """List the ways a token is said, as lower-case words; the likeliest first, at most eight."""
    return first_match(_RULES, place) or unique(_pieces(place.symbol, place))


def _amount(text: str) -> Ways:
    """Read digits with their commas and dots."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", text):
        text = text.replace(".", "")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    before, mark, after = re.match(r"(\d+)([.,]?)(\d*)", text).groups()  # type: ignore[union-attr]
    if not after:
        return whole(before)
    few = [cardinal(int(after))] if len(after) < 3 and after[0] != "0" else []
    points = [["phẩy"], ["chấm"]] if mark == "," else [["chấm"], ["phẩy"]]
    return chain(whole(before)[:2], points, [*few, digits(after)])


def _signed(sign: str | None) -> Ways:
    return {"-": [["âm"], ["trừ"]], "+": [["cộng"], []]}.get(sign or "", [[]])


def _number(match: re.Match[str], place: Place) -> Ways:
    text, before = match["number"], place.neighbour(-1).casefold()
    ways = _amount(text)
    if before == "tháng" and text.isdecimal() and 1 <= int(text) <= 12:
        ways = unique(month(int(text)) + ways)
    elif before == "thứ" and text in ("1", "4"):
        ways = [["nhất"] if text == "1" else ["tư"], *ways]
    elif before == "ngày" and text.isdecimal() and 1 <= int(text) <= 10:
        ways = unique([*ways[:1], ["mùng", *ways[0]], *ways])
    elif _YEAR.fullmatch(text) and not match["sign"]:
        ways = year(int(text))
    return chain(_signed(match["sign"]), ways)


def _money(match: re.Match[str], place: Place) -> Ways:
    name = tables.MONEY.get(match["money"]) or tables.CODES[match["money"]]
    suffix = _SUFFIXES[match["suffix"].lower()] if match["suffix"] else [[]]
    if not match["suffix"] and place.neighbour(1).casefold() in _SUFFIXES and match["money"] in tables.MONEY:
        name = [[]]  # "$5 triệu": đô la is said after triệu
    amount = _between(match["number"], match["other"]) if match["other"] else _amount(match["number"])
    return chain(_signed(match["sign"] or match.groupdict().get("minus")), amount, suffix, name)


def _scale(match: re.Match[str], place: Place) -> Ways:
    """Say "triệu đô la" for the triệu of $5 triệu."""
    before = place.neighbour(-1)
    sign = next((sign for sign in tables.MONEY if before.startswith(sign)), None)
    return chain([[match[0].casefold()]], tables.MONEY[sign]) if sign else []


def _percent(match: re.Match[str], place: Place) -> Ways:
    said = _between(match["number"], match["other"]) if match["other"] else _amount(match["number"])
    return chain(_signed(match["sign"]), said, [["phần", "trăm"]])


def _measured(match: re.Match[str], place: Place) -> Ways:
    """Read 5kg, 60km/h, 50.000đ/kg."""
    said = _between(match["number"], match["other"]) if match["other"] else _amount(match["number"])
    return chain(_signed(match["sign"]), said, tables.UNITS[match["unit"]], _per(match["per"]))


def _unit(match: re.Match[str], place: Place) -> Ways:
    """Read the kg of "5 kg"."""
    if not place.neighbour(-1)[-1:].isdecimal():
        return []
    return chain(tables.UNITS[match["unit"]], _per(match["per"]))


def _per(unit: str | None) -> Ways:
    if not unit:
        return [[]]
    return chain([["trên"], ["một"], ["mỗi"]], tables.UNITS[unit][:1])


def _between(first: str, last: str) -> Ways:
    sides = [year(int(side)) if _YEAR.fullmatch(side) else _amount(side)[:2] for side in (first, last)]
    return chain(sides[0], [["đến"], ["tới"], []], sides[1])


def _range(match: re.Match[str], place: Place) -> Ways:
    return _between(match["number"], match["other"])


def _day_month(day: int, number: int, place: Place) -> Ways:
    """Say a day and a month, without "ngày" where the text has it."""
    head: Ways = [["ngày"], []]
    if place.neighbour(-1).casefold() in _DAYS:
        head = head[::-1]
    if day <= 10:
        head = [*head, ["mùng"]]
    return chain(head, whole(str(day)), [["tháng"]], month(number))


def _date(match: re.Match[str], place: Place) -> Ways:
    day, number, text = int(match["day"]), int(match["month"]), match["year"]
    if not (1 <= number <= 12 and 1 <= day <= 31):
        return []
    years = year(int(text)) if len(text) == 4 else unique([*year(2000 + int(text)), *whole(text)])
    return chain(_day_month(day, number, place), [["năm"], []], years)


def _month_year(match: re.Match[str], place: Place) -> Ways:
    if not 1 <= int(match["month"]) <= 12:
        return []
    head: Ways = [[]] if place.neighbour(-1).casefold() in ("tháng", "quý") else [["tháng"], []]
    return chain(head, month(int(match["month"])), [["năm"], []], year(int(match["year"])))


def _fraction(match: re.Match[str], place: Place) -> Ways:
    """Read 3/4: ba phần tư, or the third of April where a day is meant."""
    top, bottom = int(match["top"]), int(match["bottom"])
    part = chain(whole(match["top"])[:1], [["phần"]], [["tư"]] if bottom == 4 else whole(match["bottom"])[:1])
    over = chain(whole(match["top"])[:1], [["trên"], ["xuyệt"], []], whole(match["bottom"])[:1])
    dates = _day_month(top, bottom, place) if 1 <= bottom <= 12 and 1 <= top <= 31 else []
    if (top, bottom) == (24, 7):
        return over[2:] + over[:2] + dates
    if place.neighbour(-1).casefold() in _DAYS or top >= bottom:
        return dates + part + over
    return part[:2] + dates[:4] + over


def _vulgar(match: re.Match[str], place: Place) -> Ways:
    """Read ½ and 2½."""
    top, _, bottom = unicodedata.normalize("NFKC", match["part"]).partition("\u2044")
    if not (top.isdecimal() and bottom.isdecimal()):
        return []
    part = chain(whole(top)[:1], [["phần"]], [["tư"]] if bottom == "4" else whole(bottom)[:1])
    half: Ways = [["rưỡi"]] if match["part"] == "½" else []
    return chain(whole(match["number"])[:1], half + part) if match["number"] else part + ([["nửa"]] if half else [])


def _clock(match: re.Match[str], place: Place) -> Ways:
    hour, minute = int(match["hour"]), match["minute"] or ""
    if hour > 24 or int(minute or 0) > 59:
        return []
    late: Ways = [[]]
    if minute == "00":
        late = [[], ["đúng"], ["không", "không"]]
    elif minute:
        late = chain(whole(str(int(minute))), [[], ["phút"]])
        late = [*late[:4], ["rưỡi"]] if minute == "30" else late
    return chain([cardinal(hour)], [["giờ"]], late)


def _phone(match: re.Match[str], place: Place) -> Ways:
    only = re.sub(r"\D", "", match[0])
    if len(only) < 7:
        return []
    return chain([["cộng"], []] if match[0].startswith("+") else [[]], [digits(only)])


def _address(match: re.Match[str], place: Place) -> Ways:
    """Read a web or e-mail address; its scheme may go unsaid."""
    body = re.sub(r"^https?://", "", match[0]).rstrip("/")
    words = [word for piece in _RUN.finditer(body) for word in _in_address(piece)]
    head: Ways = [[]] if body == match[0].rstrip("/") else [[], [*spelled("https"), "hai", "chấm", "xuyệt", "xuyệt"]]
    return chain(head, [words])


def _in_address(piece: re.Match[str]) -> list[str]:
    if piece["sign"]:
        return tables.IN_ADDRESS.get(piece["sign"], [[]])[0]
    if piece["number"]:
        return [word for part in re.split(r"[.,]", piece[0]) for word in ["chấm", *digits(part)]][1:]
    word = piece["word"].casefold()
    return [word] if re.search("[aeiouy]", word) else spelled(word)


def _hash(match: re.Match[str], place: Place) -> Ways:
    rest = match["rest"]
    return chain([["số"], ["thăng"]] if rest.isdecimal() else [["thăng"], []], _pieces(rest, place))


def _abbreviation(match: re.Match[str], place: Place) -> Ways:
    symbol = match[0].rstrip(".")
    parts = [part for part in symbol.split(".") if part]
    if len(parts) > 1 and all(part in tables.TITLES for part in parts):
        return [[word for part in parts for word in tables.TITLES[part][0]]]
    known = tables.ABBREVIATIONS.get(symbol) or tables.TITLES.get(symbol)
    if known is None or place.shouted or (len(symbol) == 1 and not place.neighbour(1)[:1].isdecimal()):
        return []
    return [*known, spelled(symbol)]


def _district(match: re.Match[str], place: Place) -> Ways:
    """Read Q.1, P5, TP.Thủ Đức."""
    return chain([tables.PLACES[match["place"].upper()].split()], whole(match["number"]))


def _city(match: re.Match[str], place: Place) -> Ways:
    known = tables.ABBREVIATIONS.get(match["rest"].upper())
    return chain([["thành", "phố"]], known[:1] if known else _pieces(match["rest"], place))


def _initials(match: re.Match[str], place: Place) -> Ways:
    return [spelled(match[0])]


def _roman(match: re.Match[str], place: Place) -> Ways:
    symbol = match[0]
    number = roman.value(symbol)
    ordered = place.neighbour(-1).casefold() in tables.ORDERED
    if number is None or place.shouted or not (ordered or (len(symbol) > 1 and symbol not in tables.NO_NUMERALS)):
        return []
    return (
        [["nhất"], ["một"]]
        if number == 1
        else [*whole(str(number))[:4], ["đệ", *whole(str(number))[0]], spelled(symbol)]
    )


def _acronym(match: re.Match[str], place: Place) -> Ways:
    """Spell GDP, by Vietnamese names of letters or English ones; say ASEAN."""
    symbol = match[0]
    if place.shouted or (len(symbol) == 1 and symbol in "AEIOUYÂÊÔƠƯĂ"):
        return []
    letters, word = [spelled(symbol), _english(symbol)], [symbol.casefold()]
    say_first = len(symbol) > 3 and re.search("[AEIOU]", symbol) is not None and symbol.isascii()
    return [word, *letters] if say_first else [*letters, word]


def _compound(match: re.Match[str], place: Place) -> Ways:
    """Read 15/2020/NĐ-CP: with the slash or without."""
    parts = [whole(part)[:1] if part.isdecimal() else _pieces(part, place) for part in match[0].split("/")]
    said = [way for part in parts[1:] for way in ([["trên"], [], ["xuyệt"]], part)]
    return chain(parts[0], *said)


def _from_to(match: re.Match[str], place: Place) -> Ways:
    """Read 8h-10h."""
    sides = [readings(at(place, match[side])) for side in ("first", "last")]
    return chain(sides[0], [["đến"], ["tới"], []], sides[1])


def _code(match: re.Match[str], place: Place) -> Ways:
    """Read đ, VND, USD where an amount stands before."""
    return tables.CODES[match[0]] if place.neighbour(-1)[-1:].isdecimal() or len(match[0]) > 1 else []


def _pieces(symbol: str, place: Place) -> Ways:
    """Read a symbol run by run: words, numbers, signs; what else there is is silent."""
    parts: list[Ways] = []
    for piece in _RUN.finditer(symbol):
        if piece["number"]:
            parts.append(_amount(piece["number"])[:4])
        elif piece["word"]:
            parts.append(_word(piece["word"], place, symbol))
        elif piece["sign"] in tables.SIGNS:
            parts.append(tables.SIGNS[piece["sign"]])
    return chain(*filter(None, parts)) if any(parts) else []


def _word(text: str, place: Place, symbol: str) -> Ways:
    parts: Ways = []
    for run in letters(text):
        if run.isupper() and len(run) > 1 and len(run) < len(symbol) and not place.shouted:
            parts.append(spelled(run))
        else:
            parts.append([tones_placed(folded(run, "vi"))])
    return [[word for part in parts for word in part]] if parts else []


def spelled(text: str) -> list[str]:
    """Name letters one by one.

    >>> spelled("WTO")
    ['vê', 'kép', 'tê', 'o']
    """
    return _named(text, tables.LETTERS)


def _english(text: str) -> list[str]:
    return _named(text, tables.LETTERS | tables.ENGLISH_LETTERS)


def _named(text: str, names: dict[str, str]) -> list[str]:
    words: list[str] = []
    for character in text.casefold():
        if character in "0123456789":
            words += digits(character)
        elif character.isalpha():
            words += names.get(character, character).split("_")
    return words


_RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern, flags), say)
    for pattern, flags, say in (
        (rf"(?:https?://|www\.)\S+|\S+@\S+\.\w+|{_DOMAIN}(?:[/?:]\S*)?", re.I, _address),
        (r"1[89]00[.-]?\d{4,6}|(?:\+84|0)\d{8,}", 0, _phone),
        (rf"(?P<sign>[-+])?(?P<number>{_NUMBER})", 0, _number),
        (rf"(?P<minus>-)?(?P<money>{_MONEY_SIGN})\s?{_NUMBERS}(?P<suffix>{_SUFFIX})?", 0, _money),
        (rf"{_NUMBERS}(?P<suffix>{_SUFFIX})?\s?(?P<money>{_MONEY_SIGN}|{_CODE})", 0, _money),
        ("nghìn|ngàn|triệu|tỷ|tỉ", re.I, _scale),
        (rf"(?P<sign>[-+])?(?P<number>{_NUMBER})%?(?:-(?P<other>{_NUMBER}))?%", 0, _percent),
        (r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})", 0, _date),
        (r"(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4}|\d\d)", 0, _date),
        (r"\+?\(?\d+\)?(?:[-.]\d{2,}){2,}|\+\d{7,}", 0, _phone),
        (r"(?P<month>\d{1,2})[-/](?P<year>(?:19|20)\d\d)", 0, _month_year),
        (rf"{_NUMBERS}(?P<unit>{_UNIT})(?:/(?P<per>{_UNIT}))?", 0, _measured),
        (rf"(?P<unit>{_UNIT})(?:/(?P<per>{_UNIT}))?", 0, _unit),
        (r"(?P<hour>\d{1,2})(?:h|g|:|giờ)(?P<minute>\d\d)?(?:'|p|ph|phút)?", re.I, _clock),
        (rf"(?P<number>{_NUMBER})-(?P<other>{_NUMBER})", 0, _range),
        (r"(?P<top>\d{1,3})/(?P<bottom>\d{1,3})", 0, _fraction),
        (r"(?P<number>\d+)?(?P<part>[¼-¾⅐-⅞])", 0, _vulgar),
        (r"#(?P<rest>\w+)", 0, _hash),
        (r"(?P<place>[QPF])\.?(?P<number>\d{1,2})", 0, _district),
        (r"[^\W\d]+(?:\.[^\W\d]+)*\.?", 0, _abbreviation),
        (r"TP\.?(?P<rest>[^\W\d][\w.]+)", re.I, _city),
        (_CODE, 0, _code),
        (r"(?:[^\W\d_]\.)+[^\W\d_]?\.?(?<=..)", 0, _initials),
        ("[IVXLCDM]+", 0, _roman),
        ("[A-ZĐĂÂÊÔƠƯ]+", 0, _acronym),
        (r"(?P<first>[^-/]*\d[^-/]*)-(?P<last>[^-/]*\d[^-/]*)", 0, _from_to),
        (r"\w+(?:/[\w-]+)+", 0, _compound),
    )
)  # fmt: skip
