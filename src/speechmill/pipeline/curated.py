# SPDX-License-Identifier: Apache-2.0
"""A curated folder to train on in the place of the corpus: audio with texts, as `speechmill align` reads it.

What is chosen of it is known by its content: an utterance's key has the hash of its audio file, not its name.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from speechmill.align import Lesson
from speechmill.alignment.audio import AudioCache
from speechmill.alignment.corpus import Recording, Utterance, find
from speechmill.core import types
from speechmill.core.files import sha256_file
from speechmill.core.stage import Samples
from speechmill.core.timebase import milliseconds
from speechmill.core.types import Source
from speechmill.pipeline.lessons import Lessons, Lot, unfit

_OPEN = 8  # files that are held decoded: those around the ones at work


@contextlib.contextmanager
def curated(folder: Path, language: str | None, max_hours: float, seed: int) -> Iterator[Lessons]:
    """Choose utterances of a folder by the rules for a corpus; they can be read while this is open.

    Raises ConfigError where there is no such folder.
    """
    found = find(folder)
    left_out = Counter(problem.reason for problem in found.problems)
    lot, seen = Lot(max_hours, seed), set[str]()
    with AudioCache(_OPEN) as cache:
        for recording in found.recordings:
            name = sha256_file(recording.audio)
            for utterance in recording.utterances:
                lesson = _lesson(name, recording, utterance, language, cache)
                reason = _unfit(utterance) or ("duplicate" if lesson.key in seen else None)
                if reason is None:
                    seen.add(lesson.key)
                    lot.add(lesson)
                else:
                    left_out[reason] += 1
        yield lot.drawn(left_out)


def _unfit(utterance: Utterance) -> str | None:
    given = types.Utterance(utterance.text, utterance.start, utterance.duration)
    return unfit(given, Source("", ""), None)


def _lesson(name: str, recording: Recording, utterance: Utterance, language: str | None, cache: AudioCache) -> Lesson:
    return Lesson(
        key=f"{name}-{milliseconds(utterance.start):09d}-{milliseconds(utterance.duration):06d}-{utterance.tier}",
        duration=utterance.duration,
        read=partial(_read, cache, recording, utterance),
        text=utterance.text,
        language=language,
        speaker=utterance.speaker,
    )


def _read(cache: AudioCache, recording: Recording, utterance: Utterance) -> Samples:
    with cache.opened(recording) as (audio, channels):
        return audio.read(utterance.start, utterance.duration, channels.get(utterance.speaker))
