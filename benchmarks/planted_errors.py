# SPDX-License-Identifier: Apache-2.0
"""Known speech with planted errors, by a seed: what `confidence.py` measures and `tuning/confidence.py` fits to.

Of the utterances of espeak_vi and of free_spoken_digits (digits strung together, with pauses) a quarter each stays
true, has one word swapped for another, is cut 200 to 500 ms too late or too early (into the neighbour's words on one
side, into its own on the other), or loses the last 10 to 40 % of its speech. Nothing is run here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soxr
from msgspec import Struct

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.formats import lexicon
from speechmill.formats.audio import read_audio
from speechmill.formats.lexicon import Lexicon, Pronunciation

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = ("true", "swapped", "shifted", "truncated")
SEED = 4
DIGITS = {
    "zero": ("Z IH R OW", "Z IY R OW"), "one": ("W AH N",), "two": ("T UW",), "three": ("TH R IY",),
    "four": ("F AO R",), "five": ("F AY V",), "six": ("S IH K S",), "seven": ("S EH V AH N",), "eight": ("EY T",),
    "nine": ("N AY N",),
}  # fmt: skip


class Said(Struct, frozen=True):
    """A word that is heard, with the times of the truth, in seconds; they may lie outside of cut audio."""

    symbol: str
    start: float
    end: float


class Utterance(Struct, frozen=True):
    """What was said."""

    key: str
    speaker: str
    samples: Samples  # 16 kHz
    words: tuple[Said, ...]


class Planted(Struct, frozen=True):
    """An utterance after its damage, if any: what the aligner is given, and the truth about it."""

    key: str
    speaker: str
    kind: str  # one of KINDS
    samples: Samples
    text: tuple[str, ...]
    words: tuple[Said, ...]  # what was said, on the cut audio's timeline: as many as in the text


class Corpus(Struct, frozen=True):
    """Utterances sorted by key, and how their words are pronounced."""

    utterances: tuple[Utterance, ...]
    lexicon: Lexicon
    tolerance: float  # seconds that a word's start or end may be off, of what is rightly timed

    def half(self, odd: bool) -> Corpus:
        """Every other utterance: the even ones tune, the odd ones are reported."""
        return Corpus(self.utterances[odd::2], self.lexicon, self.tolerance)


def espeak(data: Path = DATA) -> Corpus:
    """Read Vietnamese of eight synthetic voices, with the synthesiser's own times."""
    folder = data / "espeak_vi"
    known = lexicon.read(folder / "vietnamese_hanoi_mfa.dict")
    truth = json.loads((folder / "gold_words.json").read_text(encoding="utf-8"))
    found = [
        Utterance(
            key,
            key.split("_")[0],
            _decode(folder / key.split("_")[0] / f"{key}.flac"),
            tuple(Said(*word) for word in truth[key]),
        )
        for key in sorted(truth)
    ]
    used = {word.symbol for one in found for word in one.words}
    return Corpus(tuple(found), Lexicon({word: known.entries[word] for word in sorted(used)}), 0.05)


def digits(data: Path = DATA) -> Corpus:
    """String the clips of each speaker together, four to ten digits an utterance, with pauses between half of them.

    Edges are those of the clips without their quiet ends, good to 50 ms; so 100 ms is what a word may be off.
    """
    entries = {word: tuple(Pronunciation(tuple(way.split())) for way in ways) for word, ways in DIGITS.items()}
    found = list(_strings(data / "free_spoken_digits"))
    return Corpus(tuple(found), Lexicon(entries), 0.1)


def _strings(folder: Path) -> Iterator[Utterance]:
    random, names = np.random.default_rng(SEED), list(DIGITS)
    clips: dict[str, list[tuple[str, Samples]]] = {}
    for path in sorted(folder.glob("*.flac")):
        digit, speaker, _ = path.stem.split("_")
        clips.setdefault(speaker, []).append((names[int(digit)], _decode(path)))
    for speaker in sorted(clips):
        order = list(random.permutation(len(clips[speaker])))
        while order:
            count = min(len(order), int(random.integers(4, 11)))
            chosen = [clips[speaker][order.pop()] for _ in range(count)]
            yield _string(f"{speaker}_{len(order):03d}", speaker, chosen, random)


def _string(key: str, speaker: str, clips: Sequence[tuple[str, Samples]], random: np.random.Generator) -> Utterance:
    parts: list[Samples] = [_room(clips[0][1], random.uniform(0.1, 0.4), random)]
    words: list[Said] = []
    for symbol, samples in clips:
        at = sum(map(len, parts)) / WORKING_HZ
        first, last = _loud(samples)
        words.append(Said(symbol, at + first, at + last))
        pause = random.uniform(0.05, 0.5) if random.random() < 0.5 else 0.0
        parts += [samples, _room(samples, pause, random)]
    parts.append(_room(clips[-1][1], random.uniform(0.1, 0.4), random))
    return Utterance(key, speaker, np.concatenate(parts), tuple(words))


def _room(samples: Samples, seconds: float, random: np.random.Generator) -> Samples:
    """Make noise as loud as the quietest 20 ms of a clip, and of its band: clips were recorded at 8 kHz."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    level = float(np.sqrt((frames**2).mean(axis=1)).min())
    noise = level * random.standard_normal(int(seconds * WORKING_HZ / 2))
    return np.asarray(soxr.resample(noise, WORKING_HZ // 2, WORKING_HZ), np.float32)


def _loud(samples: Samples) -> tuple[float, float]:
    """Find the stretch between the first and last 10 ms that are less than 35 dB below the loudest."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = (frames**2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10**-3.5)
    return float(loud[0]) / 100, float(loud[-1] + 1) / 100


def _decode(path: Path) -> Samples:
    samples, rate = read_audio(path)
    return np.asarray(soxr.resample(samples[0], rate, WORKING_HZ), np.float32)


def planted(corpus: Corpus, seed: int = SEED) -> tuple[Planted, ...]:
    """Damage three quarters of a corpus, a quarter each way; which is damaged how is the seed's choice."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(corpus.utterances))
    kinds = {int(index): KINDS[place % len(KINDS)] for place, index in enumerate(order)}
    return tuple(_DAMAGE[kinds[i]](corpus, i, random) for i in range(len(corpus.utterances)))


def _true(corpus: Corpus, index: int, random: np.random.Generator) -> Planted:
    one = corpus.utterances[index]
    return _planted(one, "true", one.samples, text_of(one))


def _swapped(corpus: Corpus, index: int, random: np.random.Generator) -> Planted:
    """Put another word of the lexicon, of another sound, in the place of one."""
    one = corpus.utterances[index]
    text = list(text_of(one))
    place = int(random.integers(len(text)))
    sounds = {way.phones for way in corpus.lexicon.entries[text[place]]}
    others = [word for word, ways in corpus.lexicon.entries.items() if not sounds & {way.phones for way in ways}]
    text[place] = others[int(random.integers(len(others)))]
    return _planted(one, "swapped", one.samples, tuple(text))


def _shifted(corpus: Corpus, index: int, random: np.random.Generator) -> Planted:
    """Move both cuts by 200 to 500 ms: one goes into the speaker's neighbouring utterance, one into this one."""
    one = corpus.utterances[index]
    before, after = (_neighbour(corpus, index, step) for step in (-1, 1))
    shift = random.uniform(0.2, 0.5)
    seconds = len(one.samples) / WORKING_HZ
    if random.random() < 0.5:  # later
        joined, offset = np.concatenate([one.samples, after.samples]), 0.0
        cut = (one.words[0].start + shift, seconds + after.words[0].start + shift)
    else:
        joined, offset = np.concatenate([before.samples, one.samples]), len(before.samples) / WORKING_HZ
        cut = (before.words[-1].end - shift, offset + one.words[-1].end - shift)
    first, last = (int(edge * WORKING_HZ) for edge in cut)
    return _planted(one, "shifted", joined[first:last], text_of(one), offset - first / WORKING_HZ)


def _neighbour(corpus: Corpus, index: int, step: int) -> Utterance:
    """Find the speaker's next utterance, in a ring."""
    speaker = corpus.utterances[index].speaker
    ring = [i for i, one in enumerate(corpus.utterances) if one.speaker == speaker]
    return corpus.utterances[ring[(ring.index(index) + step) % len(ring)]]


def _truncated(corpus: Corpus, index: int, random: np.random.Generator) -> Planted:
    """Cut off the last 10 to 40 % of what lies between the first word's start and the last one's end."""
    one = corpus.utterances[index]
    spoken = one.words[-1].end - one.words[0].start
    end = one.words[-1].end - random.uniform(0.1, 0.4) * spoken
    return _planted(one, "truncated", one.samples[: int(end * WORKING_HZ)], text_of(one))


def text_of(one: Utterance) -> tuple[str, ...]:
    return tuple(word.symbol for word in one.words)


def _planted(one: Utterance, kind: str, samples: Samples, text: tuple[str, ...], offset: float = 0.0) -> Planted:
    words = tuple(Said(word.symbol, word.start + offset, word.end + offset) for word in one.words)
    return Planted(one.key, one.speaker, kind, samples, text, words)


_DAMAGE: dict[str, Callable[[Corpus, int, np.random.Generator], Planted]] = dict(
    zip(KINDS, (_true, _swapped, _shifted, _truncated), strict=True)
)


SETS: dict[str, Callable[[Path], Corpus]] = {"espeak": espeak, "digits": digits}
