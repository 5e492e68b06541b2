# SPDX-License-Identifier: Apache-2.0
"""Vietnamese numbers in words, with the sounds that change behind "mươi": mốt, tư, lăm.

North and south differ: nghìn or ngàn, linh or lẻ. Both are given, the northern first, and so is the short way to say
tens (hai mốt for hai mươi mốt).
"""

from __future__ import annotations

from msgspec import Struct

from speechmill.text._ways import Ways, listed, unique

ONES = listed("không một hai ba bốn năm sáu bảy tám chín")

_BEHIND_TENS = {1: "mốt", 4: "tư", 5: "lăm"}


class Style(Struct, frozen=True):
    """How a speaker says numbers."""

    link: str = "linh"  # between hundreds and ones: một trăm linh năm
    thousand: str = "nghìn"
    short: bool = False  # hai mốt for hai mươi mốt
    four: str = "tư"  # behind "mươi"
    filled: bool = True  # một nghìn không trăm linh năm, not một nghìn linh năm


STYLES = (
    Style(),
    Style(link="lẻ", thousand="ngàn"),
    Style(filled=False),
    Style(link="lẻ", thousand="ngàn", filled=False),
    Style(four="bốn"),
    Style(short=True),
)


def cardinal(number: int, style: Style = STYLES[0]) -> list[str]:
    """Say a number below 10**21.

    >>> " ".join(cardinal(1005)), " ".join(cardinal(2021)), " ".join(cardinal(15))
    ('một nghìn không trăm linh năm', 'hai nghìn không trăm hai mươi mốt', 'mười lăm')
    """
    billions, rest = divmod(number, 10**9)
    if not billions:
        return _below_billion(number, style, inner=False)
    return [*cardinal(billions, style), "tỷ", *(_below_billion(rest, style, inner=True) if rest else [])]


def _below_billion(number: int, style: Style, *, inner: bool) -> list[str]:
    words: list[str] = []
    for scale, size in (("triệu", 10**6), (style.thousand, 1000), ("", 1)):
        group, number = divmod(number, size)
        if group or (size == 1 and not words and not inner):
            words += _group(group, style, inner=inner or bool(words))
            words += scale.split()
    return words


def _group(number: int, style: Style, *, inner: bool) -> list[str]:
    """Say a number below 1000; inner: behind a greater group, where hundreds are said though there are none."""
    hundreds, rest = divmod(number, 100)
    words = [ONES[hundreds], "trăm"] if hundreds or (inner and style.filled) else []
    if not rest:
        return words if hundreds else ([] if inner else [ONES[0]])
    if rest < 10:
        return [*words, *([style.link] if words or inner else []), ONES[rest]]
    return words + _tens(rest, style)


def _tens(number: int, style: Style) -> list[str]:
    tens, ones = divmod(number, 10)
    if tens == 1:
        return ["mười"] + (["lăm" if ones == 5 else ONES[ones]] if ones else [])
    last = style.four if ones == 4 else _BEHIND_TENS.get(ones, ONES[ones])
    if not ones:
        return [ONES[tens], "mươi"]
    return [ONES[tens], last] if style.short else [ONES[tens], "mươi", last]


def digits(text: str) -> list[str]:
    """Say digits one by one.

    >>> digits("0905")
    ['không', 'chín', 'không', 'năm']
    """
    return [ONES[int(digit)] for digit in text]


def whole(text: str) -> Ways:
    """List the ways to say a number in digits, the likeliest first; behind a leading zero they are said one by one."""
    if (text[0] == "0" and len(text) > 1) or len(text) > 15:
        return [digits(text)]
    ways = [cardinal(int(text), style) for style in STYLES]
    return unique([*ways[:5], digits(text), ways[5]] if len(text) > 2 else ways)


def year(number: int) -> Ways:
    """List the ways to say a year: as a number, or its digits with the last as behind tens.

    >>> [" ".join(way) for way in year(2021)][:3]
    ['hai nghìn không trăm hai mươi mốt', 'hai ngàn không trăm hai mươi mốt', 'hai không hai mốt']
    """
    text = str(number)
    short = [*digits(text[:2]), *(_tens(number % 100, STYLES[5]) if number % 100 > 19 else digits(text[2:]))]
    ways = [cardinal(number, style) for style in STYLES]
    return unique([*ways[:2], short, *ways[2:4], digits(text)])


def month(number: int) -> Ways:
    """List the ways to say a month behind "tháng"."""
    names = {1: [["một"], ["giêng"]], 4: [["tư"]], 12: [["mười", "hai"], ["chạp"]]}
    return names.get(number) or [cardinal(number)]
