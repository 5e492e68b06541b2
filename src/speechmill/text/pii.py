# SPDX-License-Identifier: Apache-2.0
"""Finds what tells who somebody is, where a text writes it in digits or signs: addresses, numbers, accounts.

Patterns only: e-mail and IP addresses, phone numbers, payment cards (Luhn: ISO/IEC 7812-1), IBAN (mod 97: ISO 13616),
US social security numbers, Vietnamese identity numbers (12 digits, of which the first three are a province's, 2021; 9
digits before), and other runs of nine digits and more. Names, and numbers said as words, are not found. Years, prices,
dates and times are no such thing. Every pattern is bounded: time is linear in the text's length.
"""

from __future__ import annotations

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
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_IP = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])",
    re.IGNORECASE,
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_DIGITS = re.compile(r"(?<![\w.,+])(?:\+ ?|\()?\d(?:[ .()\u00a0\u2010-\u2013-]{0,2}\d){6,24}(?!\w|[.,]\d)")
_AMERICAN = re.compile(r"(?:1[ .-])?\(?[2-9]\d\d\)?[ .\u2010-\u2013-]{1,2}[2-9]\d\d[ .\u2010-\u2013-]\d{4}")
_GROUPED = re.compile(r"\d{1,3}(?:([., \u00a0])\d{3})(?:\1\d{3})*")
_DECIMAL = re.compile(r"\d+\.\d+")
_DATES = re.compile(  # one after another too: 1939-1945, 2026-11-21, 21.11.2026 - 23.11.2026, 12.30
    r"(?:(?:1\d|20)\d\d|\d{1,2})(?:[ .\u2010-\u2013-]{1,2}(?:(?:1\d|20)\d\d|\d{1,2}))*"
)
_PROVINCES = 96  # of the first three digits of an identity number


def find(text: str, language: str | None = None) -> list[Found]:
    """Return what there is, in order, without overlaps. language: whose phone numbers may lack the country's code.

    >>> [one.kind for one in find("write to an.nguyen@example.org or call +84 912 345 678")]
    ['email', 'phone']
    >>> find("from 1939 to 1945, for 1.250.000 đồng, at 12:30")
    []
    """
    found: list[Found] = []
    taken = bytearray(len(text))
    for pattern, kind_of in _TESTS:
        for match in pattern.finditer(text):
            kind = kind_of(match.group(), language)
            if kind is not None and not any(taken[match.start() : match.end()]):
                found.append(Found(kind, match.start(), match.end()))
                taken[match.start() : match.end()] = bytes([1]) * len(match.group())
    return sorted(found, key=lambda one: one.start)


def kinds(text: str, language: str | None = None) -> list[str]:
    """Return the kinds of what there is, in order."""
    return [one.kind for one in find(text, language)]


def _iban(written: str, _language: str | None) -> str | None:
    compact = written.replace(" ", "")
    moved = compact[4:] + compact[:4]
    number = int("".join(str(int(letter, 36)) for letter in moved))
    return "iban" if 15 <= len(compact) <= 34 and number % 97 == 1 else None


def _ip(written: str, _language: str | None) -> str | None:
    if ":" in written:
        return "ip"
    parts = written.split(".")  # 1.250.000.000 is a price
    return "ip" if all(int(part) <= 255 and str(int(part)) == part for part in parts) else None


def _number(written: str, language: str | None) -> str | None:
    """Tell what a run of digits is; None where it is a price, a date or too short."""
    digits = "".join(letter for letter in written if letter.isdigit())
    if _is_card(digits, written):
        return "card"
    if written.startswith("+") and 8 <= len(digits) <= 15:
        return "phone"
    if _GROUPED.fullmatch(written) and not written.startswith("0"):
        return None
    if _DECIMAL.fullmatch(written) or _DATES.fullmatch(written):
        return None
    if _is_identity(digits):
        return "id"
    if _is_phone(digits, written, language):
        return "phone"
    return "number" if any(len(run) >= 9 for run in re.findall(r"\d+", written)) else None


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


def _is_phone(digits: str, written: str, language: str | None) -> bool:
    """Tell whether it may be called: with 0 before it, with a country's code, or as North America writes it."""
    code = (language or "").lower().split("-")[0]
    if digits.startswith("00"):
        return 10 <= len(digits) <= 17
    if digits.startswith("0"):
        return 9 <= len(digits) <= 11
    if code == "vi" and digits.startswith("84"):
        return len(digits) in (11, 12)
    american = re.fullmatch(
        r"(?:1[ .-])?\(?[2-9]\d\d\)?[ .\u2010-\u2013-]{1,2}[2-9]\d\d[ .\u2010-\u2013-]\d{4}", written
    )
    return american is not None


_TESTS: tuple[tuple[re.Pattern[str], Callable[[str, str | None], str | None]], ...] = (
    (_EMAIL, lambda _written, _language: "email"),
    (_IBAN, _iban),
    (_IP, _ip),
    (_SSN, lambda _written, _language: "id"),
    (_DIGITS, _number),
)
