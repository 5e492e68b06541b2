# SPDX-License-Identifier: Apache-2.0
"""Words joined to speaker turns, then cut into utterances at the deepest pauses.

A transcript's words are given to the turn they overlap most; consecutive words of one speaker and channel
form a stretch. A stretch breaks where a pause is long, and what is still too long is cut at its longest
pause, never inside a word. Text with times but no words is one utterance as it stands. Text without
times is one utterance of the whole recording, where that is short enough to be one.
Where there is no text at all, the turns themselves become utterances without text.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
from msgspec import Struct, structs

from speechmill.core.stage import Context
from speechmill.core.timebase import on_millisecond
from speechmill.core.types import Interval, Source, Transcript, Turn, Utterance, Word

VERSION = "2"
SHORTEST_S = 0.001
GRID_S = 0.02  # DNSMOS repeats what is short, and then sees the very same frames again: a third less work


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Lengths of utterances."""

    max_s: float = 30.0  # Whisper's window; what is longer is cut at the deepest pause
    min_s: float = 1.0  # shorter pieces are joined to a neighbour of the same speaker
    break_s: float = 0.8  # a pause this long ends an utterance
    join_s: float = 2.0  # a short piece is joined across at most this much silence
    pad_s: float = 0.1  # silence kept at both ends, never into a neighbour: aligners need an onset


class Spoken(Struct, frozen=True):
    """A word with the speaker and channel it belongs to, and the blank before it: scripts such as Chinese have none."""

    word: Word
    speaker: str | None
    channel: int
    language: str | None
    blank: str


class Backend:
    """Cuts a recording into utterances."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config

    def segments(
        self, source: Source, duration: float, speech: Sequence[Interval], turns: Sequence[Turn], transcript: Transcript
    ) -> list[Utterance]:
        """Return timed utterances inside [0, duration], ordered by start then channel."""
        known = source.speaker if source.num_speakers in (None, 1) else None
        by_channel = _Turns(turns)
        found = self._from_words(transcript, by_channel)
        found += [_with_speaker(one, by_channel) for one in _placed(transcript, speech, duration)]
        if not transcript.utterances:
            found = self._from_turns(turns)
        overlaps = _overlaps(found, turns)
        found = [
            structs.replace(
                one, overlap=overlap, speaker=known or one.speaker, language=one.language or source.language
            )
            for one, overlap in zip(found, overlaps, strict=True)
        ]
        padded = self._pad(found, duration)
        return sorted(padded, key=lambda one: (one.start or 0.0, one.channel, one.speaker or ""))

    def _from_words(self, transcript: Transcript, turns: _Turns) -> list[Utterance]:
        spoken = [
            Spoken(
                word, one.speaker or turns.speaker(word.start, word.end, one.channel), one.channel, one.language, blank
            )
            for one in transcript.utterances
            for word, blank in zip(one.words, _blanks(one), strict=True)
        ]
        # Channel by channel: two microphones are recorded at once, and must not break each other's stretches.
        spoken.sort(key=lambda item: (item.channel, item.word.start))
        pieces: list[list[Spoken]] = []
        for _who, stretch in groupby(spoken, key=lambda item: (item.channel, item.speaker, item.language)):
            pieces += self._cut(list(stretch))
        return [_utterance(piece) for piece in self._join_short(pieces)]

    def _cut(self, words: list[Spoken]) -> Iterator[list[Spoken]]:
        """Cut at every long pause, and what is still too long at its longest pause."""
        begin = 0
        for i, (left, right) in enumerate(pairwise(words), start=1):
            if right.word.start - left.word.end >= self.config.break_s:
                yield from self._shorten(words[begin:i])
                begin = i
        yield from self._shorten(words[begin:])

    def _shorten(self, words: list[Spoken]) -> list[list[Spoken]]:
        short, waiting = [], [words]
        while waiting:
            piece = waiting.pop()
            if len(piece) < 2 or _length(piece) <= self.config.max_s:
                short.append(piece)
                continue
            gaps = [right.word.start - left.word.end for left, right in pairwise(piece)]
            # Of equal pauses the one nearest the middle: both halves are then likely to be short enough.
            deepest = max(range(len(gaps)), key=lambda i: (gaps[i], -abs(2 * i + 1 - len(gaps))))
            waiting += [piece[deepest + 1 :], piece[: deepest + 1]]
        return short

    def _join_short(self, pieces: list[list[Spoken]]) -> list[list[Spoken]]:
        joined: list[list[Spoken]] = []
        for piece in pieces:
            if joined and self._may_join(joined[-1], piece):
                joined[-1] = joined[-1] + piece
            else:
                joined.append(piece)
        return joined

    def _may_join(self, left: list[Spoken], right: list[Spoken]) -> bool:
        same = (left[-1].channel, left[-1].speaker, left[-1].language) == (
            right[0].channel,
            right[0].speaker,
            right[0].language,
        )
        is_short = min(_length(left), _length(right)) < self.config.min_s
        gap = right[0].word.start - left[-1].word.end
        total = right[-1].word.end - left[0].word.start
        return same and is_short and 0 <= gap <= self.config.join_s and total <= self.config.max_s

    def _from_turns(self, turns: Sequence[Turn]) -> list[Utterance]:
        pieces = []
        for turn in turns:
            count = max(1, -int(-turn.duration // self.config.max_s))
            step = turn.duration / count
            pieces += [Utterance(None, turn.start + i * step, step, turn.channel, turn.speaker) for i in range(count)]
        return pieces

    def _pad(self, found: list[Utterance], duration: float) -> list[Utterance]:
        """Widen each utterance into the silence around it, at most to the middle of a gap, and round."""
        padded = []
        ordered = sorted(found, key=lambda one: (one.channel, one.start or 0.0))
        for _channel, group in groupby(ordered, lambda one: one.channel):
            row = list(group)
            before = 0.0  # where the utterances so far end
            for i, one in enumerate(row):
                start, end = one.start or 0.0, _end(one)
                after = (row[i + 1].start or 0.0) if i + 1 < len(row) else duration
                room_left = (start - before) / 2 if i else start
                room_right = (after - end) / 2 if i + 1 < len(row) else after - end
                before = max(before, end)
                start -= max(0.0, min(self.config.pad_s, room_left))
                end += max(0.0, min(self.config.pad_s, room_right))
                end = on_millisecond(min(duration, end))
                start = on_millisecond(max(0.0, min(start, end - SHORTEST_S)))
                end = _on_grid(start, end, _end(one))
                if end > start:  # but for text of no length, which keeps a millisecond: a filter drops it, and says so
                    padded.append(structs.replace(one, start=start, duration=on_millisecond(end - start)))
        return padded


def _on_grid(start: float, end: float, spoken: float) -> float:
    """Take from the padding what makes the duration no whole number of steps; never from what is spoken."""
    grid = on_millisecond(start + math.floor((end - start) / GRID_S + 1e-6) * GRID_S)
    return grid if grid >= max(spoken, start + SHORTEST_S) else end


def _end(one: Utterance) -> float:
    return (one.start or 0.0) + (one.duration or 0.0)


def _length(words: list[Spoken]) -> float:
    return words[-1].word.end - words[0].word.start


def _blanks(one: Utterance) -> Iterator[str]:
    """Yield what stands before each word: nothing where the text has it right behind the word before."""
    text, end = one.text or "", 0
    for word in one.words:
        start = text.find(word.symbol, end)
        yield "" if end and start == end else " "
        end = start + len(word.symbol) if start >= 0 else end


def _utterance(piece: list[Spoken]) -> Utterance:
    first, last = piece[0], piece[-1]
    return Utterance(
        text="".join(item.blank + item.word.symbol for item in piece).strip(),
        start=first.word.start,
        duration=last.word.end - first.word.start,
        channel=first.channel,
        speaker=first.speaker,
        language=first.language,
        words=tuple(item.word for item in piece),
    )


def _placed(transcript: Transcript, speech: Sequence[Interval], duration: float) -> list[Utterance]:
    """Utterances without words; those without times lie on the speech of their channel, or everywhere."""
    placed = []
    for one in transcript.utterances:
        if one.words:
            continue
        if one.start is None:
            mine = [interval for interval in speech if interval.channel == one.channel]
            start = min((interval.start for interval in mine), default=0.0)
            end = max((interval.end for interval in mine), default=duration)
            one = structs.replace(one, start=start, duration=end - start)
        placed.append(one)
    return placed


def _with_speaker(one: Utterance, turns: _Turns) -> Utterance:
    return structs.replace(one, speaker=one.speaker or turns.speaker(one.start or 0.0, _end(one), one.channel))


class _Turns:
    """Turns by channel as arrays: a ten-hour recording has 90,000 words and thousands of turns."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._rows: dict[int, tuple[np.ndarray, np.ndarray, list[str]]] = {}
        for channel in {turn.channel for turn in turns}:
            mine = [turn for turn in turns if turn.channel == channel]
            starts, ends = np.array([turn.start for turn in mine]), np.array([turn.end for turn in mine])
            self._rows[channel] = (starts, ends, [turn.speaker for turn in mine])

    def speaker(self, start: float, end: float, channel: int) -> str | None:
        """The speaker whose turn covers most of it; between turns, the nearest."""
        if channel not in self._rows:
            return None
        starts, ends, speakers = self._rows[channel]
        shared = np.minimum(end, ends) - np.maximum(start, starts)  # negative: the distance
        return speakers[int(shared.argmax())]


def _simultaneous(spans: Sequence[tuple[float, float, str]]) -> list[tuple[float, float]]:
    """Stretches in which two different speakers talk. spans: (start, end, speaker)."""
    edges = sorted([(start, 1, who) for start, _end, who in spans] + [(end, -1, who) for _start, end, who in spans])
    talking: Counter[str] = Counter()
    stretches, since = [], 0.0
    for time, step, who in edges:
        if sum(count > 0 for count in talking.values()) > 1 and time > since:
            stretches.append((since, time))
        talking[who] += step
        if not talking[who]:
            del talking[who]
        since = time
    return stretches


def _overlaps(found: Sequence[Utterance], turns: Sequence[Turn]) -> list[float]:
    """Share of each utterance in which somebody else speaks, by the turns or by the transcript's own times."""
    by_turn = _simultaneous([(turn.start, turn.end, turn.speaker) for turn in turns])
    by_text = _simultaneous([(one.start or 0.0, _end(one), one.speaker) for one in found if one.speaker])
    return [max(_share(one, by_turn), _share(one, by_text)) for one in found]


def _share(one: Utterance, stretches: Sequence[tuple[float, float]]) -> float:
    if not stretches or not one.duration:
        return 0.0
    starts, ends = np.array(stretches).T
    shared = np.minimum(_end(one), ends) - np.maximum(one.start or 0.0, starts)
    return round(min(1.0, float(np.maximum(shared, 0.0).sum()) / one.duration), 4)
