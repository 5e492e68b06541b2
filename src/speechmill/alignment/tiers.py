# SPDX-License-Identifier: Apache-2.0
"""Tiers of a TextGrid or ELAN document that hold utterances, and who speaks in each.

As the Montreal Forced Aligner has it, a tier is a speaker and its name theirs. Tiers of words, phones, syllables and
confidence are none; in an ELAN document, neither are those that depend on another, unless they are asked for.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.core.types import Word
from speechmill.formats import eaf, textgrid

TEXTGRID, EAF = ".textgrid", ".eaf"
# What aligners call tiers, with the speaker before or after it.
_KIND = re.compile(
    r"(?:(?P<before>.+?)\s+-\s+)?"
    r"(?:(?P<result>words?|phones?|phonemes?|syllables?|confidence)"
    r"|(?P<text>utterances?|transcripts?|transcriptions?|sentences?|segments?|text))"
    r"(?:\s+\((?P<after>.+)\))?",
    re.IGNORECASE,
)


class UtteranceTier(Struct, frozen=True):
    """A tier of utterances. `speaker`: "" where its name tells none."""

    name: str
    speaker: str
    intervals: tuple[Word, ...]  # with their text; those without any are left out


class Found(Struct, frozen=True):
    """The tiers of utterances of a file, and the names of all its tiers of intervals."""

    chosen: tuple[UtteranceTier, ...]
    names: tuple[str, ...]


def utterance_tiers(path: Path, patterns: Sequence[str] = ()) -> Found:
    """Read the tiers of utterances of a .TextGrid or .eaf, in the file's order.

    patterns: globs of tier names; "type:GLOB" means ELAN's linguistic types. Without any, every tier whose name is
    not that of an alignment. Raises FormatError.
    """
    tiers = _eaf(path) if path.suffix.lower() == EAF else _textgrid(path)
    if patterns:
        chosen = [tier for tier in tiers if any(_matches(tier, pattern) for pattern in patterns)]
    else:
        chosen = [tier for tier in tiers if not tier.parent and not is_result(tier.name)]
    return Found(tuple(map(_utterances, chosen)), tuple(tier.name for tier in tiers))


def is_result(name: str) -> bool:
    """Tell whether a tier has the name of one that an aligner writes.

    >>> is_result("Ann - words"), is_result("Ann - utterances")
    (True, False)
    """
    match = _KIND.fullmatch(name.strip())
    return match is not None and match["result"] is not None


def _textgrid(path: Path) -> list[eaf.Tier]:
    tiers = textgrid.read(path).tiers
    return [eaf.Tier(tier.name, tier.intervals, "") for tier in tiers if isinstance(tier, textgrid.IntervalTier)]


def _eaf(path: Path) -> list[eaf.Tier]:
    return list(eaf.read(path).tiers)


def _matches(tier: eaf.Tier, pattern: str) -> bool:
    kind, _, wanted = pattern.partition(":")
    if kind == "type" and wanted:
        return fnmatch.fnmatchcase(tier.type, wanted)
    return fnmatch.fnmatchcase(tier.name, pattern)


def _utterances(tier: eaf.Tier) -> UtteranceTier:
    spoken = tuple(word for word in tier.annotations if word.symbol.strip() and word.duration > 0)
    return UtteranceTier(tier.name, tier.participant or _speaker(tier.name), spoken)


def _speaker(name: str) -> str:
    """Return whom a tier's name names.

    >>> [_speaker(name) for name in ("Ann", "Ann - utterances", "utterances", "tx@SP1")]
    ['Ann', 'Ann', '', 'SP1']
    """
    match = _KIND.fullmatch(name.strip())
    if match is not None:
        return str(match["before"] or match["after"] or "")
    return name.strip().rpartition("@")[2]
