# SPDX-License-Identifier: Apache-2.0
"""Finds what tells who somebody is, where a text writes it in digits or signs: addresses, numbers, accounts.

Patterns only: e-mail and IP addresses, phone numbers, payment cards (Luhn: ISO/IEC 7812-1), IBAN (mod 97: ISO 13616),
US social security numbers, Vietnamese identity numbers (12 digits, of which the first three are a province's, 2021; 9
digits before), passports where the word stands before them, and other runs of nine digits and more. Names, and numbers
said as words, are not found. Years, prices, dates, times, versions, headings, scores, pages, ISBN, amounts with a unit,
round numbers and counting are no such thing: what stands beside a number decides. Every pattern is bounded: time is
linear in the text's length.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from msgspec import Struct


class Found(Struct, frozen=True):
    """Where a text has something, and of what kind."""

    kind: str  # one of KINDS
    start: int  # characters
    end: int


KINDS = ("email", "iban", "card", "ip", "id", "phone", "number")

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}(?![\w-])"
    r"|\b[\w.-]{1,64}\s{1,3}(?:at|a còng)\s{1,3}[\w-]{1,63}(?:\s{1,3}(?:dot|chấm)\s{1,3}[a-z]{2,10}){0,2}"
    r"\s{1,3}(?:dot|chấm)\s{1,3}(?:com|org|net|edu|gov|vn|info|io|co|uk|de|fr|eu|us|ca|au|in|jp|cn|kr)\b",
    re.IGNORECASE,
)
_MAILBOXES = (
    "gmail",
    "googlemail",
    "yahoo",
    "hotmail",
    "outlook",
    "live",
    "icloud",
    "proton",
    "protonmail",
    "gmx",
    "aol",
)
_NO_MAILBOX = re.compile(  # "find us at example dot com" is a site
    r"me|us|it|them|you|here|there|find|found|look|looking|visit|visiting|up|in|on|out|more|online|available|shop|buy|"
    r"sign|log|read|meet|now|today|website|site|page|only|is|are|was|be|live|learn|listen|subscribe",
    re.IGNORECASE,
)
_OF_MAIL = re.compile(
    r"(?:\be-?mail|\bmail|\bwrite|\bcontact|\bthư|\bliên hệ|\b(?:dot|chấm))\W[^@]{0,40}\Z", re.IGNORECASE
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_IP = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"
    r"|(?<![\w:])(?:[23][0-9a-f]{3}|f[de][0-9a-f]{2})(?::[0-9a-f]{1,4}){0,5}:(?::[0-9a-f]{1,4}){1,6}(?![\w:])",
    re.IGNORECASE,
)
_OF_IP = re.compile(
    r"\b(?:ipv?[46]?|address|server|host|dns|ping|địa chỉ|máy chủ)\W{0,3}(?:\w{1,4}\W{1,2})?\Z", re.IGNORECASE
)
_NUMBERED = re.compile(  # versions and headings have numbers with as many dots
    r"(?:\bv|\b(?:ver|versions?|release|build|update|upgrade|firmware|kernel|patch|sections?|sec|chapter|clause|article|"
    r"paragraph|figure|fig|table|part|step|bản|bản vá|cập nhật|mục|điều|khoản|chương|bài|phần|hình|bảng|bước)|§)"
    r"\W{0,3}\Z",
    re.IGNORECASE,
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_DIGITS = re.compile(r"(?<![\w.,+])(?:\+ ?|\()?\d(?:[ .()\u00a0\u2010-\u2013-]{0,2}\d){6,24}(?!\w|[.,]\d)")
_AMERICAN = re.compile(
    r"(?:1[ .-])?\(?(?P<area>[2-9]\d\d)(?P<first>\)?[ .\u2010-\u2013-]{1,2})[2-9]\d\d"
    r"(?P<second>[ .\u2010-\u2013-])(?P<last>\d{4})"
)
_GROUPED = re.compile(r"\d{1,3}(?:([., \u00a0])\d{3})(?:\1\d{3})*")
_DECIMAL = re.compile(r"\d+\.\d+")
_DATES = re.compile(  # one after another too: 1939-1945, 2026-11-21, 21.11.2026 - 23.11.2026, 12.30
    r"(?:(?:1\d|20)\d\d|\d{1,2})(?:[ .\u2010-\u2013-]{1,2}(?:(?:1\d|20)\d\d|\d{1,2}))*"
)
_PASSPORT = re.compile(r"\b[A-Z]\d{7,8}\b")
_OF_PASSPORT = re.compile(r"\b(?:passport|hộ chiếu)\W(?:\W?\w{1,6}\W){0,3}\Z", re.IGNORECASE)
_OF_BOOKS = re.compile(r"\b(?:isbn(?:-1[03])?|issn|ean|upc|doi|rfc|arxiv)\W{0,3}\Z", re.IGNORECASE)
_OF_CALLS = re.compile(
    r"\b(?:phone|call|tel|dial|ring|text|mobile|gọi|sđt|số|liên hệ|hotline)\W{0,3}(?:\w{1,6}\W{1,2}){0,2}\Z", re.I
)
_UNIT = re.compile(
    r"\s{0,2}(?:[%€$£¥₫°]|(?:đồng|đ|vnd|vnđ|usd|eur|đô|dollars?|euros?|pounds?|cents?|tỷ|tỉ|triệu|nghìn|ngàn|million|billion|"
    r"người|people|inhabitants|con|lượt|lần|views?|times|years?|năm|points?|điểm|votes?|phiếu|steps|bước|bytes?|bits?|hz|"
    r"m/s|km|m|cm|mm|kg|g|t|tấn|tons?|km2|m2|m3|seconds?|giây|s|ms|operations?|parameters?|tokens?|words?)(?!\w))",
    re.IGNORECASE,
)
_MONEY = re.compile(r"(?:[€$£¥₫#]|\b(?:usd|vnd|vnđ|eur))\s{0,2}\Z", re.IGNORECASE)
_TIMESTAMP = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})")
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")  # nobody's own
_BESIDE = 64  # characters before and after that may tell what something is
_STEP = 10  # from one number to the next, where somebody counts
_ROUND = "0000"  # what ends so is an amount
_PROVINCES = 96  # of the first three digits of an identity number


class _Match(Struct, frozen=True):
    """What a pattern found, and what stands beside it."""

    written: str
    before: str
    after: str
    language: str | None


def find(text: str, language: str | None = None) -> list[Found]:
    """Return what there is, in order, without overlaps. language: whose phone numbers may lack the country's code.

    >>> [one.kind for one in find("write to an.nguyen@example.org or call +84 912 345 678")]
    ['email', 'phone']
    >>> find("from 1939 to 1945, for 1.250.000 đồng, at 12:30, by version 1.2.3.4")
    []
    """
    found: list[Found] = []
    taken = bytearray(len(text))
    for pattern, kind_of in _TESTS:
        for match in pattern.finditer(text):
            begin, end = match.span()
            beside = text[max(0, begin - _BESIDE) : begin], text[end : end + _BESIDE]
            kind = kind_of(_Match(match.group(), *beside, language))
            if kind is not None and not any(taken[begin:end]):
                found.append(Found(kind, begin, end))
                taken[begin:end] = bytes([1]) * (end - begin)
    return sorted(found, key=lambda one: one.start)


def kinds(text: str, language: str | None = None) -> list[str]:
    """Return the kinds of what there is, in order."""
    return [one.kind for one in find(text, language)]


def _email(match: _Match) -> str | None:
    if "@" in match.written:
        return "email"
    who, _at, where = re.split(r"\s+(at|a còng)\s+", match.written, maxsplit=1, flags=re.IGNORECASE)
    if where.split()[0].lower() in _MAILBOXES or not who.isalpha() or _OF_MAIL.search(match.before):
        return None if _NO_MAILBOX.fullmatch(who) else "email"
    return None


def _iban(match: _Match) -> str | None:
    compact = match.written.replace(" ", "")
    moved = compact[4:] + compact[:4]
    number = int("".join(str(int(letter, 36)) for letter in moved))
    return "iban" if 15 <= len(compact) <= 34 and number % 97 == 1 else None


def _ip(match: _Match) -> str | None:
    if ":" in match.written:  # 1:2:3:4:5:6:7:8 is a ratio
        groups = match.written.lower().split(":")
        return "ip" if any(len(group) > 2 or not group.isdecimal() for group in groups if group) else None
    parts = [int(part) for part in match.written.split(".")]
    if any(part > 255 for part in parts) or ".".join(map(str, parts)) != match.written:
        return None  # 1.250.000.000 is a price
    if not 1 <= parts[0] <= 223 or parts[0] == 127 or _NUMBERED.search(match.before):
        return None  # a mask, this machine, a version
    return "ip" if max(parts) > 9 or _OF_IP.search(match.before) else None  # 1.2.3.4 is a heading


def _passport(match: _Match) -> str | None:
    return "id" if _OF_PASSPORT.search(match.before) else None


def _number(match: _Match) -> str | None:
    """Tell what a run of digits is; None where it is a price, a date, an amount, counted, or too short."""
    written = match.written
    digits = "".join(letter for letter in written if letter.isdigit())
    if _is_card(digits, written):
        return "card"
    if _is_other(digits, match):
        return None
    if written.startswith("+"):
        return "phone" if _is_international(digits, written) else None
    if _is_vietnamese(digits, match):
        return "phone"
    if _GROUPED.fullmatch(written) and not written.startswith("0"):
        return None
    if _DECIMAL.fullmatch(written) or _DATES.fullmatch(written):
        return None
    if _is_identity(digits):
        return "id"
    if _is_phone(digits, match):
        return "phone"
    return "number" if any(len(run) >= 9 for run in re.findall(r"\d+", written)) and not _is_amount(match) else None


def _is_other(digits: str, match: _Match) -> bool:
    """Tell whether it is known not to be anybody's: of a book, of an address on the web, counted, of bits, a time."""
    if _OF_BOOKS.search(match.before) or re.search(r"[^\W\d]/\Z", match.before) or re.match(r"/[^\W\d]", match.after):
        return True
    runs = [int(run) for run in re.findall(r"\d+", match.written)]
    steps = {after - before for before, after in itertools.pairwise(runs)}
    counted = len(runs) > 2 and len(steps) == 1 and abs(steps.pop()) <= _STEP
    return counted or set(digits) <= {"0", "1"} or _is_isbn(digits) or _TIMESTAMP.fullmatch(match.written) is not None


def _is_isbn(digits: str) -> bool:
    """See ISO 2108: 13 digits of which the last is a check."""
    if len(digits) != 13 or not digits.startswith(("978", "979")):
        return False
    return sum(int(one) * (3 if place % 2 else 1) for place, one in enumerate(digits)) % 10 == 0


def _is_amount(match: _Match) -> bool:
    if match.written.endswith(_ROUND) or _MONEY.search(match.before):
        return True
    return _UNIT.match(match.after) is not None


def _is_international(digits: str, written: str) -> bool:
    if _GROUPED.fullmatch(written[1:].lstrip()) and (len(digits) < 10 or digits.endswith("000")):
        return False  # +12.345.678 is a rise
    return 9 <= len(digits) <= 15


def _is_vietnamese(digits: str, match: _Match) -> bool:
    """Tell what prices and dates are written like, too: 84 912 345 678; 0 9 1 2 3 4 5 6 7 8."""
    if (match.language or "").lower().split("-")[0] != "vi" or _is_amount(match) or digits.endswith("000"):
        return False
    coded = re.fullmatch(r"84 [35789]\d\d \d{3} \d{3}", match.written)
    spelt = re.fullmatch(r"0 [35789](?: \d){8}", match.written)
    return coded is not None or spelt is not None


def _is_card(digits: str, written: str) -> bool:
    """Tell whether it may be a payment card's number, written in one run or in groups of four to six."""
    runs = [len(run) for run in re.findall(r"\d+", written)]
    grouped = len(runs) == 1 or (runs[0] == 4 and all(3 <= run <= 6 for run in runs))
    if not (13 <= len(digits) <= 19 and digits[0] in "3456" and grouped):
        return False
    doubled = (int(one) * 2 if place % 2 else int(one) for place, one in enumerate(reversed(digits)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _is_identity(digits: str) -> bool:
    return len(digits) == 12 and digits[0] == "0" and 1 <= int(digits[:3]) <= _PROVINCES


def _is_phone(digits: str, match: _Match) -> bool:
    """Tell whether it may be called: with 0 before it, with a country's code, or as North America writes it."""
    code = (match.language or "").lower().split("-")[0]
    if digits.startswith("00"):
        return 10 <= len(digits) <= 17
    if digits.startswith("0"):
        return 9 <= len(digits) <= 11
    if code == "vi" and digits.startswith("84"):
        return len(digits) in (11, 12) and not _is_amount(match)
    if (found := _AMERICAN.fullmatch(match.written)) is None or found["area"] in _TOLL_FREE:
        return False
    spaced = found["first"] == found["second"] == " " and "(" not in match.written
    if spaced and found["last"].startswith(("19", "20")):  # pages and a year
        return _OF_CALLS.search(match.before) is not None
    return found["second"] == found["first"] or found["first"] in (" ", ") ", ")")


_TESTS: tuple[tuple[re.Pattern[str], Callable[[_Match], str | None]], ...] = (
    (_EMAIL, _email),
    (_IBAN, _iban),
    (_IP, _ip),
    (_SSN, lambda _match: "id"),
    (_PASSPORT, _passport),
    (_DIGITS, _number),
)
