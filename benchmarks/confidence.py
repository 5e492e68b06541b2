# SPDX-License-Identifier: Apache-2.0
"""Does the aligner's confidence find planted errors? Areas under the ROC curve, on known speech with damaged texts.

Of the utterances of espeak_vi and of free_spoken_digits (digits strung together, with pauses) a quarter each stays
true, has one word swapped for another, is cut 200 to 500 ms too late or too early (into the neighbour's words on one
side, into its own on the other), or loses the last 10 to 40 % of its speech. `planted` makes them, by a seed.

Rows `utterance_auc_*`: how often a true utterance has a higher score than a damaged one. Rows `word_auc_*`: the same of
words of all utterances; wrong is a word that is not said, or whose start or end is off by more than 50 ms (digits: 100
ms, for their truth is good to 50 ms), also where that is the aligner's fault and in a true utterance. What can't be
aligned scores 0. Models are trained on the true text of the other half of the utterances; rows `*_spoilt` on the
damaged utterances themselves, three quarters of them wrong. Everything was tuned on the even half
(benchmarks/tuning/confidence.py); the odd half is reported, the median of several seeds. The baseline is the mean
log-likelihood of a frame. Beside: areas by kind of damage, Brier score and calibration error (ECE, ten bins), share of
utterances of each kind with a warning.

    python benchmarks/confidence.py [--data FOLDER] [--sets espeak,digits] [--seeds 3] [--even]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.adapt import adaptation
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.gmm import Scorer
from speechmill.acoustic.normalise import Adaptation
from speechmill.acoustic.train import train
from speechmill.acoustic.types import Aligned, Example, Ways
from speechmill.core.errors import ItemError
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


Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", default="espeak,digits")
    parser.add_argument("--seeds", type=int, default=3, help="times that errors are planted")
    parser.add_argument("--even", action="store_true", help="report the half that was tuned on")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no speech to measure on: {options.data} is absent")
    rows: list[Row] = []
    for name in options.sets.split(","):
        corpus = SETS[name](options.data)
        for spoilt in (False, True):
            rows += measured(
                name, corpus, [SEED + n for n in range(options.seeds)], odd=not options.even, spoilt=spoilt
            )
    print(json.dumps({"rows": rows}))


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
    return _planted(one, "true", one.samples, _text(one))


def _swapped(corpus: Corpus, index: int, random: np.random.Generator) -> Planted:
    """Put another word of the lexicon, of another sound, in the place of one."""
    one = corpus.utterances[index]
    text = list(_text(one))
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
    return _planted(one, "shifted", joined[first:last], _text(one), offset - first / WORKING_HZ)


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
    return _planted(one, "truncated", one.samples[: int(end * WORKING_HZ)], _text(one))


def _text(one: Utterance) -> tuple[str, ...]:
    return tuple(word.symbol for word in one.words)


def _planted(one: Utterance, kind: str, samples: Samples, text: tuple[str, ...], offset: float = 0.0) -> Planted:
    words = tuple(Said(word.symbol, word.start + offset, word.end + offset) for word in one.words)
    return Planted(one.key, one.speaker, kind, samples, text, words)


_DAMAGE: dict[str, Callable[[Corpus, int, np.random.Generator], Planted]] = dict(
    zip(KINDS, (_true, _swapped, _shifted, _truncated), strict=True)
)


class Judged(Struct, frozen=True):
    """What the aligner says of an utterance, and what is true."""

    kind: str
    score: float
    likelihood: float  # of a frame, on average
    words: tuple[tuple[float, float, bool], ...]  # score, likelihood of a frame, whether it is said there
    warned: bool


def models(corpus: Corpus, seeds: Sequence[int], *, odd: bool, spoilt: bool) -> Iterator[tuple[Aligner, list[Planted]]]:
    """Yield an aligner and what it is to align, for each seed."""
    half = corpus.half(odd)
    known = [_example(one.key, one.speaker, one.samples, _text(one)) for one in corpus.half(not odd).utterances]
    aligner = None if spoilt else Aligner(train(known, corpus.lexicon), corpus.lexicon)
    for seed in seeds:
        cases = planted(half, seed)
        own = [_example(one.key, one.speaker, one.samples, one.text) for one in cases]
        yield aligner or Aligner(train(own, corpus.lexicon), corpus.lexicon), list(cases)


def measured(name: str, corpus: Corpus, seeds: Sequence[int], *, odd: bool, spoilt: bool) -> list[Row]:
    """Return the rows of a set: of utterances, and of words."""
    runs = [
        [judge(aligner, one, corpus.tolerance, speakers) for one in cases]
        for aligner, cases in models(corpus, seeds, odd=odd, spoilt=spoilt)
        for speakers in [normalised(aligner, cases)]
    ]
    end = f"{name}_spoilt" if spoilt else name
    rows = [_utterances(f"utterance_auc_{end}", runs), _words(f"word_auc_{end}", runs)]
    for row in rows:
        print(f"{row['name']}: {row['ours']:.3f} ({row['baseline']:.3f} by likelihood)", file=sys.stderr)
    return rows


def normalised(aligner: Aligner, cases: Sequence[Planted]) -> dict[str, Adaptation]:
    """Return how each speaker's features are normalised."""
    by_speaker: dict[str, list[Example]] = {}
    for one in cases:
        by_speaker.setdefault(one.speaker, []).append(_example(one.key, one.speaker, one.samples, one.text))
    return {speaker: adaptation(aligner, examples) for speaker, examples in by_speaker.items()}


def judge(aligner: Aligner, one: Planted, tolerance: float, speakers: dict[str, Adaptation]) -> Judged:
    """Align an utterance; one that can't be aligned scores 0, and counts as warned of."""
    ways, speaker = ways_of(one.text), speakers[one.speaker]
    try:
        aligned = aligner.align(one.samples, ways, speaker=speaker)
        found = aligner.find(one.samples, ways, speaker=speaker)
    except ItemError:
        return Judged(one.kind, 0.0, -1e9, tuple((0.0, -1e9, False) for _ in one.text), warned=True)
    states = np.ascontiguousarray(found.graph.states[found.path.states])
    own = Scorer(aligner.model.mixtures).own(np.ascontiguousarray(found.features), states)
    per_s = 1000 / aligner.model.features.hop_ms
    words = tuple(
        (word.score or 0.0, float(own[int(word.start * per_s) : int(word.end * per_s) + 1].mean()), good)
        for word, good in zip(aligned.words, rightly(aligned, one, tolerance), strict=True)
    )
    return Judged(one.kind, aligned.score, float(own.mean()), words, bool(aligned.warnings))


def rightly(aligned: Aligned, one: Planted, tolerance: float) -> list[bool]:
    """Tell which words are said, and said where the aligner has them."""
    return [
        word.symbol == said.symbol and max(abs(word.start - said.start), abs(word.end - said.end)) <= tolerance
        for word, said in zip(aligned.words, one.words, strict=True)
    ]


def ways_of(text: Sequence[str]) -> Ways:
    return tuple(((word,),) for word in text)


def _example(key: str, speaker: str, samples: Samples, text: Sequence[str]) -> Example:
    return Example(key, len(samples) / WORKING_HZ, lambda: samples, ways_of(text), speaker)


def _utterances(name: str, runs: Sequence[Sequence[Judged]]) -> Row:
    def areas(run: Sequence[Judged], by: Callable[[Judged], float], kinds: Sequence[str] = KINDS) -> float:
        chosen = [one for one in run if one.kind in kinds]
        return area([by(one) for one in chosen], [one.kind == "true" for one in chosen])

    everyone = [one for run in runs for one in run]
    return {
        **_row(name, [areas(run, _score) for run in runs], [areas(run, lambda one: one.likelihood) for run in runs]),
        **_calibration([one.score for one in everyone], [one.kind == "true" for one in everyone]),
        "by_kind": {
            kind: round(statistics.median(areas(run, _score, ("true", kind)) for run in runs), 3) for kind in KINDS[1:]
        },
        "warned": {
            kind: round(statistics.mean(one.warned for one in everyone if one.kind == kind), 3) for kind in KINDS
        },
    }


def _score(one: Judged) -> float:
    return one.score


def _words(name: str, runs: Sequence[Sequence[Judged]]) -> Row:
    found = [[word for one in run for word in one.words] for run in runs]
    true = [good for run in runs for one in run if one.kind == "true" for _, _, good in one.words]
    ours, baseline = ([area([w[of] for w in words], [w[2] for w in words]) for words in found] for of in (0, 1))
    return {
        **_row(name, ours, baseline),
        **_calibration([word[0] for words in found for word in words], [word[2] for words in found for word in words]),
        "right_in_true_utterances": round(statistics.mean(true), 3),
    }


def _row(name: str, ours: Sequence[float], baseline: Sequence[float]) -> Row:
    """Return a row; its ratio is that of pairs ranked wrongly."""
    mine, other = statistics.median(ours), statistics.median(baseline)
    return {
        "name": name,
        "unit": "area under the ROC curve",
        "ours": round(mine, 3),
        "baseline": round(other, 3),
        "baseline_name": "mean log-likelihood of a frame",
        "ratio": round((1 - other) / (1 - mine), 2),
        "runs": [round(value, 3) for value in ours],
    }


def _calibration(scores: Sequence[float], good: Sequence[bool]) -> Row:
    """Return the Brier score, and by how much scores miss the share of good ones in ten bins (ECE)."""
    values, right = np.asarray(scores), np.asarray(good, float)
    place = np.minimum((values * 10).astype(int), 9)
    gaps = np.abs(np.bincount(place, right - values, 10)).sum() / len(values)
    return {"brier": round(float(np.mean((values - right) ** 2)), 3), "ece": round(float(gaps), 3)}


def area(scores: Sequence[float], good: Sequence[bool]) -> float:
    """Area under the ROC curve: how often a good one scores higher than a bad one; a tie counts half."""
    values, right = np.asarray(scores, float), np.asarray(good, bool)
    ranks = _ranks(values)
    num_good, num_bad = int(right.sum()), int((~right).sum())
    return float((ranks[right].sum() - num_good * (num_good + 1) / 2) / (num_good * num_bad))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - counts + 1 + last) / 2)[inverse], np.float64)


SETS: dict[str, Callable[[Path], Corpus]] = {"espeak": espeak, "digits": digits}

if __name__ == "__main__":
    main()
