# SPDX-License-Identifier: Apache-2.0
"""English dates, times of day and fractions: what is written with slashes, dashes and colons between digits."""

from __future__ import annotations

import re
import unicodedata

from speechmill.text import _english_tables as tables
from speechmill.text._english_numbers import cardinal, ordinal, plural, whole, year
from speechmill.text._ways import Place, Ways, chain, unique


def date(match: re.Match[str], place: Place) -> Ways:
    """Read 3/4/2021, in the order of the region; in the other where that can't be."""
    first, second = int(match["first"]), int(match["second"])
    day_first = place.language.partition("-")[2] not in ("", "us")
    orders = [(second, first), (first, second)] if day_first else [(first, second), (second, first)]
    ways = [way for month, day in orders if 1 <= month <= 12 and 1 <= day <= 31 for way in _spoken_date(month, day)]
    if not ways:
        return []
    plainly = chain(whole(match["first"])[:1], [[], ["slash"]], whole(match["second"])[:1])
    likely = unique([*ways[:2], *ways[4:5], plainly[0], *ways[2:4], *ways[5:6], plainly[1]])
    return chain(likely, _years(match["year"]))


def iso_date(match: re.Match[str], place: Place) -> Ways:
    """Read 2021-04-03."""
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return []
    parts = chain(_years(match["year"]), _spoken_date(month, day)[2:3])
    return chain(_spoken_date(month, day), _years(match["year"])) + parts


def _spoken_date(month: int, day: int) -> Ways:
    name, said = tables.MONTHS[month - 1], ordinal(day)
    return [[name, *said], ["the", *said, "of", name], [name, *cardinal(day)], [name, "the", *said]]


def _years(text: str) -> Ways:
    if len(text) == 4:
        return year(int(text))
    short = ["oh", *cardinal(int(text))] if text[0] == "0" else cardinal(int(text))
    return unique([short, *year(2000 + int(text))])


def fraction(match: re.Match[str], place: Place) -> Ways:
    """Read 3/4: three quarters, March fourth, three slash four."""
    top, bottom = int(match["top"]), int(match["bottom"])
    if top > bottom or not bottom:
        return chain(whole(match["top"])[:1], [[], ["slash"], ["over"], ["of"]], whole(match["bottom"])[:1])
    over = chain(whole(match["top"])[:1], [["over"], [], ["slash"], ["out", "of"], ["of"]], whole(match["bottom"])[:1])
    dates = [_spoken_date(month, day)[0] for month, day in [(top, bottom)] if 1 <= month <= 12 and 1 <= day <= 31]
    if place.neighbour(-1).casefold() in {"on", "by", "until", "since", "before", "after"} and dates:
        return dates + over
    return _part(top, bottom) + dates + over


def _part(top: int, bottom: int) -> Ways:
    if top >= bottom or bottom > 100:
        return []
    one, more = tables.FRACTIONS.get(bottom) or (ordinal(bottom)[-1], plural(ordinal(bottom))[-1])
    name = (
        [*ordinal(bottom)[:-1], one if top == 1 else more]
        if bottom not in tables.FRACTIONS
        else [one if top == 1 else more]
    )
    ways = [[*cardinal(top), *name]]
    if top == 1:
        ways.append(["a", *name])
    return ways + ([[*cardinal(top), "fourth" if top == 1 else "fourths"]] if bottom == 4 else [])


def vulgar(match: re.Match[str], place: Place) -> Ways:
    """Read ½ and 2½."""
    top, _, bottom = unicodedata.normalize("NFKC", match["part"]).partition("\u2044")
    if not (top.isdecimal() and bottom.isdecimal()):
        return []
    part = _part(int(top), int(bottom))
    if not match["number"]:
        return [*part, ["half"]] if bottom == "2" else part
    return chain(whole(match["number"])[:1], [["and"]], part[1:2] + part[:1] if top == "1" else part)


def clock(match: re.Match[str], place: Place) -> Ways:
    """Read 10:05, 10:05pm and 10pm."""
    hour, minute, second = int(match["hour"]), match["minute"] or "", match["second"]
    if hour > 24 or int(minute or 0) > 59:
        return []
    late = [["oh", *cardinal(int(minute))]] if minute[:1] == "0" else [cardinal(int(minute))] if minute else []
    half = [[letter, "m"] for letter in (match["half"] or "").lower()[:1]]
    if minute in ("", "00"):
        late = [[]] if half else [["o'clock"], [], ["hundred"]]
    seconds = [["and", *cardinal(int(second)), "seconds"], cardinal(int(second))] if second else [[]]
    return chain([cardinal(hour)], late, seconds, half or [[]])
