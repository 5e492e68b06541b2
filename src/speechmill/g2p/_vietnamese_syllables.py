# SPDX-License-Identifier: Apache-2.0
"""The spelling of a Vietnamese syllable, taken apart: onset, glide, nucleus, coda, tone.

The parts are named by letters, not sounds, and keep every contrast that some dialect makes (d, gi and r; ch and tr).
`RIMES` is what counts as regular: the rimes that the language has, as Thompson (A Vietnamese Reference Grammar, 1965)
lists them. What is spelled otherwise is a loan, a name or an abbreviation, and none of it is guessed at here.
"""

from __future__ import annotations

import re
import unicodedata

from msgspec import Struct

STOPS = frozenset({"p", "t", "c", "ch"})
# By nucleus: the codas that follow it. "-" is none; i, y, o and u are the glides at the end.
RIMES = {
    "a": "- i o u y m n ng nh p t c ch", "ă": "m n ng p t c", "â": "u y m n ng p t c",
    "e": "- o m n ng p t c", "ê": "- u m n nh p t ch", "i": "- u m n nh p t ch", "y": "- u n nh p t ch",
    "o": "- i m n ng p t c", "ô": "- i m n ng p t c", "ơ": "- i m n p t", "u": "- i m n ng p t c",
    "ư": "- i u m n ng t c", "ia": "-", "iê": "u m n ng p t c", "ya": "-", "yê": "u m n ng t",
    "ua": "-", "uơ": "-", "uô": "i m n ng p t c", "ưa": "-", "ươ": "i u m n ng p t c", "oo": "ng c", "ôô": "ng c",
}  # fmt: skip
# What may follow a glide, which is spelled u after q, o before a, ă and e, else u.
GLIDED = {
    "a": "- i o y m n ng nh p t c ch", "ă": "m n ng t c", "â": "y n ng t", "e": "- o m n t", "ê": "- u n nh t ch",
    "y": "- u n nh p t ch", "ya": "-", "yê": "n t",
}  # fmt: skip
AFTER_Q = {**GLIDED, "i": "- t", "ô": "c", "ơ": "-", "ă": "m n ng p t c", "â": "y n ng t c", "e": "- o m n ng t c"}
_TONES = {"\u0300": "huyền", "\u0301": "sắc", "\u0309": "hỏi", "\u0303": "ngã", "\u0323": "nặng"}
_ONSET = re.compile("ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdđghklmnprstvx]|")
_GLIDE = re.compile("o(?=[aăe])|u(?=[âêy])")
_RIME = re.compile("([iy]ê|[iy]a|u[ôaơ]|ươ|ưa|oo|ôô|[aăâeêioôơuưy])(ng|nh|ch|[iyoumnptc])?")
_FRONT = "ieêy"
# k may stand before any vowel in names (Bắc Kạn); c, g and ng before a front one only in loans (gen).
_NEVER_BEFORE_FRONT = frozenset({"c", "g", "ng"})
_ONLY_BEFORE_FRONT = frozenset({"gh", "ngh"})
_SAME_ONSET = {"gh": "g", "ngh": "ng", "c": "k", "qu": "k"}
_GLIDES_AT_THE_END = {"i": "y", "o": "w", "u": "w"}
_SAME_NUCLEUS = {"y": "i", "ia": "iê", "ya": "iê", "yê": "iê", "ua": "uô", "uơ": "uô", "ưa": "ươ"}


class Syllable(Struct, frozen=True):
    """A syllable's parts in letters, each spelled one way: k for c and qu, iê for ia, y and w for glides at the end."""

    onset: str
    glide: bool
    nucleus: str
    coda: str
    tone: str  # ngang, huyền, sắc, hỏi, ngã or nặng


def parse(word: str) -> Syllable | None:
    """Take a syllable apart, wherever its tone is placed; None where it is no regular one.

    >>> parse("chuyện")
    Syllable(onset='ch', glide=True, nucleus='iê', coda='n', tone='nặng')
    >>> parse("pizza")
    """
    letters, tones = _untoned(word)
    onset = _ONSET.match(letters)
    if onset is None or len(tones) > 1:
        return None
    found = _rime(onset[0], letters[onset.end() :])
    if found is None:
        return None
    glide, nucleus, coda = found
    if nucleus == "a" and coda in ("u", "y"):
        nucleus = "ă"  # tay and tau have the short vowel of tăm, tai and tao the long one of tam
    tone = tones[0] if tones else "ngang"
    if coda in STOPS and tone not in ("sắc", "nặng"):
        return None
    parts = (_SAME_NUCLEUS.get(nucleus, nucleus), _GLIDES_AT_THE_END.get(coda, coda))
    return Syllable(_SAME_ONSET.get(onset[0], onset[0]), glide, *parts, tone)


def _untoned(word: str) -> tuple[str, list[str]]:
    marks = unicodedata.normalize("NFD", word.lower())
    letters = "".join(mark for mark in marks if mark not in _TONES)
    return unicodedata.normalize("NFC", letters), [_TONES[mark] for mark in marks if mark in _TONES]


def _rime(onset: str, rest: str) -> tuple[bool, str, str] | None:
    """Part a rime into glide, nucleus and coda; None where the language has no such rime after such an onset."""
    if onset == "gi" and (not rest or rest in ("m", "n", "p", "t") or re.match("ê.", rest)):
        rest = "i" + rest  # gì, gìn, giếng: one i, written once
    if not _spelled_so(onset, rest):
        return None
    after_q = onset == "qu"
    glide = None if after_q else _GLIDE.match(rest)
    match = _RIME.fullmatch(rest, glide.end() if glide else 0)
    table = AFTER_Q if after_q else GLIDED if glide else RIMES
    if match is None or (match[2] or "-") not in table.get(match[1], "").split():
        return None
    return after_q or glide is not None, match[1], match[2] or ""


def _spelled_so(onset: str, rest: str) -> bool:
    front = rest[:1] in _FRONT
    return not (front and onset in _NEVER_BEFORE_FRONT) and not (not front and onset in _ONLY_BEFORE_FRONT)
