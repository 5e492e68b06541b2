# SPDX-License-Identifier: Apache-2.0
"""alignment.json: what came of every utterance, how sure it is, and what could not be used and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill.alignment.corpus import Corpus, Problem
from speechmill.alignment.lexica import Prepared
from speechmill.alignment.result import AlignedRecording, Outcome, least_certain
from speechmill.core import files

NAME = "alignment.json"
_LEAST = 100  # least certain words that are kept
_MOST_OOV = 1000


class Line(Struct, frozen=True):
    """One utterance: a score, or the reason why there is none."""

    key: str
    file: str
    speaker: str
    start: float
    duration: float
    words: int
    score: float | None
    warnings: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


class Doubt(Struct, frozen=True):
    """A word that may not be said there."""

    word: str
    score: float
    file: str
    start: float
    duration: float
    speaker: str


class Summary(Struct, frozen=True):
    """What a run did."""

    corpus: str
    lexicon: str
    model: str  # its digest
    recordings: int
    utterances: int
    aligned: int
    failed: int  # utterances that have a reason, and files that could not be used at all
    warned: int
    audio_s: float
    wall_s: float
    mean_score: float | None
    least_certain: tuple[Doubt, ...]
    oov: dict[str, int]
    predicted: int  # words whose pronunciation was predicted
    problems: tuple[Problem, ...]
    notices: tuple[str, ...]
    lines: tuple[Line, ...] = msgspec.field(name="by_utterance", default=())


class Tally:
    """Counts what is done, recording by recording."""

    def __init__(self, corpus: Corpus, prepared: Prepared) -> None:
        self._corpus = corpus
        self._prepared = prepared
        self._lines: list[Line] = []
        self._doubts: list[Doubt] = []

    def add(self, done: AlignedRecording) -> None:
        """Count a recording."""
        file = done.recording.audio.name
        folder = done.recording.key.rpartition("/")[0]
        place = f"{folder}/{file}" if folder else file
        self._lines += [_line(one, place) for one in done.outcomes]
        doubts = [
            Doubt(word.symbol, word.score or 0.0, place, word.start, word.duration, one.utterance.speaker)
            for word, one in least_certain(done.outcomes, _LEAST)
        ]
        self._doubts = nsmallest(_LEAST, [*self._doubts, *doubts], key=lambda one: (one.score, one.file, one.start))

    def summary(self, corpus: str, lexicon: str, model: str, wall_s: float) -> Summary:
        """Return what was counted; lines in the order of their keys."""
        lines = tuple(sorted(self._lines, key=lambda line: (line.file, line.start, line.key)))
        scores = [line.score for line in lines if line.score is not None]
        return Summary(
            corpus=corpus,
            lexicon=lexicon,
            model=model,
            recordings=len(self._corpus.recordings),
            utterances=len(lines),
            aligned=len(scores),
            failed=len(lines) - len(scores) + len(self._corpus.problems),
            warned=sum(bool(line.warnings) for line in lines),
            audio_s=round(self._corpus.duration, 3),
            wall_s=round(wall_s, 3),
            mean_score=round(sum(scores) / len(scores), 4) if scores else None,
            least_certain=tuple(self._doubts),
            oov=dict(self._prepared.oov.most_common(_MOST_OOV)),
            predicted=len(self._prepared.predicted),
            problems=self._corpus.problems,
            notices=self._prepared.notices,
            lines=lines,
        )


def _line(one: Outcome, file: str) -> Line:
    given = one.utterance
    start, duration = round(given.start, 4), round(given.duration, 4)
    return Line(
        given.key, file, given.speaker, start, duration, len(one.words), one.score, one.warnings, one.reason, one.detail
    )


def write(summary: Summary, out: Path) -> Path:
    """Write alignment.json below `out`; returns its path."""
    path = out / NAME
    files.write_bytes(path, msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n")
    return path


def reasons(summary: Summary) -> Counter[str]:
    """Count why utterances and files have no alignment, the commonest first."""
    counts = Counter(line.reason for line in summary.lines if line.reason)
    counts.update(problem.reason for problem in summary.problems)
    return counts


def warned_of(lines: Iterable[Line]) -> Counter[str]:
    """Count utterances by what they are warned of."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update({warning.partition(":")[0] for warning in line.warnings})
    return counts
