# SPDX-License-Identifier: Apache-2.0
"""Alignments of a file as TextGrid, ELAN document, JSON, CTM and CSV, all on the file's own timeline.

Tiers are named as the Montreal Forced Aligner names them: `words` and `phones`, or `NAME - words` where there are
several speakers. Tiers that the input had stay as they are and where they are; one of the same name is replaced.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from speechmill.alignment.corpus import Recording
from speechmill.alignment.result import AlignedRecording, Outcome
from speechmill.alignment.syllables import Syllabifier
from speechmill.alignment.tiers import EAF, TEXTGRID
from speechmill.core.files import write_bytes
from speechmill.core.types import Word
from speechmill.formats import ctm, eaf, textgrid
from speechmill.formats.textgrid import IntervalTier, KeptTier, PointTier, TextGrid, in_order

Tier = IntervalTier | PointTier | KeptTier


class Outputs(Struct, frozen=True):
    """What is written for each file."""

    formats: tuple[str, ...] = ("textgrid",)  # of FORMATS; an ELAN document is written wherever one was read
    confidence: bool = False  # a tier with each word's score
    syllabify: Syllabifier | None = None  # makes a tier of syllables


def write_outputs(done: AlignedRecording, out: Path, outputs: Outputs) -> tuple[Path, ...]:
    """Write what is asked for below `out`, where the file lies in its corpus; returns the paths.

    Nothing where nothing was aligned: what an earlier run wrote there is removed, for it would pass for this one's;
    but not beside the audio, where it may be somebody's own.
    """
    stem = out / done.recording.key
    if not any(one.words for one in done.outcomes):
        if stem.parent.resolve() != done.recording.audio.parent.resolve():
            for path in planned(done.recording, out, outputs):
                path.unlink(missing_ok=True)
        return ()
    return tuple(FORMATS[kind](done, stem, outputs) for kind in _kinds(done.recording, outputs))


def planned(recording: Recording, out: Path, outputs: Outputs) -> tuple[Path, ...]:
    """Return the files that are written for a recording."""
    suffixes = {"textgrid": ".TextGrid"}
    return tuple(_named(out / recording.key, suffixes.get(kind, f".{kind}")) for kind in _kinds(recording, outputs))


def _kinds(recording: Recording, outputs: Outputs) -> list[str]:
    more = ("eaf",) if recording.transcript.suffix.lower() == EAF else ()
    return list(dict.fromkeys((*outputs.formats, *more)))


def _write_textgrid(done: AlignedRecording, stem: Path, outputs: Outputs) -> Path:
    path = _named(stem, ".TextGrid")
    textgrid.write(path, text_grid(done, outputs), durable=False)
    return path


def _write_eaf(done: AlignedRecording, stem: Path, outputs: Outputs) -> Path:
    path = _named(stem, EAF)
    source = done.recording.transcript
    tiers = [
        eaf.Tier(tier.name, _on_milliseconds(tier.intervals), participant=speaker)
        for speaker, tier in _tiers(done, outputs)
    ]
    eaf.write(path, tiers, source if source.suffix.lower() == EAF else None)
    return path


def _write_json(done: AlignedRecording, stem: Path, outputs: Outputs) -> Path:
    path = _named(stem, ".json")
    content = {
        "audio": done.recording.audio.name,
        "duration": round(done.duration, 4),
        "utterances": [_utterance(one) for one in done.outcomes],
    }
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content)) + b"\n", durable=False)
    return path


def _utterance(one: Outcome) -> dict[str, object]:
    given = structs.asdict(one.utterance)
    return {
        **{name: given[name] for name in ("key", "text", "speaker", "start", "duration", "tier")},
        "channel": one.channel,
        "score": one.score,
        "reason": one.reason,
        "detail": one.detail,
        "warnings": one.warnings,
        "not_spoken": one.not_spoken,
        "words": one.words,
    }


def _write_ctm(done: AlignedRecording, stem: Path, outputs: Outputs) -> Path:
    path = _named(stem, ".ctm")
    words: dict[tuple[str, int], list[Word]] = {}
    for one in done.outcomes:
        key = _column(done.recording.key), one.channel or 0
        words.setdefault(key, []).extend(structs.replace(word.word, symbol=_column(word.symbol)) for word in one.words)
    ctm.write(path, {key: sorted(found, key=lambda word: word.start) for key, found in words.items()})
    return path


def _column(text: str) -> str:
    """Join a token of several words ("$ 5"), for a column holds no blanks."""
    return "_".join(text.split())


def _write_csv(done: AlignedRecording, stem: Path, outputs: Outputs) -> Path:
    path = _named(stem, ".csv")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("Begin", "End", "Label", "Type", "Speaker", "Confidence"))
    for one in done.outcomes:
        for kind, symbols in (("words", [word.word for word in one.words]), ("phones", one.phones)):
            for symbol in symbols:
                score = "" if symbol.score is None else f"{symbol.score:.4f}"
                begin, end = f"{symbol.start:.4f}", f"{symbol.end:.4f}"
                writer.writerow((begin, end, symbol.symbol, kind, one.utterance.speaker, score))
    write_bytes(path, table.getvalue().encode(), durable=False)
    return path


FORMATS: dict[str, Callable[[AlignedRecording, Path, Outputs], Path]] = {
    "textgrid": _write_textgrid,
    "json": _write_json,
    "ctm": _write_ctm,
    "csv": _write_csv,
    "eaf": _write_eaf,
}


def _named(stem: Path, suffix: str) -> Path:
    """Return a path with a suffix behind its name, which may hold dots itself."""
    return stem.with_name(stem.name + suffix)


def text_grid(done: AlignedRecording, outputs: Outputs) -> TextGrid:
    """Return the tiers of a file: those it came with, and the aligned ones."""
    before = _input_grid(done.recording)
    xmin, xmax = (before.xmin, before.xmax) if before else (0.0, done.duration)
    tiers: list[Tier] = list(before.tiers) if before else []
    for _, tier in _tiers(done, outputs):
        placed = IntervalTier(tier.name, _inside(tier.intervals, xmin, xmax))
        same = [i for i, old in enumerate(tiers) if old.name == tier.name]
        if same:
            tiers[same[0]] = placed
        else:
            tiers.append(placed)
    return TextGrid(xmin, xmax, tuple(tiers))


def _input_grid(recording: Recording) -> TextGrid | None:
    if recording.transcript.suffix.lower() != TEXTGRID:
        return None
    return textgrid.read_kept(recording.transcript)


def _inside(words: Iterable[Word], xmin: float, xmax: float) -> tuple[Word, ...]:
    """Clip words to a grid, which may be shorter than its audio by a rounding."""
    clipped = (structs.replace(word, duration=min(word.end, xmax) - word.start) for word in words)
    return tuple(word for word in clipped if word.start >= xmin and word.duration > 1e-6)


def _tiers(done: AlignedRecording, outputs: Outputs) -> list[tuple[str, IntervalTier]]:
    """Return (speaker, tier), a speaker's tiers side by side."""
    lanes: dict[tuple[str, str], list[Outcome]] = {}
    for one in done.outcomes:
        if one.words:
            lanes.setdefault((one.utterance.speaker, one.utterance.tier), []).append(one)
    names = _lane_names(list(lanes))
    several = len({utterance.speaker for utterance in done.recording.utterances}) > 1 or len(lanes) > 1
    found = []
    for lane, outcomes in lanes.items():
        prefix = f"{names[lane]} - " if several else ""
        for kind, symbols in _columns(outcomes, outputs):
            found.append((lane[0], IntervalTier(prefix + kind, in_order(symbols, done.duration))))
    return found


def _lane_names(lanes: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name lanes by their speakers, or by their tiers where one speaker has several."""
    speakers = [speaker for speaker, _ in lanes]
    return {lane: lane[0] if speakers.count(lane[0]) == 1 else lane[1] for lane in lanes}


def _columns(outcomes: Sequence[Outcome], outputs: Outputs) -> list[tuple[str, list[Word]]]:
    words = [word for one in outcomes for word in one.words]
    columns = [("words", [word.word for word in words]), ("phones", [phone for word in words for phone in word.phones])]
    if outputs.syllabify is not None:
        columns.append(("syllables", [syllable for word in words for syllable in outputs.syllabify(word.phones)]))
    if outputs.confidence:
        scores = [Word(f"{word.score:.2f}", word.start, word.duration) for word in words if word.score is not None]
        columns.append(("confidence", scores))
    return columns


def _on_milliseconds(words: Iterable[Word]) -> tuple[Word, ...]:
    """Leave out what has no length left in milliseconds."""
    return tuple(word for word in words if round(word.end * 1000) > round(word.start * 1000))
