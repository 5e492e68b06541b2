# SPDX-License-Identifier: Apache-2.0
"""Aligning a corpus: a model of it or a given one, speakers adapted to, files worked on by several threads.

A file is decoded once. What goes wrong with one becomes the reason of its utterances, and the others go on. What is
kept in memory of a finished utterance is a line of the summary.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, structs

from speechmill.acoustic import train as training
from speechmill.acoustic.adapt import Adaptation, adaptation
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.long import align_long, bootstrap
from speechmill.acoustic.model import AcousticModel
from speechmill.acoustic.train import Options, TrainingError
from speechmill.acoustic.types import Example
from speechmill.alignment.audio import MEMORY_S, AudioCache, OpenedAudio, opened, speaker_channels
from speechmill.alignment.corpus import Corpus, Recording, Utterance
from speechmill.alignment.lexica import Prepared
from speechmill.alignment.outputs import Outputs, write_outputs
from speechmill.alignment.result import AlignedRecording, Outcome, all_failed, failed, long_outcome, outcome
from speechmill.alignment.words import Worded, script
from speechmill.core.errors import ConfigError, FormatError, ItemError
from speechmill.core.files import raise_fatal
from speechmill.core.stage import Samples

Report = Callable[[str, float], None]  # what is being done, and how much of it is: 0..1
T = TypeVar("T")
R = TypeVar("R")
_SAMPLE_S = 20.0  # of speech that a speaker is adapted to: a minute moved no boundary of voxangeles_dev
_AHEAD = 4  # files a thread may have waiting
LONG_S = 90.0  # a text for more audio than this may not be all that is said: it is looked for, not forced
_LONG_HOURS = 0.35  # of one recording: more of the same moves no boundary
_ENOUGH_S = 300.0  # of short utterances: with less, a long one is what a model is trained on


class Kept:
    """What was decoded to adapt to speakers, for its alignment: as much as is held in memory at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, OpenedAudio] = {}
        self._free_s = float(MEMORY_S)

    def keep(self, recording: Recording, audio: OpenedAudio) -> None:
        """Hold a recording of one utterance while there is room."""
        with self._lock:
            if audio.duration <= self._free_s and recording.key not in self._held:
                self._free_s -= audio.duration
                self._held[recording.key] = audio

    def take(self, recording: Recording) -> OpenedAudio:
        """Return a recording that nobody else needs any more: as it was held, or decoded. Raises AudioError."""
        with self._lock:
            audio = self._held.pop(recording.key, None)
            if audio is not None:
                self._free_s += audio.duration
        return audio or opened(recording)


class Job(Struct, frozen=True):
    """What the threads that align share."""

    aligner: Aligner
    prepared: Prepared
    speakers: dict[str, Adaptation]
    out: Path | None  # None: nothing is written
    outputs: Outputs
    threads: int  # for one long utterance
    kept: Kept


def examples(corpus: Corpus, prepared: Prepared, cache: AudioCache, kept: Kept | None = None) -> list[Example]:
    """Return the utterances to train on: those of which every word is in the lexicon."""
    return [
        _example(recording, utterance, prepared.worded[utterance.key], cache, kept)
        for recording in corpus.recordings
        for utterance in recording.utterances
        if _trainable(prepared.worded[utterance.key])
    ]


def learnable(corpus: Corpus, prepared: Prepared, cache: AudioCache) -> list[Example]:
    """Return `examples`. Raises TrainingError where there are none."""
    found = examples(corpus, prepared, cache)
    if not found:
        raise TrainingError(_nothing_to_learn(corpus, prepared))
    return found


def _trainable(worded: Worded) -> bool:
    return worded.known > 0 and not worded.oov and not worded.unspoken


def _example(
    recording: Recording, utterance: Utterance, worded: Worded, cache: AudioCache, kept: Kept | None
) -> Example:
    read = partial(_read, recording, utterance, cache, kept)
    return Example(utterance.key, utterance.duration, read, worded.ways, utterance.speaker)


def _read(recording: Recording, utterance: Utterance, cache: AudioCache, kept: Kept | None) -> Samples:
    if len(recording.utterances) == 1:
        with opened(recording) as audio:
            if kept is not None:
                kept.keep(recording, audio)
            return audio.read(utterance.start, utterance.duration)
    with cache.opened(recording) as (audio, channels):
        return audio.read(utterance.start, utterance.duration, channels.get(utterance.speaker))


def align(
    corpus: Corpus,
    prepared: Prepared,
    model: AcousticModel,
    out: Path | None,
    outputs: Outputs,
    *,
    threads: int = 0,
    report: Report | None = None,
) -> Iterator[AlignedRecording]:
    """Yield each recording with what came of its utterances, as they are done; outputs are written by then.

    threads: 0 takes all cores. Raises ConfigError where lexicon and model don't fit, OSError where it can't write.
    """
    check(model, prepared)
    say = report or (lambda stage, share: None)
    workers = threads or usable_cores()
    aligner = Aligner(model, prepared.lexicon)
    kept = Kept()
    speakers = _adapted(corpus, prepared, aligner, workers, say, kept)
    alone = len(corpus.recordings) == 1
    job = Job(aligner, prepared, speakers, out, outputs, workers if alone else 1, kept)
    total, done_s = max(corpus.duration, 1e-9), 0.0
    started = time.monotonic()
    for done in _ahead(partial(_work, job), corpus.recordings, workers):
        done_s += sum(utterance.duration for utterance in done.recording.utterances)
        elapsed = max(time.monotonic() - started, 1e-9)
        say(f"aligning, {done_s / elapsed:.0f}x real time", done_s / total)
        yield done


def check(model: AcousticModel, prepared: Prepared) -> None:
    """Raise ConfigError where the words of a corpus have phones that a model doesn't know."""
    known = set(model.card.phones)
    used = {word for one in prepared.worded.values() for ways in one.ways for way in ways for word in way}
    phones = {phone for word in used for variant in prepared.lexicon.entries.get(word, ()) for phone in variant.phones}
    if unknown := sorted(phones - known):
        raise ConfigError(
            f"{len(unknown)} of {len(phones)} phones of the lexicon are not in the model: {', '.join(unknown[:10])}. "
            f"It knows {', '.join(sorted(known)[:10])} and so on; use the lexicon it was trained with"
        )


def _adapted(
    corpus: Corpus, prepared: Prepared, aligner: Aligner, workers: int, say: Report, kept: Kept
) -> dict[str, Adaptation]:
    """Adapt to each speaker, by some utterances from all over what they say."""
    with AudioCache(workers + 1) as cache:
        by_speaker: dict[str, list[Example]] = {}
        for example in examples(corpus, prepared, cache, kept):
            if example.duration <= LONG_S:
                by_speaker.setdefault(example.speaker, []).append(example)
        found = {}
        adapt = partial(_adapt, aligner)
        for done, (speaker, adapted) in enumerate(_ahead(adapt, by_speaker.items(), workers), start=1):
            found[speaker] = adapted
            say(f"adapting to {len(by_speaker)} speakers", done / len(by_speaker))
    return {speaker: adapted for speaker, adapted in found.items() if adapted is not None}


def _adapt(aligner: Aligner, mine: tuple[str, list[Example]]) -> tuple[str, Adaptation | None]:
    speaker, all_of_them = mine
    try:
        return speaker, adaptation(aligner, sample(all_of_them, _SAMPLE_S))
    except ItemError:
        return speaker, None  # each of these utterances meets its own reason when it is aligned


def sample(given: Sequence[Example], seconds: float) -> list[Example]:
    """Return examples from all over a list, so many that they last about that long; all where they don't."""
    total = sum(example.duration for example in given)
    if total <= seconds:
        return list(given)
    step = total / seconds
    return [given[i] for i in sorted({int(k * step) for k in range(int(len(given) / step) + 1)}) if i < len(given)]


def _ahead(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield what `work` makes of items by several threads, as it is done, never far ahead of the one who asks."""
    pending: set[Future[R]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.add(pool.submit(work, item))
                if len(pending) >= _AHEAD * workers:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()


def _work(job: Job, recording: Recording) -> AlignedRecording:
    done = _aligned(job, recording)
    if job.out is None:
        return done
    try:
        write_outputs(done, job.out, job.outputs)
    except FormatError as error:
        return all_failed(recording, "unwritable", str(error))
    return done


def _aligned(job: Job, recording: Recording) -> AlignedRecording:
    try:
        with job.kept.take(recording) as audio:
            channels = speaker_channels(recording, audio)
            found = [_one(job, utterance, audio, channels.get(utterance.speaker)) for utterance in recording.utterances]
            return AlignedRecording(recording, audio.duration, tuple(found))
    except ItemError as error:
        return all_failed(recording, error.reason, error.detail)
    except Exception as error:  # one file never ends the run
        raise_fatal(error)
        return all_failed(recording, f"error-{type(error).__name__}", _place(error))


def _one(job: Job, utterance: Utterance, audio: OpenedAudio, channel: int | None) -> Outcome:
    worded = job.prepared.worded[utterance.key]
    if not worded.known:
        return failed(utterance, "no-pronunciation", unknown_words(worded))
    try:
        if utterance.duration > LONG_S:
            return _long(job, utterance, worded, audio, channel)
        samples = audio.read(utterance.start, utterance.duration, channel)
        found = job.aligner.align(samples, worded.ways, speaker=job.speakers.get(utterance.speaker))
    except ItemError as error:
        return failed(utterance, error.reason, error.detail)
    except Exception as error:  # one utterance never ends the run; where it was goes into the summary
        raise_fatal(error)
        return failed(utterance, f"error-{type(error).__name__}", _place(error))
    return outcome(utterance, worded.said, found, utterance.duration, channel)


def _long(job: Job, utterance: Utterance, worded: Worded, audio: OpenedAudio, channel: int | None) -> Outcome:
    found = align_long(
        job.aligner, _reader(audio, utterance, channel), utterance.duration, worded.ways, threads=job.threads
    )
    return long_outcome(utterance, worded.said, found, channel)


def _reader(audio: OpenedAudio, utterance: Utterance, channel: int | None) -> Callable[[float, float], Samples]:
    """Return what reads an utterance by times from its own start."""
    return lambda start, duration: audio.read(utterance.start + start, duration, channel)


def train(
    corpus: Corpus, prepared: Prepared, options: Options, *, threads: int = 0, report: Report | None = None
) -> AcousticModel:
    """Train on all utterances whose words are known; on one that is long only where there is nothing else.

    Raises TrainingError where nothing can be learnt; Unalignable, AudioError where that one long one can't be used.
    """
    workers = threads or usable_cores()
    with AudioCache(workers + 1) as cache:
        given = examples(corpus, prepared, cache)
        long = [utterance for utterance in _longest_first(corpus) if prepared.worded[utterance[1].key].known]
        if not given and not long:
            raise TrainingError(_nothing_to_learn(corpus, prepared))
        short = [example for example in given if example.duration <= LONG_S]
        if sum(example.duration for example in short) >= _ENOUGH_S or not long:
            return training.train(short, prepared.lexicon, options, report=report, threads=threads)
    recording, utterance = long[0]
    with opened(recording) as audio:
        read = _reader(audio, utterance, speaker_channels(recording, audio).get(utterance.speaker))
        ways = prepared.worded[utterance.key].ways
        less = structs.replace(options, max_hours=min(options.max_hours, _LONG_HOURS))
        return bootstrap(read, utterance.duration, ways, prepared.lexicon, options=less, report=report, threads=threads)


def _nothing_to_learn(corpus: Corpus, prepared: Prepared) -> str:
    """Say why no utterance can be trained on, and what to do."""
    if not prepared.oov:
        first = next(iter(prepared.worded.values())).said.text
        return f"none of {corpus.num_utterances} texts has a word, such as {first!r}"
    worst = ", ".join(f"{word} ({count})" for word, count in prepared.oov.most_common(5))
    return (
        f"none of {corpus.num_utterances} texts has all its words in the lexicon; it lacks {len(prepared.oov)}: "
        f"{worst}. Predict them with --g2p, or see: speechmill lexicon extend --help"
    )


def _longest_first(corpus: Corpus) -> list[tuple[Recording, Utterance]]:
    """Return the long utterances."""
    found = [(recording, one) for recording in corpus.recordings for one in recording.utterances]
    long = [pair for pair in found if pair[1].duration > LONG_S]
    return sorted(long, key=lambda pair: (-pair[1].duration, pair[1].key))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return f"{error}{where}"[:300]


def unknown_words(worded: Worded) -> str:
    """Say why not one word of a text is in the lexicon."""
    symbols = [token.symbol for token in worded.said.tokens]
    if not symbols:
        return "the text has no word"
    letters = [character for symbol in symbols for character in symbol if character.isalpha()]
    scripts = sorted({script(character) for character in letters})
    written = f", written in {', '.join(scripts)}" if scripts else ""
    return f"none of {len(symbols)} words is in the lexicon{written}: {', '.join(symbols[:5])}"


def usable_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
