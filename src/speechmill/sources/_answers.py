# SPDX-License-Identifier: Apache-2.0
"""Careful reading of what platforms answer: fields may be absent, of another type, too long, or hostile.

Every function takes anything and returns a value of its type, or None (or nothing) where there is none.
"""

from __future__ import annotations

import datetime
import email.utils
import html
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MAX_CHARS = 2_000  # of a title, a name; longer ones are cut
# Marks that turn the direction of what follows on a screen or in a table. Not those that letters of one word need.
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
MAX_ENTRIES = 100_000  # of a list in one answer; more than 16 MiB, the most that is read, hold of anything real
_YEAR_S = 365 * 86_400.0  # no recording is longer


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list."""
    return [entry for entry in value[:MAX_ENTRIES] if isinstance(entry, dict)] if isinstance(value, list) else []


def text(value: Any) -> str | None:
    r"""Return one line without control characters or changes of direction; None for what is empty or not text.

    >>> text("  Ann\n Nguyen\x00 "), text("\u202egpj.exe"), text(7), text(" ")
    ('Ann Nguyen', 'gpj.exe', None, None)
    """
    if not isinstance(value, str):
        return None
    straight = value[: 4 * MAX_CHARS].translate(_TURNS)
    kept = (" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in straight)
    return " ".join("".join(kept).split())[:MAX_CHARS] or None


def texts(value: Any) -> list[str]:
    """Return the texts of a list, or of a single one.

    >>> texts(["a", None, 3]), texts("b")
    (['a'], ['b'])
    """
    values = value[:MAX_ENTRIES] if isinstance(value, list) else [value]
    return [found for found in map(text, values) if found is not None]


def plain(value: Any) -> str | None:
    """Return a text without its markup.

    >>> plain('<a href="//x">Ann &amp; Bob</a>')
    'Ann & Bob'
    """
    if not isinstance(value, str):
        return None
    return text(html.unescape(re.sub(r"<[^<>]*>", " ", value[: 8 * MAX_CHARS])))


def number(value: Any) -> float | None:
    """Return a finite number from 0, also of digits in a text.

    >>> number("12.5"), number(3), number(-1), number(True), number("nan"), number("much")
    (12.5, 3.0, None, None, None, None)
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}(?:\.\d{1,15})?", value.strip(), re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e15 and math.isfinite(value) else None


def whole(value: Any) -> int | None:
    """Return a whole number from 0."""
    found = number(value)
    return None if found is None else int(found)


def seconds(value: Any) -> float | None:
    """Return a duration: a number of seconds, "1:02:03", "62:03", "PT1H2M3S", "1h 2m 3s"; None for none and for 0.

    >>> seconds("1:02:03"), seconds("62:03.5"), seconds("3723"), seconds("PT1H2M3S"), seconds("45 min"), seconds("0")
    (3723.0, 3723.5, 3723.0, 3723.0, 2700.0, None)
    """
    found = number(value)
    if found is None and isinstance(value, str) and len(value) < 40:
        found = _clock(value.strip()) or _units(value.strip().lower())
    return found if found and found < _YEAR_S else None


def _clock(written: str) -> float | None:
    if not re.fullmatch(r"\d{0,6}:\d{1,4}(?::\d{1,2})?(?:[.,]\d{1,6})?", written, re.ASCII):
        return None
    total = 0.0
    for part in written.replace(",", ".").split(":"):
        total = total * 60 + float(part or 0)
    return total


def _units(written: str) -> float | None:
    match = re.fullmatch(
        r"(?:pt)?\s*(?:(\d{1,4})\s*h(?:ours?|rs?)?)?[\s,]*(?:(\d{1,6})\s*m(?:in(?:ute)?s?)?)?\.?[\s,]*"
        r"(?:(\d{1,8}(?:\.\d{1,6})?)\s*s(?:ec(?:ond)?s?)?)?\.?",
        written,
        re.ASCII,
    )
    if match is None:
        return None
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def date(value: Any) -> str | None:
    """Return an ISO date of an ISO or an RFC 822 date; with a time zone, the day in UTC.

    >>> date("Wed, 02 Oct 2002 23:00:00 -0300"), date("2024-05-01T10:00:00Z"), date("2024"), date("soon")
    ('2002-10-03', '2024-05-01', None, None)
    """
    written = text(value)
    if written is None or len(written) > 64:
        return None
    when = _iso(written) or _mail_date(written) or _mail_date(f"{written} 00:00:00")
    if when is None or when.year < 1900:
        return None
    return (when.astimezone(datetime.UTC) if when.tzinfo else when).date().isoformat()


def _iso(written: str) -> datetime.datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", written):
        return None
    try:
        return datetime.datetime.fromisoformat(written)
    except ValueError:
        return None  # told by the caller as a missing date


def _mail_date(written: str) -> datetime.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(written)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # told by the caller as a missing date
