# SPDX-License-Identifier: Apache-2.0
"""Aligning text with audio: when each word and phone of an utterance is said."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic.checks import warnings
from speechmill.acoustic.confidence import STEP, Filler, Judged, judged, phones_of, speech_outside
from speechmill.acoustic.features import Matrix, static
from speechmill.acoustic.gmm import Scorer
from speechmill.acoustic.graph import UNKNOWN, Graph, build
from speechmill.acoustic.lda import projected
from speechmill.acoustic.model import AcousticModel, variants_of
from speechmill.acoustic.normalise import Adaptation, normalised, of_utterance
from speechmill.acoustic.pronounce import Pronounced
from speechmill.acoustic.refine import Span, kinds, refined
from speechmill.acoustic.trees import Lookup
from speechmill.acoustic.types import Aligned, Ways
from speechmill.acoustic.viterbi import Path, search
from speechmill.core.errors import Unalignable
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, tick
from speechmill.core.types import Interval, Word
from speechmill.formats.lexicon import Lexicon

_SILENCE_PEAK = 1e-4  # of full scale, -80 dBFS: nobody speaks
_NO_SPEECH = -40.0  # logarithm of how much likelier speech is than silence there


class Found(Struct, frozen=True):
    """What an alignment is judged by: of each frame, its place in the graph."""

    features: Matrix  # as the model sees them
    graph: Graph
    path: Path


class Aligner:
    """Aligns utterances with one model and one lexicon. May be used by several threads at once."""

    def __init__(self, model: AcousticModel, lexicon: Lexicon) -> None:
        self.model = model
        self.lexicon = lexicon
        self._pronounced = Pronounced(lexicon, variants_of(model), model.pause)
        self._lookup = Lookup(model.tying)
        self._scorer = Scorer(model.mixtures)
        self._filler = Filler(self._scorer, model.tying)
        self._index = {phone: number for number, phone in enumerate(model.tying.phones)}
        self._hop_s = model.features.hop / WORKING_HZ
        self._kinds = kinds(model.tying.phones[2:])

    def align(self, samples: Samples, ways: Ways, *, speaker: Adaptation | None = None) -> Aligned:
        """Return when the words of `ways` are said in (num_samples,) float32 of 16 kHz.

        Raises Unalignable: no-text, no-speech, audio-too-short, no-alignment; AudioError("not-finite").
        """
        found = self.find(samples, ways, speaker=speaker)
        return self._aligned(found, ways, samples)

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
        return Found(features, graph, path)

    def features(self, samples: Samples, speaker: Adaptation | None = None) -> Matrix:
        """Return features as the model sees them. Raises AudioError("not-finite")."""
        raw = static(samples, self.model.features)
        adaptation = speaker or of_utterance(raw, self.model.average)
        return projected(normalised(raw, adaptation, self.model.features), self.model.projection)

    def graph(self, ways: Ways) -> Graph:
        """Return what may be heard where `ways` are said."""
        return build(ways, self._pronounced, self._lookup, self.model.pause)

    def _aligned(self, found: Found, ways: Ways, samples: Samples) -> Aligned:
        words: list[Word] = []
        phones: list[tuple[Word, ...]] = []
        chosen = [0] * len(ways)
        duration = len(samples) / WORKING_HZ
        spoken = refined(words_of(found, self._hop_s), self._kinds, samples, self._hop_s)
        scores, outside = self._judged(found, len(spoken), samples)
        for spans, score in zip(spoken, scores.words.tolist(), strict=True):
            unit = spans[0].unit
            name = ways[unit.token][unit.way][unit.word]
            chosen[unit.token] = unit.way
            words.append(self._word(name, spans[0].start, spans[-1].end, duration, round(score, 4)))
            said = [span for span in spans if span.unit.phone != UNKNOWN]
            phones.append(tuple(self._word(span.unit.phone, span.start, span.end, duration, None) for span in said))
        aligned = Aligned(tuple(words), tuple(phones), tuple(chosen), round(scores.score, 4))
        return replace(aligned, warnings=warnings(aligned, outside))

    def _judged(self, found: Found, num_words: int, samples: Samples) -> tuple[Judged, tuple[Interval, ...]]:
        """Return how sure the words are, and where somebody speaks outside of them."""
        phones = phones_of(found.graph, found.path.states, self._index)
        evidence = self._filler.evidence(found.features, found.graph.states[found.path.states], self._hop_s)
        heard = replace(
            evidence, speech=np.where(_silent(samples, self.model.features.hop)[::STEP], _NO_SPEECH, evidence.speech)
        )
        return judged(phones, heard, self.model.norms, num_words), speech_outside(phones, heard)

    def _word(self, symbol: str, start: float, end: float, duration: float, score: float | None) -> Word:
        begin, stop = (tick(min(duration, time)) for time in (start, end))
        return Word(symbol, begin, tick(stop - begin), score)


def _silent(samples: Samples, hop: int) -> NDArray[np.bool_]:
    """Tell which frames are digital silence: a model that was never shown any takes it for anything."""
    hops = np.abs(samples[: len(samples) // hop * hop]).reshape(-1, hop)
    return np.asarray(hops.max(axis=1) < _SILENCE_PEAK, np.bool_)


def words_of(found: Found, hop_s: float) -> list[list[Span]]:
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
        words[-1].append(Span(unit, start * hop_s, end * hop_s))
    return words
