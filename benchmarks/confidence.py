# SPDX-License-Identifier: Apache-2.0
"""Does the aligner's confidence find planted errors? Areas under the ROC curve, on known speech with damaged texts.

A quarter each of the utterances stays true, has one word swapped, is cut too early or too late, or loses its end:
`planted_errors.py` makes them, by a seed.

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
from msgspec import Struct
from numpy.typing import NDArray

from planted_errors import DATA, KINDS, SEED, SETS, Corpus, Planted, planted, text_of
from speechmill.acoustic.adapt import adaptation
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.gmm import Scorer
from speechmill.acoustic.normalise import Adaptation
from speechmill.acoustic.train import train
from speechmill.acoustic.types import Aligned, Example, Ways
from speechmill.core.errors import ItemError
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

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
    known = [_example(one.key, one.speaker, one.samples, text_of(one)) for one in corpus.half(not odd).utterances]
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


if __name__ == "__main__":
    main()
