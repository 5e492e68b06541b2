# SPDX-License-Identifier: Apache-2.0
"""The scripts that languages are written in, to notice text that can't be of a language."""

from __future__ import annotations

import functools
from typing import Any

_LATIN = (
    "af az bs ca ceb cs cy da de en es et eu fi fil fr ga gl ha hr ht hu id ig is it jv kk lb ln lt lv mg mi ms mt nb"
    " nl nn no om pl pt ro rw sk sl sn so sq st su sv sw tl tn tr uz vi wo xh yo zu"
)
_SCRIPTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_LATIN.split(), ("Latin",)),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "ky", "tg", "mn"), ("Cyrillic",)),
    **dict.fromkeys(("sr", "kk", "uz", "az"), ("Cyrillic", "Latin")),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "sd", "ug"), ("Arabic",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **dict.fromkeys(("bn", "as"), ("Bengali",)),
    **dict.fromkeys(("am", "ti"), ("Ethiopic",)),
    **dict.fromkeys(("he", "yi"), ("Hebrew",)),
    **dict.fromkeys(("zh", "yue"), ("Han", "Bopomofo")),
    "el": ("Greek",),
    "ta": ("Tamil",),
    "te": ("Telugu",),
    "kn": ("Kannada",),
    "ml": ("Malayalam",),
    "gu": ("Gujarati",),
    "pa": ("Gurmukhi", "Arabic"),
    "or": ("Oriya",),
    "si": ("Sinhala",),
    "th": ("Thai",),
    "lo": ("Lao",),
    "km": ("Khmer",),
    "my": ("Myanmar",),
    "ka": ("Georgian",),
    "hy": ("Armenian",),
    "bo": ("Tibetan",),
    "ja": ("Han", "Hiragana", "Katakana"),
    "ko": ("Hangul", "Han"),
}


def scripts(language: str | None) -> tuple[str, ...]:
    """Return the scripts of a language by Unicode's names; none where they aren't known here."""
    return _SCRIPTS.get((language or "").lower().split("-")[0], ())


@functools.cache
def _other_letters(names: tuple[str, ...]) -> Any:
    import regex

    own = "".join(rf"\p{{Script_Extensions={name}}}" for name in names)
    return regex.compile(rf"[\p{{L}}--[{own}\p{{Script=Common}}\p{{Script=Inherited}}]]", regex.V1)


def foreign_letters(text: str, language: str | None, *, latin: bool = True) -> list[str]:
    """List the letters of scripts that a language isn't written in; none where its scripts aren't known here.

    latin: Latin letters are no foreign ones in any language: names and brands are written in them.

    >>> foreign_letters("Xin chào мир", "vi")
    ['м', 'и', 'р']
    """
    names = scripts(language)
    if not names:
        return []
    found: list[str] = _other_letters((*names, "Latin") if latin else names).findall(text)
    return found
