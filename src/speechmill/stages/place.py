# SPDX-License-Identifier: Apache-2.0
"""One text for a whole long recording, found in its audio: words get times, so that segments can be cut of it.

The search needs no model, and is right to about a tenth of a second; words are aligned anew in their segments. What is
in the text and not in the audio is left out, and the transcript's warnings say so. A few words in a row that were not
found between others are kept: a search so coarse misses short ones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import groupby

from msgspec import structs

from speechmill import g2p
from speechmill.core.errors import ItemError, MissingDependency
from speechmill.core.stage import Item, Samples
from speechmill.core.timebase import tick
from speechmill.core.types import Canonical, Transcript, Utterance, Word
from speechmill.text.spoken import Spoken, spoken
from speechmill.words import choose

Span = tuple[float, float]  # start and end in seconds
LONG_S = 30.0  # a shorter recording is a segment as it is
_KEPT_IN_A_ROW = 4  # tokens that were not found between two that were
_MISSED_S = 0.3  # given to each of those at the text's ends
_LEAST = 0.3  # share of the words found; with less it is another recording's text
_NAMED = 5  # words in a warning


def placed(transcript: Transcript, item: Item, lexicon: str) -> Transcript:
    """Find texts without times in their recording. lexicon: its name; how words are pronounced.

    One that can't be found stays as it was, and the warnings say why.
    """
    canonical: Canonical = item.columns["audio"]
    channels = [one.channel for one in transcript.utterances]
    if canonical.duration <= LONG_S or len(set(channels)) < len(channels):
        return transcript
    if importlib.util.find_spec("numba") is None:
        raise MissingDependency("sidecar.place needs numba: pip install 'speechmill[align]'")
    found, warnings = list[Utterance](), list(transcript.warnings)
    for one in transcript.utterances:
        if one.text and one.start is None and not one.words:
            one, more = _placed(one, item, canonical.duration, lexicon)
            warnings += more
        found.append(one)
    return structs.replace(transcript, utterances=tuple(found), warnings=tuple(warnings))


def _placed(one: Utterance, item: Item, duration: float, lexicon: str) -> tuple[Utterance, list[str]]:
    from speechmill.acoustic._long_sound import FRAME_S
    from speechmill.acoustic.long import sketch

    language = one.language or item.source.language
    said = spoken(one.text or "", language, choose(language).split)
    asked = {word for ways in said.ways for way in ways for word in way}
    known, _missing = g2p.resolve(lexicon, language=language).lexicon(asked)

    def read(start: float, seconds: float) -> Samples:
        return item.opened().read(start, seconds, channel=one.channel)

    try:
        pieces = sketch(read, duration, said.ways, known).found.pieces
    except ItemError as error:
        return one, [f"text-not-placed: {error}"]
    spots = {spot.token: (spot.start * FRAME_S, spot.end * FRAME_S) for piece in pieces for spot in piece.spots}
    sayable = sum(map(bool, said.ways))
    if len(spots) < _LEAST * sayable:
        return one, [f"text-not-placed: {len(spots)} of {sayable} words of the text were found in the audio"]
    timed = filled([spots.get(token) for token in range(len(said.tokens))], duration)
    symbols = as_written(said)
    words = [Word(symbols[i], *_times(*time)) for i, time in enumerate(timed) if time is not None]
    start, end = words[0].start, words[-1].end
    utterance = structs.replace(one, start=start, duration=tick(end - start), words=tuple(words))
    missing = [symbols[i] for i, time in enumerate(timed) if time is None]
    return utterance, [_not_spoken(missing, len(timed))] if missing else []


def _times(start: float, end: float) -> tuple[float, float]:
    return tick(start), tick(end - start)


def _not_spoken(missing: Sequence[str], total: int) -> str:
    named = ", ".join(missing[:_NAMED]) + (" and others" if len(missing) > _NAMED else "")
    return f"text-not-spoken: {len(missing)} of {total} words of the text were not found in the audio: {named}"


def filled(found: Sequence[Span | None], duration: float) -> list[Span | None]:
    """Give the few tokens in a row that were not found what their neighbours leave; of more there is nothing."""
    made: list[Span | None] = []
    for is_found, group in groupby(enumerate(found), key=lambda pair: pair[1] is not None):
        run = [i for i, _time in group]
        if is_found or len(run) > _KEPT_IN_A_ROW:
            made += [found[i] for i in run]
            continue
        before = found[run[0] - 1] if run[0] else None
        after = found[run[-1] + 1] if run[-1] + 1 < len(found) else None
        start = before[1] if before else max(0.0, (after[0] if after else 0.0) - _MISSED_S * len(run))
        end = after[0] if after else min(duration, start + _MISSED_S * len(run))
        step = (max(start, end) - start) / len(run)
        made += [(start + i * step, start + (i + 1) * step) for i in range(len(run))]
    return made


def as_written(said: Spoken) -> list[str]:
    """Return each token with the punctuation that stands at it.

    >>> as_written(spoken('Then: "Go -- now!"'))
    ['Then:', '"Go', 'now!"']
    """
    ends = [*(token.start for token in said.tokens[1:]), len(said.text)]
    symbols, before = [], 0
    for token, limit in zip(said.tokens, ends, strict=True):
        start, end = token.start, token.end
        while end < limit and not said.text[end].isspace():
            end += 1
        while start > before and not said.text[start - 1].isspace():
            start -= 1
        symbols.append(said.text[start:end])
        before = end
    return symbols
