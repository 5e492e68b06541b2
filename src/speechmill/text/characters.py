# SPDX-License-Identifier: Apache-2.0
"""Characters as people see them: composed, clustered, folded, and spelled one way.

Unicode's NFC throughout; clusters are the extended grapheme clusters of UAX #29, by the `regex` package. Nothing
here changes what a dataset's text says: it makes two spellings of the same text comparable and readable by rule.
"""

from __future__ import annotations

import functools
import unicodedata
from itertools import product
from typing import Any

APOSTROPHES = "’‘ʼʻ´`＇‛"
QUOTES = "“”„‟«»‹›″❝❞＂"
DASHES = "‐‑‒–—―−﹘﹣－"
_SAME = (
    {ord(mark): "'" for mark in APOSTROPHES} | {ord(mark): '"' for mark in QUOTES} | {ord(mark): "-" for mark in DASHES}
)
_JOINERS = "\u200c\u200d"  # they choose letter shapes in Persian and in Indic scripts: part of the spelling
_TURKIC = frozenset({"tr", "az", "tt", "crh", "gag", "kk-latn"})
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_VOWELS = {"oa", "oe", "uy"}  # where the two styles differ: these, at the end of a syllable


def composed(text: str) -> str:
    """Put text into NFC."""
    return unicodedata.normalize("NFC", text)


@functools.cache
def _cluster() -> Any:
    import regex

    return regex.compile(r"\X")


def graphemes(text: str) -> list[str]:
    """Split text into what readers take for one character; nothing is lost.

    >>> graphemes("ẹ́kọ́")
    ['ẹ́', 'k', 'ọ́']
    """
    if text.isascii() and "\r" not in text:
        return list(text)
    found: list[str] = _cluster().findall(text)
    return found


@functools.cache
def _letters() -> Any:
    import regex

    return regex.compile(rf"[\p{{L}}\p{{M}}][\p{{L}}\p{{M}}'{_JOINERS}]*")


def letters(text: str) -> list[str]:
    """List the runs of letters with their marks and inner apostrophes.

    >>> letters("ẹ́kọ́ n'est-ce m²")
    ['ẹ́kọ́', "n'est", 'ce', 'm']
    """
    found: list[str] = _letters().findall(text)
    return [run for run in (one.rstrip("'") for one in found) if run]


def folded(text: str, language: str | None = None) -> str:
    """Fold case as the language does, in NFC: a Turkish I is a dotless ı.

    >>> folded("ISPARTA", "tr"), folded("ISPARTA", "en")
    ('ısparta', 'isparta')
    """
    if is_turkic(language):
        text = text.replace("I\u0307", "i").replace("İ", "i").replace("I", "ı")
    # Folding may take characters apart (ΐ), so they are composed again.
    return composed(composed(text).casefold())


def is_turkic(language: str | None) -> bool:
    """Tell whether a language pairs I with ı, and İ with i."""
    code = (language or "").lower()
    return code in _TURKIC or code.split("-")[0] in _TURKIC


def plain(text: str) -> str:
    """Spell one way what is read one way; for rules, not for show.

    NFC; every apostrophe is ', every quotation mark ", every dash -; digits of any script and full-width letters are
    ASCII; white space is one blank. Format characters (soft hyphens, zero-width spaces, marks of direction) are gone,
    but for the joiners that choose letter shapes.

    >>> plain("Don’t pay ４２ – or ٤٢!")
    "Don't pay 42 - or 42!"
    """
    return " ".join("".join(_plain(character) for character in composed(text)).split())


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _JOINERS:
        return character
    if ord(character) in _SAME:
        return _SAME[ord(character)]
    if "\u2160" <= character <= "\u217f":  # Roman numerals as characters of their own
        return unicodedata.normalize("NFKC", character).upper()
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if "\uff01" <= character <= "\uff5e":  # the full-width forms of ! to ~, in the same order
        return chr(ord(character) - 0xFEE0)
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else character


@functools.cache
def _tone_styles() -> dict[str, str]:
    """Map the newer way to place a tone to the older, both composed: hoà -> hòa."""
    styles = {}
    for vowels, tone in product(sorted(_VOWELS), _TONES):
        for first, second in product(*((letter, letter.upper()) for letter in vowels)):
            styles[composed(first + second + tone)] = composed(first + tone + second)
    return styles


@functools.cache
def _new_style() -> Any:
    import regex

    # A consonant after the vowels puts the tone on the second in both styles; in "quý" the u belongs to the q.
    return regex.compile(rf"(?<![qQ])({'|'.join(sorted(_tone_styles()))})(?![\p{{L}}\p{{M}}])")


def tones_placed(text: str) -> str:
    """Place Vietnamese tones the older way, which most text has: hoà, khoẻ, thuỷ become hòa, khỏe, thủy.

    >>> tones_placed("Hoà khoẻ, quý ông hoàn toàn thuỷ chung")
    'Hòa khỏe, quý ông hoàn toàn thủy chung'
    """
    styles = _tone_styles()
    placed: str = _new_style().sub(lambda match: styles[match[1]], composed(text))
    return placed
