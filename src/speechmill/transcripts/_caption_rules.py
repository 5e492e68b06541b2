# SPDX-License-Identifier: Apache-2.0
"""Rules that leave captions out, clean them and join them, as KT-Speech-Crawler has them.

Lakomkin et al., "KT-Speech-Crawler: Automatic Dataset Construction for Speech Recognition from YouTube Videos", EMNLP
2018, and its code. Captions come in order of time and leave in order of time; nothing here reads a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from speechmill.core.timebase import tick
from speechmill.core.types import Utterance
from speechmill.text.scripts import foreign_letters
from speechmill.text.tokens import Split, tokens

_MUSIC = re.compile("[♩♪♫♬♭♯🎵🎶]")
_BRACKETED = re.compile(r"\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|\*[^*]+\*")
_LABEL = re.compile(
    r"(?:(?<=^)|(?<=[.!?…\"”]\s)|(?<=-\s))"  # where somebody begins to speak
    r"(?:(?:Mr|Mrs|Ms|Dr|Prof)\. )?[^\W\d_][\w'’-]*(?: [\w#][\w'’-]*){0,3}\s?[:：](?=\s|$)\s*"
)
_CHANGE = re.compile(r"^(?:>>+|[-–—‐])\s*|(?<=[.!?…])\s+(?:>>+|[-–—‐])\s*")  # two speakers in one caption

Rule = Callable[[Utterance], bool]  # tells whether to keep


def overlapping(cues: Sequence[Utterance], slack_s: float) -> set[int]:
    """Return the indices of captions that share more than `slack_s` seconds with another."""
    found: set[int] = set()
    latest = -1  # of those so far, the one that ends last
    for i, cue in enumerate(cues):
        if latest >= 0 and _end(cues[latest]) - _start(cue) > slack_s:
            found |= {i, latest}
        if latest < 0 or _end(cue) > _end(cues[latest]):
            latest = i
    return found


def has_music(cue: Utterance) -> bool:
    return _MUSIC.search(cue.text or "") is not None


def has_noise(cue: Utterance) -> bool:
    """Tell whether something stands in brackets or between asterisks: [laughs], (applause), *sighs*."""
    return _BRACKETED.search(cue.text or "") is not None


def without_noise(cue: Utterance) -> Utterance:
    return _retold(cue, _BRACKETED.sub(" ", cue.text or ""))


def without_labels(cue: Utterance) -> Utterance:
    """Take speakers' names and marks off the text: "ANNA: Yes.", ">> Bob: No.", "- Who?"."""
    return _retold(cue, _LABEL.sub(_unless_ordinary, _CHANGE.sub(" ", cue.text or "").strip()))


def _unless_ordinary(label: re.Match[str]) -> str:
    """Keep what is no name: a word of it begins with a small letter."""
    return label[0] if any(word[0].islower() for word in label[0].split()) else ""


def is_foreign(cue: Utterance, language: str | None) -> bool:
    return bool(foreign_letters(cue.text or "", cue.language or language))


def num_words(cue: Utterance, split: Split) -> int:
    return len(tokens(cue.text or "", split))


def _retold(cue: Utterance, text: str) -> Utterance:
    """Give a caption another text; words with times that are no longer its words go."""
    text = " ".join(text.split())
    return cue if text == cue.text else replace(cue, text=text, words=())


def merged(cues: Iterable[Utterance], gap_s: float, max_s: float) -> list[Utterance]:
    """Join captions of one speaker that follow within `gap_s`, as long as they last less than `max_s` together."""
    joined: list[Utterance] = []
    for cue in cues:
        if joined and _may_join(joined[-1], cue, gap_s, max_s):
            joined[-1] = _joined(joined[-1], cue)
        else:
            joined.append(cue)
    return joined


def _may_join(left: Utterance, right: Utterance, gap_s: float, max_s: float) -> bool:
    same = (left.speaker, left.channel, left.language) == (right.speaker, right.channel, right.language)
    gap, total = tick(_start(right) - _end(left)), tick(_end(right) - _start(left))
    return same and gap < gap_s and total < max_s


def _joined(left: Utterance, right: Utterance) -> Utterance:
    end = max(_end(left), _end(right))
    words = (*left.words, *right.words) if left.words and right.words else ()
    return replace(left, text=f"{left.text} {right.text}", duration=tick(end - _start(left)), words=words)


def _start(cue: Utterance) -> float:
    return cue.start or 0.0


def _end(cue: Utterance) -> float:
    return (cue.start or 0.0) + (cue.duration or 0.0)
