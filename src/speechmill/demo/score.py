# SPDX-License-Identifier: Apache-2.0
"""What a run made of the demo corpus, against its truth.

Speech and turns are scored as the run's stages found them, text and word times as they stand in the dataset, filtered
out or not. What can't be scored is a row with the reason in `gap`, never a number made up or a row left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from speechmill.core.types import Interval, Recording, Segment, Turn, Word
from speechmill.demo.corpus import TrueRecording, Truth
from speechmill.measures.boundary import boundary
from speechmill.measures.der import der
from speechmill.measures.detection import detection_error
from speechmill.measures.wer import cer, tokens, wer
from speechmill.store.dataset import Dataset
from speechmill.words import choose

_ID = re.compile(r"(.+)-[0-9a-f]{6,}")  # of a recording: its file's stem and a hash
_RATIO, _SECONDS, _MS, _WORDS = "ratio", "s", "ms", "words"


class Score(Struct, frozen=True):
    """One measure of one recording. `gap`: why it has no value."""

    recording: str  # stem of the file
    measure: str
    value: float | None
    unit: str
    detail: str = ""
    gap: str | None = None


class Found(Struct, frozen=True):
    """What a run found in one recording; None where a stage has no result for it."""

    id: str
    segments: tuple[Segment, ...]
    speech: Sequence[Interval] | None
    turns: Sequence[Turn] | None
    transcript: str  # name of the backend that had the text, or ""


def score(
    truth: Truth,
    dataset: Dataset,
    speech: Mapping[str, Sequence[Interval]],
    turns: Mapping[str, Sequence[Turn]],
    transcripts: Mapping[str, str] | None = None,
) -> list[Score]:
    """Score a run; rows follow the order of the truth's recordings.

    speech, turns: by recording id, as VAD and diarization found them. transcripts: recording id -> name of the
    backend that had the text, for the rows' `detail`.
    """
    recordings = dataset.recordings()
    segments = _by_recording(dataset.segments(kept=False))
    ids = {_stem(recording): recording for recording in recordings}
    rows: list[Score] = []
    for true in truth.recordings:
        key = ids.get(true.stem)
        if true.broken:
            rows.append(_refusal(true, key))
        elif key is None:
            rows.append(Score(true.stem, "vad_error", None, _RATIO, gap="not in the dataset"))
        else:
            name = (transcripts or {}).get(key, "")
            found = Found(key, tuple(segments.get(key, ())), speech.get(key), turns.get(key), name)
            rows += _recording(true, recordings[key], found)
    return rows


def _stem(recording_id: str) -> str:
    match = _ID.fullmatch(recording_id)
    return match.group(1) if match else recording_id


def _by_recording(segments: Iterator[Segment]) -> dict[str, list[Segment]]:
    found: dict[str, list[Segment]] = {}
    for segment in segments:
        found.setdefault(segment.recording_id, []).append(segment)
    return {key: sorted(some, key=lambda segment: (segment.start, segment.channel)) for key, some in found.items()}


def _refusal(true: TrueRecording, key: str | None) -> Score:
    """Say whether a file that can't be decoded was left out of the dataset."""
    return Score(true.stem, "broken_file_refused", float(key is None), "1 or 0", f"{true.file} can't be decoded")


def _recording(true: TrueRecording, recording: Recording, found: Found) -> Iterator[Score]:
    yield from _speech(true, recording.duration, found.speech)
    yield from _text(true, found)
    if true.turns:
        yield _turns(true, found.turns)
        yield from _word_times(true, found.segments)


def _speech(true: TrueRecording, duration: float, found: Sequence[Interval] | None) -> Iterator[Score]:
    """Score speech detection without any collar: the truth is exact."""
    if found is None:
        yield Score(true.stem, "vad_error", None, _RATIO, gap="no voice activity detection")
        return
    error = detection_error(true.speech, found, duration)
    if true.speech:
        yield Score(true.stem, "vad_error", error.rate, _RATIO, "missed and falsely found, of the speech")
        yield Score(true.stem, "vad_miss_s", error.miss, _SECONDS)
    yield Score(true.stem, "vad_false_alarm_s", error.false_alarm, _SECONDS)


def _text(true: TrueRecording, found: Found) -> Iterator[Score]:
    split = choose(true.language).split
    said = [token for segment in found.segments for token in tokens(segment.text or "", true.language, split=split)]
    source = f"text from {found.transcript}" if found.transcript else ""
    if not true.text:
        yield Score(true.stem, "words_invented", float(len(said)), _WORDS, "nobody speaks")
    elif not said:
        for measure in ("wer", "cer"):
            yield Score(true.stem, measure, None, _RATIO, source, gap="no text")
    else:
        meant = tokens(true.text, true.language, split=split)
        yield Score(true.stem, "wer", wer(meant, said).rate, _RATIO, source)
        yield Score(true.stem, "cer", cer(" ".join(meant), " ".join(said)).rate, _RATIO, source)


def _turns(true: TrueRecording, found: Sequence[Turn] | None) -> Score:
    if found is None:
        return Score(true.stem, "der", None, _RATIO, gap="no diarization")
    error = der(true.turns, found, duration=true.duration)
    speakers = len({turn.speaker for turn in found}), len({turn.speaker for turn in true.turns})
    return Score(true.stem, "der", error.rate, _RATIO, f"{speakers[0]} speakers found of {speakers[1]}, collar 0.25 s")


def _word_times(true: TrueRecording, segments: Sequence[Segment]) -> Iterator[Score]:
    """Compare the times of words that were recognised as the words they are."""
    found = [_folded(word) for segment in segments for word in segment.words]
    error = boundary([_folded(word.word) for word in true.words], found)
    measures = {
        "word_start_median_ms": error.start_median_ms,
        "word_start_mean_ms": error.start_mean_ms,
        "word_end_median_ms": error.end_median_ms,
        "word_end_mean_ms": error.end_mean_ms,
    }
    gap = None if error.matched else _why_no_words(true, segments, bool(found))
    detail = f"{error.matched} of {error.reference} words compared"
    for measure, value in measures.items():
        yield Score(true.stem, measure, value, _MS, "" if gap else detail, gap)


def _folded(word: Word) -> Word:
    """Write a word as `wer` compares it: without case and punctuation."""
    return Word(" ".join(tokens(word.symbol)), word.start, word.duration)


def _why_no_words(true: TrueRecording, segments: Sequence[Segment], timed: bool) -> str:
    if timed:
        return "no word with times is a word that was said"
    if not segments:
        return "no segments"
    reasons = {segment.gaps["align"] for segment in segments if "align" in segment.gaps}
    tried = sorted(reason for reason in reasons if not reason.startswith(("not-asked-for", "no-aligner")))
    return f"not aligned: {'; '.join(tried)}" if tried else f"no aligner for {true.language}"
