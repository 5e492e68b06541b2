# SPDX-License-Identifier: Apache-2.0
"""Training an acoustic model on utterances and a lexicon.

Single Gaussians from the alignment that the seed gives, then mixtures that grow, with new alignments in between
(Viterbi training, as in HTK and Kaldi). The result depends on the examples, the lexicon and the options: not on the
order of examples or on the number of threads.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic import lda, seed
from speechmill.acoustic.confidence import Norms, usual
from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.fmllr import Evidence
from speechmill.acoustic.gmm import Mixtures, Scorer, estimated, single, split, state_counts
from speechmill.acoustic.graph import Graph, build
from speechmill.acoustic.model import AcousticModel, Card, Said
from speechmill.acoustic.monophone import first_choice, flat
from speechmill.acoustic.passes import Outcome, aligned, even_steps, gathered
from speechmill.acoustic.pronounce import Pronounced
from speechmill.acoustic.trees import Lookup, Tying, monophones
from speechmill.acoustic.triphone import contexts, tied
from speechmill.acoustic.types import Example
from speechmill.acoustic.viterbi import Steps
from speechmill.core.errors import SpeechmillError
from speechmill.formats.lexicon import Lexicon

Report = Callable[[str, float], None]  # what is being done, and how much of it is: 0..1

_MIN_COUNT = 4.0  # frames of which a Gaussian is estimated
_SILENCE_STATES, _UNKNOWN_STATE = (0, 1, 2), 3
_SEED_KNOWS = 0.7  # share of the phones, at least, for the seed to make the first alignment
_EVERY = 4  # frames of speech, of which unknown speech hears one


class TrainingError(SpeechmillError):
    """No model can be trained on these examples."""


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """How to train."""

    seed: int = 0  # which examples are taken where there are more than max_hours
    max_hours: float = 10.0  # more speech of the same kind hardly moves boundaries, and costs time
    tonal: bool = False  # pitch and voicing as features; tones of a phone share its tree
    features: FeatureConfig = FeatureConfig()
    from_seed: bool = True  # the first alignment is that of a small model of English phones; else phones lie evenly
    monophones: tuple[int, ...] = (1, 1, 2, 2, 4, 4, 8, 8, 8)  # Gaussians a state, at most, in each alignment, ...
    # ... and of phones between their neighbours. None: monophones stay, which time minutes of speech better than they.
    triphones: tuple[int, ...] = ()
    component_frames: int = 50  # ... and one for this many frames
    # Alignments, by number, before which speakers get new transforms (SAT). None: on minutes of speech boundaries got
    # worse, and it costs a third of the time.
    adapt_before: tuple[int, ...] = ()
    lda: int = 0  # frames to either side of which features are then made (LDA, MLLT); 0: slopes stay, which were better
    lda_dimensions: int = 40
    projected: tuple[int, ...] = (1, 2, 4, 8, 8)  # Gaussians in each alignment of these features
    max_leaves: int = 2000  # states of all triphones, at most
    leaf_frames: int = 100  # of which a state is made at least
    silence_factor: int = 4  # times as many Gaussians for silence, noise and breath as for a phone's state
    variance_floor: float = 0.05  # of the variance of all frames: no Gaussian's falls below
    unknown_components: int = 16  # Gaussians of unknown speech
    name: str = ""
    language: str = ""
    licence: str = ""


DEFAULTS = Options()


def train(
    examples: Sequence[Example],
    lexicon: Lexicon,
    options: Options = DEFAULTS,
    *,
    report: Report | None = None,
    threads: int = 0,
) -> AcousticModel:
    """Return a model of what is said in `examples`. threads: 0 takes all cores.

    report: told what is being done and how far it is. Raises TrainingError where nothing can be learnt.
    """
    say = report or (lambda stage, share: None)
    if options.lda and options.adapt_before:
        raise TrainingError("lda and adapt_before: speakers' transforms are those of slopes. Choose one of both")
    chosen = sampled(examples, lexicon, options)
    config = _features(options)
    with contextlib.closing(Corpus(config, threads)) as corpus:
        corpus.fill(chosen, lambda share: say("features", share))
        work = _Training(corpus, lexicon, options)
        work.run(say)
        return work.model()


def _features(options: Options) -> FeatureConfig:
    return replace(options.features, pitch=options.features.pitch or options.tonal)


def sampled(examples: Sequence[Example], lexicon: Lexicon, options: Options) -> list[Example]:
    """Return the examples to train on, by key: those with known words, and at most max_hours of them.

    Raises TrainingError where there are none, or two with one key.
    """
    twice = [key for key, count in Counter(example.key for example in examples).items() if count > 1]
    if twice:
        raise TrainingError(f"{len(twice)} keys of examples are not unique: {', '.join(sorted(twice)[:5])}")
    usable = [
        one for one in examples if any(one.ways) and all(_known(way, lexicon) for ways in one.ways for way in ways)
    ]
    if not usable:
        raise TrainingError(
            f"none of {len(examples)} utterances has a text whose words are all in the lexicon "
            f"({len(lexicon.entries)} words). Extend it with: speechmill lexicon extend"
        )
    order = sorted(usable, key=lambda one: hashlib.sha256(f"{options.seed} {one.key}".encode()).digest())
    kept: list[Example] = []
    seconds = 0.0
    for one in order:
        if kept and seconds + one.duration > options.max_hours * 3600:
            continue
        kept.append(one)
        seconds += one.duration
    return sorted(kept, key=lambda one: one.key)


def _known(way: Sequence[str], lexicon: Lexicon) -> bool:
    return all(word in lexicon.entries for word in way)


class _Training:
    """A model in the making."""

    def __init__(self, corpus: Corpus, lexicon: Lexicon, options: Options) -> None:
        self._corpus = corpus
        self._lexicon = lexicon
        self._options = options
        words = {word for one in corpus.utterances for ways in one.ways for way in ways for word in way}
        self._pronounced = Pronounced(lexicon)
        phones = sorted({phone for word in words for variant in self._pronounced[word] for phone in variant.phones})
        self._tying: Tying = monophones(phones)
        self._lookup = Lookup(self._tying)
        self._pause = -0.7
        self._graphs = [build(one.ways, self._pronounced, self._lookup, self._pause) for one in corpus.utterances]
        self._check()
        self._projection: lda.Projection | None = None
        self._outcome: Outcome | None = None
        self._mixtures, self._floor = self._start(self._first_alignment())
        self._steps: Steps = even_steps(self._tying.num_states)

    def _check(self) -> None:
        pairs = list(zip(self._corpus.utterances, self._graphs, strict=True))
        if not any(one.num_frames >= graph.min_frames for one, graph in pairs):
            raise TrainingError(
                f"none of {len(pairs)} utterances has audio for all its phones "
                f"({'; '.join(self._corpus.left_out[:3]) or 'all are too short'}). See: speechmill validate"
            )
        self._corpus.left_out += [
            f"audio-too-short: {one.key}" for one, graph in pairs if one.num_frames < graph.min_frames
        ]

    def _start(self, states: Callable[[int], NDArray[np.int32] | None]) -> tuple[Mixtures, NDArray[np.float64]]:
        """Return a Gaussian for each state of these frames, and the floor of variances."""
        size = self._projection.num_dimensions if self._projection else self._corpus.config.num_dimensions
        blank = single(1, np.zeros(size), np.ones(size))
        whole = gathered(self._corpus, self._one_state, self._front, blank)
        mean = whole.total[0] / whole.count[0]
        variance = np.maximum(whole.square[0] / whole.count[0] - mean**2, 1e-3)
        mixtures = single(self._tying.num_states, mean, variance)
        floor = self._options.variance_floor * variance
        statistics = gathered(self._corpus, states, self._front, mixtures)
        return estimated(mixtures, statistics, floor, _MIN_COUNT), floor

    def _first_alignment(self) -> Callable[[int], NDArray[np.int32] | None]:
        """Return what gives each utterance's states before there is a model: the seed, or an even division."""
        if not self._seeded():
            return self._flat
        known = seed.columns(self._corpus.config)
        guess = seed.mixtures(self._tying)
        steps = even_steps(self._tying.num_states)
        outcome = aligned(self._corpus, self._graphs, lambda number: self._front(number)[:, known], guess, steps)
        return lambda number: self._states(number, outcome.paths[number])

    def _seeded(self) -> bool:
        """Tell whether the seed knows features and phones: where it knows few, it can't tell one from another."""
        if not (self._options.from_seed and seed.fits(self._corpus.config)):
            return False
        like = seed.likened(self._tying.phones[2:])
        return sum(map(bool, like.values())) >= _SEED_KNOWS * len(like)

    def _states(self, number: int, path: NDArray[np.int32] | None) -> NDArray[np.int32] | None:
        return None if path is None else self._graphs[number].states[path]

    def _front(self, number: int) -> NDArray[np.float32]:
        return lda.projected(self._corpus.features(self._corpus.utterances[number]), self._projection)

    def _one_state(self, number: int) -> NDArray[np.int32]:
        return np.zeros(self._corpus.utterances[number].num_frames, np.int32)

    def _flat(self, number: int) -> NDArray[np.int32] | None:
        utterance, graph = self._corpus.utterances[number], self._graphs[number]
        if utterance.num_frames < graph.min_frames:
            return None
        sequence = first_choice(graph, self._lookup)
        return flat(self._corpus.static(utterance), self._corpus.config.hop_ms / 1000, sequence, _SILENCE_STATES)

    def run(self, say: Report) -> None:
        """Train."""
        options = self._options
        plain = len(options.monophones) + len(options.triphones)
        sizes = options.monophones + options.triphones + (options.projected if options.lda else ())
        total = len(sizes)
        for number, size in enumerate(sizes):
            say("training", number / total)
            if number == len(options.monophones):
                self._tie()
            if number in options.adapt_before:
                self._adapt()
            if number == plain:
                self._project()
            self._pass(size)
        self._unknown()
        say("training", 1.0)

    def _project(self) -> None:
        """Go from slopes to what neighbouring frames say of states, by the last alignment."""
        options, paths = self._options, self._outcome.paths if self._outcome else []

        def states(number: int) -> NDArray[np.int32] | None:
            return self._states(number, paths[number])

        sizes = (self._tying.num_states, options.lda, options.lda_dimensions)
        self._projection = lda.learnt(self._corpus, states, *sizes)
        self._mixtures, self._floor = self._start(states)

    def _adapt(self) -> None:
        """Give every speaker with enough speech a transform: that of plain features, by the last alignment."""
        self._corpus.transform(dict.fromkeys({one.speaker for one in self._corpus.utterances}))
        evidence: dict[str, Evidence] = {}
        for found in self._corpus.each(self._evidence(Scorer(self._mixtures))):
            for speaker, one in found.items():
                evidence.setdefault(speaker, Evidence(self._corpus.config.num_dimensions)).merge(one)
        self._corpus.transform({speaker: one.transform() for speaker, one in evidence.items()})

    def _evidence(self, scorer: Scorer) -> Callable[[range], dict[str, Evidence]]:
        paths = self._outcome.paths if self._outcome else []

        def work(chunk: range) -> dict[str, Evidence]:
            found: dict[str, Evidence] = {}
            for number in chunk:
                states = self._states(number, paths[number])
                if states is not None:
                    speaker = self._corpus.utterances[number].speaker
                    one = found.setdefault(speaker, Evidence(self._corpus.config.num_dimensions))
                    one.add(self._front(number), states, scorer)
            return found

        return work

    def _tie(self) -> None:
        """Go from phones to phones between their neighbours."""
        options = self._options
        paths = self._outcome.paths if self._outcome else []
        found = contexts(self._corpus, self._graphs, paths, self._front, self._tying)
        limits = (options.max_leaves, options.leaf_frames)
        self._tying, self._mixtures = tied(found, self._tying.phones, self._floor, *limits, tonal=options.tonal)
        self._lookup = Lookup(self._tying)
        self._graphs = [build(one.ways, self._pronounced, self._lookup, self._pause) for one in self._corpus.utterances]
        self._steps = even_steps(self._tying.num_states)
        self._counts = np.zeros(self._tying.num_states)

    def _pass(self, size: int) -> None:
        if size > 1:
            self._mixtures = split(self._mixtures, self._wanted(size))
        self._outcome = aligned(self._corpus, self._graphs, self._front, self._mixtures, self._steps)
        if not self._outcome.frames:
            raise TrainingError("no utterance could be aligned. See: speechmill validate")
        self._steps = self._outcome.stay.steps()
        self._counts = state_counts(self._mixtures, self._outcome.statistics)
        self._mixtures = estimated(self._mixtures, self._outcome.statistics, self._floor, _MIN_COUNT)

    def _wanted(self, size: int) -> NDArray[np.int64]:
        counts = self._counts.astype(np.int64) // self._options.component_frames
        wanted = np.clip(counts, 1, size)
        silence = list(_SILENCE_STATES)
        wanted[silence] = np.clip(counts[silence], 1, self._options.silence_factor * size)
        wanted[_UNKNOWN_STATE] = 1
        return wanted

    def _unknown(self) -> None:
        """Train unknown speech on every fourth frame of all speech."""
        size = 1
        while True:
            statistics = gathered(self._corpus, self._speech, self._front, self._mixtures)
            self._mixtures = estimated(self._mixtures, statistics, self._floor, _MIN_COUNT)
            if size >= self._options.unknown_components:
                return
            size *= 2
            wanted = self._mixtures.sizes.copy()
            wanted[_UNKNOWN_STATE] = size
            self._mixtures = split(self._mixtures, wanted)

    def _speech(self, number: int) -> NDArray[np.int32] | None:
        path = self._outcome.paths[number] if self._outcome else None
        if path is None:
            return None
        heard = np.where(self._graphs[number].unit[path] >= 0, _UNKNOWN_STATE, -1).astype(np.int32)
        heard[np.arange(len(heard)) % _EVERY > 0] = -1
        return heard

    def model(self) -> AcousticModel:
        """Return what was learnt."""
        heard = self._heard()
        words = sum(said.count for said in heard)
        pause = np.log(np.clip((sum(said.pauses for said in heard) + 1) / (words + 2), 0.01, 0.99))
        return AcousticModel(
            card=self._card(),
            features=self._corpus.config,
            tying=self._tying,
            mixtures=rounded(self._mixtures),
            steps=self._steps,
            average=self._corpus.average,
            transforms=bool(self._options.adapt_before),
            norms=self._norms(),
            pause=float(pause),
            said=heard,
            projection=self._projection,
        )

    def _norms(self) -> Norms:
        """Count what is usual for each phone in the last alignment."""
        paths = self._outcome.paths if self._outcome else []
        return usual(self._corpus, self._graphs, paths, self._front, Scorer(rounded(self._mixtures)), self._tying)

    def _heard(self) -> tuple[Said, ...]:
        """Count pronunciations, and pauses between words, in the last alignment."""
        counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        pauses: Counter[tuple[str, tuple[str, ...]]] = Counter()
        paths = self._outcome.paths if self._outcome else []
        for one, graph, path in zip(self._corpus.utterances, self._graphs, paths, strict=True):
            if path is None:
                continue
            for word, variant, paused in said_words(graph, path):
                name = one.ways[word[0]][word[1]][word[2]]
                key = (name, self._pronounced[name][variant].phones)
                counts[key] += 1
                pauses[key] += paused
        return tuple(Said(word, phones, counts[word, phones], pauses[word, phones]) for word, phones in sorted(counts))

    def _card(self) -> Card:
        options, corpus = self._options, self._corpus
        return Card(
            name=options.name,
            language=options.language,
            licence=options.licence,
            hours=round(corpus.num_frames * corpus.config.hop_ms / 3.6e6, 4),
            utterances=len(corpus.utterances),
            speakers=corpus.num_speakers,
            phones=self._tying.phones[2:],
            lexicon=self._lexicon.digest,
            seed=options.seed,
            left_out=tuple(sorted(corpus.left_out)[:100]),
            versions={name: version(name) for name in ("speechmill", "numpy", "numba")},
        )


def said_words(graph: Graph, path: NDArray[np.int32]) -> list[tuple[tuple[int, int, int], int, bool]]:
    """Return (token, way, word), pronunciation, and whether a pause follows before another word, of each word said."""
    units = graph.unit[path]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(units) != 0]))
    runs = [int(units[start]) for start in starts]
    found: list[tuple[tuple[int, int, int], int, bool]] = []
    for number, run in enumerate(runs):
        if run < 0 or graph.units[run].position:
            continue
        unit = graph.units[run]
        if found and runs[number - 1] < 0:
            found[-1] = (*found[-1][:2], True)
        found.append(((unit.token, unit.way, unit.word), unit.variant, False))
    return found


def rounded(mixtures: Mixtures) -> Mixtures:
    """Return mixtures as a model's file holds them, so that a model aligns the same before and after it is saved."""
    arrays = (mixtures.weights, mixtures.means, mixtures.variances)
    return Mixtures(mixtures.first, *(array.astype(np.float32).astype(np.float64) for array in arrays))
