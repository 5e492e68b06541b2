# SPDX-License-Identifier: Apache-2.0
"""Alignment of hours of audio with one text, which need not be all that is said, nor be said as a whole.

A coarse search over the whole text finds where each word is, and which are missing (`sketch`). The recording is then
cut at pauses into pieces of some seconds, and an `Aligner` times each. A word that its audio doesn't bear out is tried
against any speech; where that takes no time at all, the word isn't there. `bootstrap` trains a model on nothing but the
recording and its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from msgspec import Struct

from speechmill.acoustic import _long_pieces, _long_search
from speechmill.acoustic._long_pieces import Piece, Spot, parts
from speechmill.acoustic._long_search import Coarse, Prices
from speechmill.acoustic._long_sound import FRAME_S, Read, frames
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.model import AcousticModel
from speechmill.acoustic.train import Options, train
from speechmill.acoustic.types import Aligned, Example, Ways
from speechmill.core.errors import Unalignable
from speechmill.core.stage import Samples
from speechmill.core.timebase import shift, tick
from speechmill.core.types import Interval, Word
from speechmill.formats.lexicon import Lexicon

Report = Callable[[str, float], None]  # what is being done, and how much of it is: 0..1

_ELSE = ""  # a word that no lexicon has: any speech
_SURE = 0.5  # score from which on a word is not tried against any speech
_SQUEEZED = 0.6  # of a word's usual length: found where there is less room, it is doubted
_VANISHED = 0.4  # of a word's usual length: any speech that lasts less is none
_TRAINING = Options(max_hours=0.35)  # more of the same recording moves no boundary and costs time
_BEST = 0.8  # share of a recording's pieces that a model is trained on: the others fit worst
_SHORTEST_S = 0.4  # to train on
_AHEAD = 32  # pieces that may wait to be collected


class LongAligned(Struct, frozen=True):
    """When the words of a long recording's text are said, in seconds from its start."""

    words: tuple[tuple[Word, ...] | None, ...]  # of each token; None: not spoken; none: nobody knows how it is said
    phones: tuple[tuple[tuple[Word, ...], ...], ...]  # of each token's words
    chosen: tuple[int, ...]  # index of the way each token was said
    score: float  # 0..1, of the words that are spoken
    outside: tuple[Interval, ...]  # speech that is no word of the text
    warnings: tuple[str, ...]


class _Token(Struct, frozen=True):
    """A token in time."""

    words: tuple[Word, ...]
    phones: tuple[tuple[Word, ...], ...]
    way: int


class Sketch(Struct, frozen=True):
    """Where the tokens of a text are, to about a tenth of a second."""

    coarse: Coarse
    found: _long_pieces.Found


def sketch(read: Read, duration: float, ways: Ways, lexicon: Lexicon, prices: Prices | None = None) -> Sketch:
    """Find a text in a recording, without a model. read: (start, duration) in seconds -> 16 kHz samples.

    Raises Unalignable: no-text, audio-too-short; AudioError as `read` and `acoustic.features` do.
    """
    if not any(ways):
        raise Unalignable("no-text", "the text has no word that can be said")
    features = frames(read, duration)
    if not len(features):
        raise Unalignable("audio-too-short", f"{duration:.3f} s are less than a frame of {FRAME_S} s")
    coarse = _long_search.search(features, _long_search.line_of(ways, lexicon), prices or Prices())
    return Sketch(coarse, _long_pieces.found(coarse, ways))


def bootstrap(
    read: Read,
    duration: float,
    ways: Ways,
    lexicon: Lexicon,
    *,
    sketched: Sketch | None = None,
    options: Options = _TRAINING,
    report: Report | None = None,
    threads: int = 0,
) -> AcousticModel:
    """Train a model on a recording and its text, on the pieces that fit best.

    Raises as `sketch`; TrainingError where nothing could be found.
    """
    where = sketched or sketch(read, duration, ways, lexicon)
    return train(_examples(read, where, ways), lexicon, options, report=report, threads=threads)


def _examples(read: Read, where: Sketch, ways: Ways) -> list[Example]:
    """Return what fits best, in order, cut at every pause: in training, pauses are found worst at first."""
    pieces = [part for piece in where.found.pieces for part in parts(piece)]
    pieces = [piece for piece in pieces if piece.end - piece.start >= _SHORTEST_S] or pieces
    fits = [_fit(where.coarse, piece) for piece in pieces]
    least = float(np.quantile(fits, 1 - _BEST)) if fits else 0.0
    return [
        Example(
            key=f"{piece.start:010.3f}",
            duration=piece.end - piece.start,
            read=_reader(read, piece),
            ways=tuple(ways[spot.token] for spot in piece.spots),
        )
        for piece, fit in zip(pieces, fits, strict=True)
        if fit >= least
    ]


def _fit(coarse: Coarse, piece: Piece) -> float:
    start, end = piece.spots[0].start, piece.spots[-1].end
    spoken = coarse.line.word[coarse.path[start:end]] >= 0
    return float(coarse.fit[start:end][spoken].mean())


def _reader(read: Read, piece: Piece) -> Callable[[], Samples]:
    return lambda: read(piece.start, piece.end - piece.start)


def align_long(
    aligner: Aligner,
    read: Read,
    duration: float,
    ways: Ways,
    *,
    sketched: Sketch | None = None,
    report: Report | None = None,
    threads: int = 1,
) -> LongAligned:
    """Time every word of a text in a recording, or say that it isn't spoken.

    read: (start, duration) in seconds -> 16 kHz samples; called from as many threads as given. Raises as `sketch`.
    """
    say = report or (lambda stage, share: None)
    say("searching", 0.0)
    where = sketched or sketch(read, duration, ways, aligner.lexicon)
    pieces = where.found.pieces
    tokens: dict[int, _Token] = {}
    warnings: list[str] = []
    work = _Work(aligner, read, ways, where)
    for number, (timed, remarks) in enumerate(_each(work, pieces, threads)):
        say("aligning", number / len(pieces))
        tokens.update(timed)
        warnings += remarks
    return _together(ways, tokens, where.found.outside, warnings)


def _each(work: _Work, pieces: Sequence[Piece], threads: int) -> Iterator[tuple[dict[int, _Token], list[str]]]:
    """Yield what was found in each piece, in order, with few of them in memory."""
    if threads == 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(threads or None) as pool:
        for start in range(0, len(pieces), _AHEAD):
            yield from pool.map(work, pieces[start : start + _AHEAD])


class _Work:
    """Aligns pieces. May be used by several threads at once."""

    def __init__(self, aligner: Aligner, read: Read, ways: Ways, where: Sketch) -> None:
        self._aligner = aligner
        self._read = read
        self._ways = ways
        self._where = where

    def __call__(self, piece: Piece) -> tuple[dict[int, _Token], list[str]]:
        """Return the tokens that are spoken in a piece, and what there is to say about it."""
        samples = self._read(piece.start, piece.end - piece.start)
        tokens = sorted({spot.token for spot in piece.spots} | piece.doubtful)
        try:
            return self._timed(piece, samples, tokens)
        except Unalignable as error:
            reason = str(error)
        return self._coarse(piece), [f"coarse-times: {_place(piece)}: {reason}"]

    def _timed(self, piece: Piece, samples: Samples, tokens: list[int]) -> tuple[dict[int, _Token], list[str]]:
        first = self._align(samples, piece, tokens, piece.doubtful)
        doubtful = piece.doubtful | {
            spot.token for spot in piece.spots if _score(first[spot.token]) < _SURE and self._short(spot)
        }
        if not doubtful:
            return self._moved(first, piece), []
        tried = self._align(samples, piece, tokens, doubtful)
        spoken = [token for token in tokens if not self._vanished(token, tried[token])]
        if not spoken:
            return {}, []
        return self._moved(self._align(samples, piece, spoken, set()), piece), []

    def _align(self, samples: Samples, piece: Piece, tokens: list[int], doubtful: set[int]) -> dict[int, _Token]:
        """Align a piece. A doubtful token may be any speech instead: that is its last way."""
        heard: list[int | None] = []
        ways: list[tuple[tuple[str, ...], ...]] = []
        for token in tokens:
            if token in piece.outside:
                heard.append(None)
                ways.append(((_ELSE,),))
            heard.append(token)
            ways.append((*self._ways[token], (_ELSE,)) if token in doubtful else self._ways[token])
        aligned = self._aligner.align(samples, tuple(ways))
        return {token: one for token, one in zip(heard, _by_token(aligned, ways), strict=True) if token is not None}

    def _short(self, spot: Spot) -> bool:
        return (spot.end - spot.start) * FRAME_S < _SQUEEZED * self._usual_s(spot.token)

    def _vanished(self, token: int, one: _Token) -> bool:
        """Tell whether a token gave way to any speech, and that to next to nothing."""
        lasts = sum(word.duration for word in one.words)
        return one.way == len(self._ways[token]) and lasts < _VANISHED * self._usual_s(token)

    def _usual_s(self, token: int) -> float:
        """Return how long a token would last, said as fast as the others."""
        phones = sum(len(self._phones(word)) for word in self._ways[token][0])
        return phones * self._where.found.phone_s

    def _phones(self, word: str) -> Sequence[str]:
        variants = self._aligner.lexicon.entries.get(word)
        return variants[0].phones if variants else word

    def _moved(self, found: dict[int, _Token], piece: Piece) -> dict[int, _Token]:
        return {token: _moved(one, piece.start) for token, one in found.items()}

    def _coarse(self, piece: Piece) -> dict[int, _Token]:
        """Return what the search knows: a token's time, shared by its words."""
        found = {}
        for spot in piece.spots:
            way = self._ways[spot.token][0]
            step = (spot.end - spot.start) * FRAME_S / len(way)
            start = spot.start * FRAME_S
            words = tuple(Word(word, tick(start + i * step), tick(step), 0.0) for i, word in enumerate(way))
            found[spot.token] = _Token(words, ((),) * len(words), 0)
        return found


def _by_token(aligned: Aligned, ways: Sequence[tuple[tuple[str, ...], ...]]) -> Iterator[_Token]:
    begin = 0
    for choices, way in zip(ways, aligned.chosen, strict=True):
        end = begin + len(choices[way])
        yield _Token(aligned.words[begin:end], aligned.phones[begin:end], way)
        begin = end


def _score(one: _Token) -> float:
    return min((word.score or 0.0 for word in one.words), default=1.0)


def _moved(one: _Token, offset: float) -> _Token:
    words = tuple(shift(word, offset) for word in one.words)
    return _Token(words, tuple(tuple(shift(phone, offset) for phone in own) for own in one.phones), one.way)


def _place(piece: Piece) -> str:
    return f"{piece.start:.1f} s to {piece.end:.1f} s"


def _together(
    ways: Ways, tokens: dict[int, _Token], outside: Sequence[Interval], warnings: Sequence[str]
) -> LongAligned:
    known = [tokens.get(token) for token in range(len(ways))]
    words = tuple(one.words if one else None if choices else () for one, choices in zip(known, ways, strict=True))
    scored = [(word.score or 0.0, word.duration) for one in known if one for word in one.words]
    lasts = sum(duration for _, duration in scored)
    score = sum(score * duration for score, duration in scored) / lasts if lasts else 0.0
    remarks = [
        *(f"not-spoken: {_run(ways, run)}" for run in _missing(words)),
        *(f"speech-outside-words: {one.duration:.2f} s of speech at {one.start:.2f} s" for one in outside),
        *warnings,
    ]
    return LongAligned(
        words,
        tuple(one.phones if one else () for one in known),
        tuple(one.way if one else 0 for one in known),
        round(score, 4),
        tuple(outside),
        tuple(remarks),
    )


def _missing(words: Sequence[tuple[Word, ...] | None]) -> Iterator[range]:
    """Yield runs of tokens that are not spoken."""
    start = None
    for token, one in enumerate([*words, ()]):
        if one is None and start is None:
            start = token
        if one is not None and start is not None:
            yield range(start, token)
            start = None


def _run(ways: Ways, run: range) -> str:
    names = [" ".join(ways[token][0]) for token in run if ways[token]]
    shown = " ".join(names) if len(names) <= 6 else f"{' '.join(names[:3])} ... {' '.join(names[-3:])}"
    return f"{shown} ({len(run)} tokens from token {run.start} on)"
