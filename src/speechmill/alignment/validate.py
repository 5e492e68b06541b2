# SPDX-License-Identifier: Apache-2.0
"""What will go wrong when a corpus is aligned with a lexicon, found in seconds, before hours are spent.

Looks at files, texts and words, and unless told not to at the audio: each utterance's loudness, never its words. An
`error` costs an utterance or a word; a `warning` may cost precision; a `note` is worth knowing.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from msgspec import Struct

from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.trees import PHONE_STATES
from speechmill.acoustic.types import Ways
from speechmill.alignment.audio import opened
from speechmill.alignment.corpus import Corpus, Recording, Utterance
from speechmill.alignment.lexica import Prepared
from speechmill.alignment.run import unknown_words, usable_cores
from speechmill.alignment.words import is_mark, script
from speechmill.core.errors import ItemError
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.formats.lexicon import Lexicon

MIN_PHONE_S = PHONE_STATES * FeatureConfig().hop_ms / 1000  # no shorter phone has a place in a model
_FAST_PHONES_S = 30.0  # nobody says more phones in a second: the text is another's, or longer than the audio
_SLOW_PHONES_S = 1.0
_RARE_PHONE = 10  # a phone heard less often is learnt badly
_FEW_MINUTES = 10.0  # less speech trains poor models
_SPEAKER_S = 5.0  # less is too little to adapt to
_SILENT_DBFS = -80.0  # no sample is louder: nobody speaks, says the aligner too
_ACTIVE_DB = 35.0  # frames within this of the loudest are sound
_FRAME = WORKING_HZ // 100
_EXAMPLES = 5
LEVELS = ("error", "warning", "note")


class Finding(Struct, frozen=True):
    """One thing that is wrong, or may be."""

    level: str  # of LEVELS
    check: str
    count: int
    what: str
    examples: tuple[str, ...] = ()


class Validation(Struct, frozen=True):
    """What a corpus holds, and what is wrong with it."""

    recordings: int
    utterances: int
    speakers: int
    hours: float
    tokens: int
    words: int  # different ones
    phones: int
    sampling_rates_hz: dict[str, int]
    findings: tuple[Finding, ...]
    oov: dict[str, int]
    phone_counts: dict[str, int]

    @property
    def wrong(self) -> bool:
        return any(finding.level == "error" for finding in self.findings)


def validate(corpus: Corpus, prepared: Prepared, *, listen: bool = True, threads: int = 0) -> Validation:
    """Check a corpus against its lexicon. listen: decode the audio too, most of the time this takes."""
    heard = _listen(corpus, threads) if listen else {}
    phones = _phone_counts(prepared)
    found = [
        *_problems(corpus),
        *_words(prepared, corpus),
        *_lengths(prepared, corpus, heard),
        *_sounds(heard),
        *_phones(prepared, phones),
        *_characters(corpus, prepared),
        *_amounts(corpus),
    ]
    ways = [ways for worded in prepared.worded.values() for ways in worded.ways]
    return Validation(
        recordings=len(corpus.recordings),
        utterances=corpus.num_utterances,
        speakers=len(corpus.speakers),
        hours=round(corpus.duration / 3600, 4),
        tokens=len(ways),
        words=len({word for one in ways for way in one[:1] for word in way}),
        phones=len(phones),
        sampling_rates_hz=_sampling_rates(corpus),
        findings=tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level))),
        oov=dict(prepared.oov.most_common()),
        phone_counts=dict(phones.most_common()),
    )


def _finding(level: str, check: str, what: str, examples: Iterable[str], count: int | None = None) -> list[Finding]:
    """Return a finding, or none where there is nothing to show."""
    shown = list(examples)
    return [Finding(level, check, count or len(shown), what, tuple(shown[:_EXAMPLES]))] if shown else []


def _utterances(corpus: Corpus) -> list[tuple[Recording, Utterance]]:
    return [(recording, utterance) for recording in corpus.recordings for utterance in recording.utterances]


def _problems(corpus: Corpus) -> list[Finding]:
    found = []
    for reason in dict.fromkeys(problem.reason for problem in corpus.problems):
        mine = [problem for problem in corpus.problems if problem.reason == reason]
        level = "note" if reason in ("no-audio", "same-name") else "error"
        examples = (f"{problem.file}: {problem.detail}" for problem in mine)
        found += _finding(level, reason, "files or intervals that can't be used", examples)
    clipped = [f"{one.key}: {warning}" for _, one in _utterances(corpus) for warning in one.warnings]
    return found + _finding("warning", "interval-clipped", "intervals that outlast their audio", clipped)


def _words(prepared: Prepared, corpus: Corpus) -> list[Finding]:
    unknown = [
        f"{one.key}: {unknown_words(prepared.worded[one.key])}"
        for _, one in _utterances(corpus)
        if not prepared.worded[one.key].known
    ]
    worst = [f"{word} ({count})" for word, count in prepared.oov.most_common()]
    guessed = sorted(prepared.predicted)
    marks = Counter(word for one in prepared.worded.values() for word in one.oov if is_mark(word))
    return [
        *_finding("error", "no-pronunciation", "utterances of which no word is in the lexicon", unknown),
        *_finding("error", "oov", "words that nobody can pronounce: they are aligned as unknown speech", worst),
        *_finding("note", "predicted", "words whose pronunciation is predicted", guessed),
        *_finding("note", "marks", "marks such as <noise>, aligned as unknown speech", marks),
        *_finding("warning", "words", "what would part text into words is missing", prepared.notices),
    ]


def _lengths(prepared: Prepared, corpus: Corpus, heard: dict[str, Sound]) -> list[Finding]:
    short, fast, slow = [], [], []
    for _, one in _utterances(corpus):
        count = fewest_phones(prepared.worded[one.key].ways, prepared.lexicon)
        seconds = heard[one.key].seconds if one.key in heard else one.duration
        told = f"{one.key}: {count} phones in {seconds:.2f} s"
        if seconds < count * MIN_PHONE_S:
            short.append(told)
        elif count > _FAST_PHONES_S * seconds:
            fast.append(told)
        elif 0 < count < _SLOW_PHONES_S * seconds:
            slow.append(told)
    need = f"{MIN_PHONE_S * 1000:g} ms a phone"
    return [
        *_finding("error", "audio-too-short", f"utterances shorter than their phones need, {need}", short),
        *_finding("warning", "fast", f"utterances of more than {_FAST_PHONES_S:g} phones a second", fast),
        *_finding("warning", "slow", f"utterances of less than {_SLOW_PHONES_S:g} phone a second", slow),
    ]


def fewest_phones(ways: Ways, lexicon: Lexicon) -> int:
    """Return how many phones a text has at least; a word that the lexicon lacks counts as one."""
    total = 0
    for one in ways:
        counts = [sum(_shortest(word, lexicon) for word in way) for way in one]
        total += min(counts, default=0)
    return total


def _shortest(word: str, lexicon: Lexicon) -> int:
    return min((len(variant.phones) for variant in lexicon.entries.get(word, ())), default=1)


class Sound(Struct, frozen=True):
    """What an utterance sounds like, or why nobody can tell."""

    seconds: float
    peak_dbfs: float
    active_s: float  # of frames near the loudest
    error: str = ""


def _listen(corpus: Corpus, threads: int) -> dict[str, Sound]:
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        return {key: sound for sounds in pool.map(_heard, corpus.recordings) for key, sound in sounds}


def _heard(recording: Recording) -> list[tuple[str, Sound]]:
    try:
        with opened(recording) as audio:
            return [(one.key, sound(audio.read(one.start, one.duration))) for one in recording.utterances]
    except ItemError as error:
        return [(one.key, Sound(one.duration, 0.0, 0.0, str(error))) for one in recording.utterances]


def sound(samples: Samples) -> Sound:
    """Measure an utterance."""
    seconds = len(samples) / WORKING_HZ
    peak = float(np.max(np.abs(samples), initial=0.0))
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power_db = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    active = int(np.count_nonzero(power_db > power_db.max(initial=-120.0) - _ACTIVE_DB))
    return Sound(seconds, 20 * float(np.log10(peak + 1e-9)), active * _FRAME / WORKING_HZ)


def _sounds(heard: dict[str, Sound]) -> list[Finding]:
    broken = [f"{key}: {one.error}" for key, one in heard.items() if one.error]
    quiet = {key for key, one in heard.items() if not one.error and one.peak_dbfs < _SILENT_DBFS}
    paused = [
        f"{key}: {one.active_s:.2f} of {one.seconds:.2f} s"
        for key, one in heard.items()
        if not one.error and key not in quiet and one.active_s < 0.1 * one.seconds
    ]
    silent = f"utterances without a sample louder than {_SILENT_DBFS:g} dBFS"
    return [
        *_finding("error", "undecodable-audio", "utterances whose audio can't be decoded", broken),
        *_finding("error", "no-speech", silent, sorted(quiet)),
        *_finding("warning", "mostly-silence", "utterances with sound in less than a tenth of them", paused),
    ]


def _phone_counts(prepared: Prepared) -> Counter[str]:
    """Count the phones of each word's first pronunciation."""
    counts: Counter[str] = Counter()
    for worded in prepared.worded.values():
        for word in (word for ways in worded.ways for way in ways[:1] for word in way):
            variants = prepared.lexicon.entries.get(word, ())
            counts.update(variants[0].phones if variants else ())
    return counts


def _phones(prepared: Prepared, counts: Counter[str]) -> list[Finding]:
    rare = [f"{phone} ({count})" for phone, count in reversed(counts.most_common()) if count < _RARE_PHONE]
    return _finding("warning", "rare-phones", f"phones that are said less than {_RARE_PHONE} times", rare)


def _characters(corpus: Corpus, prepared: Prepared) -> list[Finding]:
    """Find letters that no word of the lexicon has, and what belongs in no text."""
    known = {character for word in prepared.lexicon.entries for character in word.casefold()}
    strange: Counter[str] = Counter()
    control: list[str] = []
    for _, one in _utterances(corpus):
        strange.update(c for c in one.text.casefold() if unicodedata.category(c)[0] == "L" and c not in known)
        if any(
            unicodedata.category(character) in ("Cc", "Co", "Cn") or character == "\ufffd" for character in one.text
        ):
            control.append(one.key)
    told = [f"{character} ({script(character)}, {count})" for character, count in strange.most_common()]
    return [
        *_finding("warning", "unknown-letters", "letters that no word of the lexicon has", told),
        *_finding("warning", "control-characters", "texts with characters that nobody reads", control),
    ]


def _amounts(corpus: Corpus) -> list[Finding]:
    seconds = dict.fromkeys(corpus.speakers, 0.0)
    for _, one in _utterances(corpus):
        seconds[one.speaker] += one.duration
    few = [f"{speaker}: {given:.1f} s" for speaker, given in sorted(seconds.items()) if given < _SPEAKER_S]
    low = [f"{recording.key}: {recording.sampling_rate} Hz" for recording in corpus.recordings if _narrow(recording)]
    minutes = corpus.duration / 60
    little = [f"{minutes:.1f} minutes"] if minutes < _FEW_MINUTES else []
    return [
        *_finding("warning", "little-speech", f"less than {_FEW_MINUTES:g} minutes train poor models", little),
        *_finding("note", "short-speakers", f"speakers with less than {_SPEAKER_S:g} s", few),
        *_finding("note", "narrow-band", "files below 16 kHz: what lies above half their rate is empty", low),
    ]


def _narrow(recording: Recording) -> bool:
    return recording.sampling_rate < WORKING_HZ


def _sampling_rates(corpus: Corpus) -> dict[str, int]:
    counts = Counter(recording.sampling_rate for recording in corpus.recordings)
    return {str(rate): count for rate, count in sorted(counts.items())}
