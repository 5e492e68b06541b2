# SPDX-License-Identifier: Apache-2.0
"""Segments with the evidence that `transcript_confidence` looks at, and how many of their words are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct, structs

from speechmill.core.errors import Unscorable
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Source, Transcript, Turn, Utterance
from speechmill.measures.wer import align_tokens, tokens, wer
from speechmill.quality import Cut
from speechmill.quality._trust import evidence
from speechmill.segment import turns
from speechmill.stages.quality import clip
from tuning.trust_speech import CONTEXT, DATA, SEED, Heard, Recogniser, Recording, damaged, recordings

LOOPS = {  # what recognisers make up; development and test have none in common
    "dev": ["thanks for watching", "so", "and the next day", "please subscribe to my channel"],
    "test": ["thank you for watching", "it is", "you know what i mean", "don't forget to like and subscribe"],
}


class Example(Struct, frozen=True):
    """One segment."""

    recording: str
    source: str  # read | digits | austen
    transcript: str  # pocketsphinx | sidecar
    second: str
    evidence: dict[str, float]
    accuracy: float  # 1 - WER, at least 0


def examples(part: str, folder: Path, data: Path = DATA) -> list[Example]:
    """Return the examples of a part; what recognisers hear is kept in `folder`."""
    recogniser, random = Recogniser(folder), np.random.default_rng(100 + SEED[part])
    clean = list(recordings(part, data))
    vocabulary = sorted({word for recording in clean for word in recording.text.split()})
    found: list[Example] = []
    for recording in clean:
        heard = recogniser.hear(recording)
        found += _recognised(recording, heard)
        texts = [recording.text, *(damaged(recording.text, vocabulary, random) for _ in range(2))]
        if random.random() < 0.15:
            texts.append(_looped(part, len(recording.text.split()), random))
        found += [one for text in texts for one in _given(recording, heard, text)]
    return found


def _looped(part: str, num_words: int, random: np.random.Generator) -> str:
    phrase = str(random.choice(LOOPS[part])).split()
    return " ".join((phrase * num_words)[: max(len(phrase), int(num_words * random.uniform(0.2, 1.5)))])


def _recognised(recording: Recording, heard: Heard) -> Iterator[Example]:
    """Segments of the recogniser's own text. True words go to the segment of the words that they are aligned with."""
    segments = _segments(recording, heard, heard.first)
    said = [[word for one in segment.words for word in tokens(one.symbol, "en")] for segment in segments]
    owners = [i for i, words in enumerate(said) for _ in words]
    if not owners:
        return
    errors, true = np.zeros(len(segments)), np.zeros(len(segments))
    flat, truth = [word for words in said for word in words], tokens(recording.text, "en")
    at = 0
    for i, j in align_tokens(truth, flat):
        at = owners[j] if j is not None else at
        true[at] += i is not None
        errors[at] += i is None or j is None or truth[i] != flat[j]
    for i, segment in enumerate(segments):
        accuracy = max(0.0, 1 - errors[i] / max(1.0, true[i]))
        yield from _example(recording, heard, segment, heard.first, heard.other, float(accuracy))


def _given(recording: Recording, heard: Heard, text: str) -> Iterator[Example]:
    """A segment of a text that came with the recording."""
    given = Transcript("sidecar", (Utterance(text),))
    accuracy = max(0.0, 1 - wer(tokens(recording.text, "en"), tokens(text, "en")).rate)
    for segment in _segments(recording, heard, given):
        yield from _example(recording, heard, segment, given, heard.first, accuracy)


def _segments(recording: Recording, heard: Heard, transcript: Transcript) -> Sequence[Utterance]:
    duration = len(recording.samples) / WORKING_HZ
    source = Source(recording.name, recording.name, language="en", num_speakers=1)
    cutter = turns.Backend(turns.Config(), CONTEXT)
    return cutter.segments(source, duration, heard.speech, [Turn(0.0, duration, "#1")], transcript)


def _example(
    recording: Recording, heard: Heard, segment: Utterance, first: Transcript, second: Transcript, accuracy: float
) -> Iterator[Example]:
    start, duration = segment.start or 0.0, segment.duration or 0.0
    samples = recording.samples[round(start * WORKING_HZ) : round((start + duration) * WORKING_HZ)]
    cut = Cut(samples, segment, clip(heard.speech, start, duration, 0), "en")
    columns = {"transcript": first, "second": structs.replace(second, backend="pocketsphinx")}
    try:
        known = evidence(structs.replace(cut, columns=columns))
    except Unscorable:
        return
    yield Example(recording.name, recording.source, first.backend, "pocketsphinx", known, accuracy)
