# SPDX-License-Identifier: Apache-2.0
"""How sure an alignment is: every phone's posterior against all other sounds, judged by what is usual for that phone.

The posterior of the state that a frame was given to is taken against a filler, all states of the model side by side.
Its mean over a phone (the "goodness of pronunciation" of Witt & Young, 2000) and the phone's length are compared with
what they were in training; the distances make a logistic score of each word and of the whole. Its constants are the
same for every model and language; docs/alignment.md says what they were fitted to and how well they rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.gmm import Mixtures, Scorer, doubled
from speechmill.acoustic.graph import SILENCE, UNKNOWN, Graph
from speechmill.acoustic.trees import LEAF, SPECIAL, Tying
from speechmill.core.timebase import tick
from speechmill.core.types import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

PAUSE, ANY = -1, -2
STEP = 2  # every other frame is judged: neighbours at 5 ms say the same
_COMPONENTS = 400  # of the filler, and one at least for each tree; more cost time and change no score
_LOWEST = -40.0  # a frame can't speak louder against its phone than this
_USUAL = 10.0  # phones' worth of the average phone, added to each phone's own statistics
_RARE = 10.0  # a phone heard this often is judged as if it varied by 1.4 times as much: 3 to 40 do as well
_CALM = 0.2  # added to every deviation: nothing is judged to a finer degree
_POSTERIOR = (-10.0, 2.0)  # in deviations: beyond it a phone is as bad, or as good, as it can be
_ODDEST = 5.0
_ODD = 0.9  # deviations by which phones of a word differ from their usual length, on average
_SPEECH = 1.0  # logarithm of how much likelier speech than silence makes speech in a pause, where a word is scored ...
_CLEAR = 3.0  # ... and where it is a warning: breath and a room's noise stay below it
# Intercept and weights of `word_features` and `weakest`, by benchmarks/tuning/confidence.py.
_WORD = np.array([5.201, 0.958, -0.235, -0.080, 2.140, 1.312, -0.169, 1.317, 1.397])
_WHOLE = np.array([2.139, 0.715])  # as if half of all texts were wrong


class Norms(Struct, frozen=True):
    """What is usual for each phone of a model: part of the model, counted in training."""

    mean: Floats  # (phones, 2): of the posterior's logarithm, and of that of the length in seconds; silence: of all
    deviation: Floats


def typical(num_phones: int) -> Norms:
    """Return the same norms for every phone: about what models of our test speech have on average."""
    return Norms(np.tile([0.3, -2.5], (num_phones, 1)), np.tile([1.5, 0.6], (num_phones, 1)))


class Tally:
    """Sums of which norms are made; of a size that doesn't depend on the amount of speech."""

    def __init__(self, num_phones: int) -> None:
        self.count: Floats = np.zeros(num_phones)
        self.total: Floats = np.zeros((num_phones, 2))
        self.square: Floats = np.zeros((num_phones, 2))

    def add(self, phones: Phones, evidence: Evidence) -> None:
        """Count the phones of an utterance."""
        said = phones.word >= 0
        values = _measures(phones, evidence)[0][said]
        np.add.at(self.count, phones.phone[said], 1)
        np.add.at(self.total, phones.phone[said], values)
        np.add.at(self.square, phones.phone[said], values**2)

    def merge(self, other: Tally) -> None:
        """Add what another thread has counted."""
        self.count += other.count
        self.total += other.total
        self.square += other.square

    def norms(self) -> Norms:
        """Return means and deviations; of a rare phone, close to those of all phones.

        Its few examples made its Gaussians, so they fit these better than any other will: it is judged more widely.
        """
        whole = max(float(self.count.sum()), 1.0)
        share = _USUAL / whole
        count = self.count[:, None] + _USUAL
        mean = (self.total + share * self.total.sum(axis=0)) / count
        square = (self.square + share * self.square.sum(axis=0)) / count
        doubt = np.where(self.count > 0, 1 + _RARE / np.maximum(self.count, 1), 1.0)[:, None]
        return Norms(mean, np.sqrt(np.maximum(square - mean**2, 0) * doubt))


class Phones(Struct, frozen=True):
    """A path through an utterance as phones and pauses, in order of time, one beginning where the last one ends."""

    phone: Ints  # index in the model's phones
    word: Ints  # number of the word in the utterance; PAUSE, or ANY: speech of a word that nobody can say
    end: Ints  # frame after the last

    @property
    def start(self) -> Ints:
        """First frame of each."""
        return np.concatenate([np.zeros(1, np.int32), self.end[:-1]])


def phones_of(graph: Graph, states: Ints, index: Mapping[str, int]) -> Phones:
    """Return the phones of a path. states: (frames,), of the graph. index: number of each phone the model knows."""
    unit = graph.unit[states]
    last = np.append(np.flatnonzero(np.diff(unit)), len(unit) - 1)
    phone, word, number = [], [], -1
    for place in unit[last].tolist():
        said = graph.units[place] if place >= 0 else None
        number += said is not None and not said.position
        phone.append(index[SILENCE] if said is None else index.get(said.phone, index[UNKNOWN]))
        word.append(PAUSE if said is None else ANY if said.phone == UNKNOWN else number)
    return Phones(np.array(phone, np.int32), np.array(word, np.int32), (last + 1).astype(np.int32))


class Evidence(Struct, frozen=True):
    """What every STEP-th frame says, and how long a frame is."""

    posterior: Floats  # log-likelihood of the state that the frame was given to, against all sounds together
    speech: Floats  # logarithm of how much likelier speech is than silence
    hop: float  # seconds from one frame to the next


class Judged(Struct, frozen=True):
    """How sure the words of an utterance are, and all of it; 0..1."""

    words: Floats
    score: float


class Filler:
    """All sounds of a model side by side: what a frame is, if it isn't what the text says."""

    def __init__(self, scorer: Scorer, tying: Tying) -> None:
        self._own = scorer
        self._all = Scorer(_merged(scorer.mixtures, tying))
        self._places = np.arange(self._all.mixtures.num_states)
        self._silent = np.flatnonzero(np.isin(np.unique(tying.roots), tying.roots[0]))

    def evidence(self, features: Matrix, states: Ints, hop: float) -> Evidence:
        """Judge frames. states: (frames,), the model's state that each was given to. hop: seconds."""
        judged = np.ascontiguousarray(features[::STEP])
        own = self._own.own(judged, np.ascontiguousarray(states[::STEP]))
        scores = self._all.scores(doubled(judged), self._places)
        best = scores.max(axis=1)
        scores -= best[:, None]
        np.exp(scores, out=scores)
        silence = scores[:, self._silent].sum(axis=1)
        both = scores.sum(axis=1)
        posterior = np.maximum(own - best - np.log(both), _LOWEST)
        speech = np.log(np.maximum(both - silence, 1e-9)) - np.log(np.maximum(silence, 1e-9))
        return Evidence(posterior.astype(np.float64), speech.astype(np.float64), hop)


def _merged(mixtures: Mixtures, tying: Tying) -> Mixtures:
    """Make one small mixture of each tree's states: neighbours in the tree, which sound alike, become one Gaussian."""
    roots = np.unique(tying.roots)
    rows, shares = [], []
    sizes: list[int] = []
    for root in roots:
        states = _states(tying, int(root))
        found = np.concatenate([np.arange(*mixtures.first[[state, state + 1]]) for state in states])
        size = min(len(found), max(1, _COMPONENTS // len(roots)))
        rows.append(found)
        shares.append(sum(sizes) + np.arange(len(found)) * size // len(found))
        sizes.append(size)
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return _moments(mixtures, np.concatenate(rows), np.concatenate(shares), first)


def _moments(mixtures: Mixtures, rows: Ints, shares: Ints, first: Ints) -> Mixtures:
    """Return Gaussians with the moments of those components of which each is made."""
    weight = np.bincount(shares, mixtures.weights[rows])
    part = (mixtures.weights[rows] / weight[shares])[:, None]
    means, squares = np.zeros((2, len(weight), mixtures.means.shape[1]))
    np.add.at(means, shares, part * mixtures.means[rows])
    np.add.at(squares, shares, part * (mixtures.variances[rows] + mixtures.means[rows] ** 2))
    whole = np.add.reduceat(weight, first[:-1])
    return Mixtures(first, weight / np.repeat(whole, np.diff(first)), means, squares - means**2)


def _states(tying: Tying, root: int) -> list[int]:
    """Return the states that a tree leads to, those with common answers side by side."""
    found, waiting = [], [root]
    while waiting:
        node = tying.nodes[waiting.pop()].tolist()
        if node[0] == LEAF:
            found.append(node[1])
        else:
            waiting += [node[3], node[2]]
    return found


def _measures(phones: Phones, evidence: Evidence) -> tuple[Floats, Floats]:
    """Return (phones, 2): mean log posterior, logarithm of the length in seconds; and each one's frames."""
    judged = -(-phones.end // STEP) - -(-phones.start // STEP)
    place = np.repeat(np.arange(len(judged)), judged)
    total = np.bincount(place, evidence.posterior, len(judged))
    lasts = (phones.end - phones.start) * evidence.hop
    weights = np.maximum(judged, 1).astype(np.float64)
    return np.stack([total / weights, np.log(lasts)], axis=1), weights


def judged(phones: Phones, evidence: Evidence, norms: Norms, num_words: int) -> Judged:
    """Score words and the whole. A word without a phone here (nobody knows how it is said) scores 0."""
    known = np.unique(phones.word[phones.word >= 0])
    words = np.zeros(num_words)
    if not len(known):
        return Judged(words, 0.0)
    features = word_features(phones, evidence, norms)
    words[known] = _logistic(features, _WORD)
    return Judged(words, float(_logistic(weakest(features), _WHOLE)))


def usual(
    corpus: Corpus,
    graphs: Sequence[Graph],
    paths: Sequence[Ints | None],
    front: Callable[[int], Matrix],
    scorer: Scorer,
    tying: Tying,
) -> Norms:
    """Return the norms of a corpus, by the paths of its last alignment."""
    filler, index = Filler(scorer, tying), {phone: number for number, phone in enumerate(tying.phones)}

    def work(chunk: range) -> Tally:
        found = Tally(len(tying.phones))
        for number in chunk:
            path, graph = paths[number], graphs[number]
            if path is not None:
                states = graph.states[path]
                found.add(
                    phones_of(graph, path, index), filler.evidence(front(number), states, corpus.config.hop_ms / 1000)
                )
        return found

    total = Tally(len(tying.phones))
    for found in corpus.each(work):
        total.merge(found)
    return total.norms()


def word_features(phones: Phones, evidence: Evidence, norms: Norms) -> Floats:
    """Return (words that have phones, 8): what a word's score is made of, higher is better.

    In deviations from what is usual: the mean posterior of its frames among all phones; the mean and the least of its
    phones, each among its kind; the mean and the largest oddity of their lengths; of the words beside it the lower
    posterior and the larger oddity. Last, seconds of speech in the pauses beside it.
    """
    said = phones.word >= 0
    measures, weights = _measures(phones, evidence)
    of_phones = (measures - norms.mean[phones.phone]) / (norms.deviation[phones.phone] + _CALM)
    _, word = np.unique(phones.word[said], return_inverse=True)
    count = np.bincount(word)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    trained = phones.phone[said] != SPECIAL.index(UNKNOWN)  # what no training speech had, nobody can judge by its sound
    posterior = np.where(trained, np.clip(of_phones[said, 0], *_POSTERIOR), 0.0)
    oddity = -np.abs(np.clip(of_phones[said, 1], -_ODDEST, _ODDEST))
    means = [np.bincount(word, values) / count for values in (posterior, oddity)]
    least = [np.minimum.reduceat(values, first) for values in (posterior, oddity)]
    beside = [np.minimum(np.append(0.0, values[:-1]), np.append(values[1:], 0.0)) for values in means]
    weights = weights[said] * trained
    above = np.bincount(word, (measures[said, 0] - norms.mean[0, 0]) * weights)
    scale = np.maximum(np.bincount(word, weights), 1) * (norms.deviation[0, 0] + _CALM)
    whole = np.clip(above / scale, *_POSTERIOR)
    outside = -np.add.reduceat(_beside(_speech_in_pauses(phones, evidence, _SPEECH))[said], first)
    return np.stack([whole, means[0], least[0], means[1], least[1], *beside, outside], axis=1)


def _beside(seconds: Floats) -> Floats:
    """Return, for each phone, the seconds of speech in the pauses that touch it."""
    beside: Floats = np.append(0.0, seconds[:-1]) + np.append(seconds[1:], 0.0)
    return beside


def _speech_in_pauses(phones: Phones, evidence: Evidence, least: float) -> Floats:
    """Return (phones,): seconds of speech in each pause; 0 for what is none."""
    speech = np.append(0, np.cumsum(evidence.speech > least))
    edges = -(-np.append(0, phones.end) // STEP)
    return np.where(phones.word == PAUSE, np.diff(speech[edges]) * (STEP * evidence.hop), 0.0)


def speech_outside(phones: Phones, evidence: Evidence) -> tuple[Interval, ...]:
    """Return where somebody clearly speaks in a pause: from the first frame of it, as long as all of it together."""
    found = []
    seconds = _speech_in_pauses(phones, evidence, _CLEAR)
    for place in np.flatnonzero(seconds):
        first = -(-int(phones.start[place]) // STEP)
        within = first + int(np.argmax(evidence.speech[first:] > _CLEAR))
        found.append(Interval(tick(within * STEP * evidence.hop), tick(float(seconds[place]))))
    return tuple(found)


def weakest(words: Floats) -> Floats:
    """Return (1,): how far the word that sounds least like itself is from the usual, from the features of all.

    Lengths count where they are odder than most: in a model that was trained on wrong text they are wrong too.
    """
    found: Floats = (words[:, 0] + words[:, 1] + np.minimum(words[:, 3] + _ODD, 0) / 2).min(keepdims=True)
    return found


def _logistic(features: Floats, constants: Floats) -> Floats:
    scores: Floats = 1 / (1 + np.exp(-(features @ constants[1:] + constants[0])))
    return scores
