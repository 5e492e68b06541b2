# SPDX-License-Identifier: Apache-2.0
"""Aligning text with audio: when each word and phone of an utterance is said."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.features import Matrix, static
from speechmill.acoustic.gmm import Scorer, doubled
from speechmill.acoustic.graph import UNKNOWN, Graph, Unit, build
from speechmill.acoustic.model import AcousticModel, variants_of
from speechmill.acoustic.normalise import Adaptation, normalised, of_utterance
from speechmill.acoustic.pronounce import Pronounced
from speechmill.acoustic.trees import Lookup
from speechmill.acoustic.types import Aligned, Ways
from speechmill.acoustic.viterbi import Path, search
from speechmill.core.errors import Unalignable
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Word
from speechmill.formats.lexicon import Lexicon

_SILENCE_PEAK = 1e-4  # of full scale, -80 dBFS: nobody speaks
_UNKNOWN_STATE = 3
_EVEN, _SCALE = 0.0, 2.0  # nats a frame by which a word beats unknown speech: score 0.5, and how fast it changes


class Found(Struct, frozen=True):
    """What an alignment is judged by: of each frame, its place in the graph and how well it fits there."""

    features: Matrix  # as the model sees them
    graph: Graph
    path: Path
    chosen: NDArray[np.float32]  # (frames,) log-likelihood under the state of the path
    unknown: NDArray[np.float32]  # (frames,) log-likelihood under any speech


class Span(Struct, frozen=True):
    """A phone of the path, in frames."""

    unit: Unit
    start: int
    end: int


class Aligner:
    """Aligns utterances with one model and one lexicon. May be used by several threads at once."""

    def __init__(self, model: AcousticModel, lexicon: Lexicon) -> None:
        self.model = model
        self.lexicon = lexicon
        self._pronounced = Pronounced(lexicon, variants_of(model), model.pause)
        self._lookup = Lookup(model.tying)
        self._scorer = Scorer(model.mixtures)
        self._hop_s = model.features.hop / WORKING_HZ

    def align(self, samples: Samples, ways: Ways, *, speaker: Adaptation | None = None) -> Aligned:
        """Return when the words of `ways` are said in (num_samples,) float32 of 16 kHz.

        Raises Unalignable: no-text, no-speech, audio-too-short, no-alignment; AudioError("not-finite").
        """
        found = self.find(samples, ways, speaker=speaker)
        return self._aligned(found, ways, len(samples) / WORKING_HZ)

    def find(self, samples: Samples, ways: Ways, *, speaker: Adaptation | None = None) -> Found:
        """Return the path through an utterance, and what judges it. Raises as `align`."""
        if not any(ways):
            raise Unalignable("no-text", "the text has no word that can be said")
        features = self.features(samples, speaker)
        graph = self.graph(ways)
        if len(features) < graph.min_frames:
            seconds, needed = len(samples) / WORKING_HZ, graph.min_frames * self._hop_s
            raise Unalignable("audio-too-short", f"its phones need {needed:.3f} s, not {seconds:.3f} s")
        if float(np.max(np.abs(samples))) < _SILENCE_PEAK:
            raise Unalignable("no-speech", f"no sample is louder than {20 * math.log10(_SILENCE_PEAK):.0f} dBFS")
        path = search(features, graph, self._scorer, self.model.steps)
        if path is None:
            raise Unalignable("no-alignment", "no path leads through the text")
        return self._found(features, graph, path)

    def features(self, samples: Samples, speaker: Adaptation | None = None) -> Matrix:
        """Return features as the model sees them. Raises AudioError("not-finite")."""
        raw = static(samples, self.model.features)
        adaptation = speaker or of_utterance(raw, self.model.average)
        return normalised(raw, adaptation, self.model.features)

    def graph(self, ways: Ways) -> Graph:
        """Return what may be heard where `ways` are said."""
        return build(ways, self._pronounced, self._lookup, self.model.pause)

    def _found(self, features: Matrix, graph: Graph, path: Path) -> Found:
        states, columns = np.unique(graph.states[path.states], return_inverse=True)
        scores = self._scorer.scores(doubled(features), np.append(states, _UNKNOWN_STATE))
        chosen = scores[np.arange(len(features)), columns]
        return Found(features, graph, path, chosen, scores[:, -1])

    def _aligned(self, found: Found, ways: Ways, duration: float) -> Aligned:
        words: list[Word] = []
        phones: list[tuple[Word, ...]] = []
        warnings: list[str] = []
        chosen = [0] * len(ways)
        for spans in words_of(found):
            unit = spans[0].unit
            name = ways[unit.token][unit.way][unit.word]
            chosen[unit.token] = unit.way
            known = unit.phone != UNKNOWN
            if not known:
                warnings.append(f"oov: {name}")
            score = self._score(found, spans) if known else 0.0
            words.append(self._word(name, spans[0].start, spans[-1].end, duration, score))
            phones.append(tuple(self._word(s.unit.phone, s.start, s.end, duration, None) for s in spans if known))
        frames = [spans[-1].end - spans[0].start for spans in words_of(found)]
        score = float(np.average([word.score or 0.0 for word in words], weights=frames))
        return Aligned(tuple(words), tuple(phones), tuple(chosen), round(score, 4), tuple(warnings))

    def _score(self, found: Found, spans: list[Span]) -> float:
        start, end = spans[0].start, spans[-1].end
        gain = float(np.mean(found.chosen[start:end] - found.unknown[start:end]))
        return round(1 / (1 + math.exp(-max(-30.0, min(30.0, (gain - _EVEN) / _SCALE)))), 4)

    def _word(self, symbol: str, start: int, end: int, duration: float, score: float | None) -> Word:
        begin, stop = (tick(min(duration, frame * self._hop_s)) for frame in (start, end))
        return Word(symbol, begin, tick(stop - begin), score)


def words_of(found: Found) -> list[list[Span]]:
    """Return the phones of each word of a path, in order."""
    units = found.graph.unit[found.path.states]
    edges = [0, *(np.flatnonzero(np.diff(units)) + 1).tolist(), len(units)]
    words: list[list[Span]] = []
    for start, end in pairwise(edges):
        if units[start] < 0:
            continue
        unit = found.graph.units[units[start]]
        if not unit.position:
            words.append([])
        words[-1].append(Span(unit, start, end))
    return words
