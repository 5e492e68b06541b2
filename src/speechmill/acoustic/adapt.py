# SPDX-License-Identifier: Apache-2.0
"""Adapting to a speaker, by what normalises the features, and to new data, by moving a model's means."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import Matrix, static
from speechmill.acoustic.fmllr import Evidence
from speechmill.acoustic.gmm import Mixtures, Scorer, Statistics
from speechmill.acoustic.lda import projected
from speechmill.acoustic.model import AcousticModel
from speechmill.acoustic.normalise import Adaptation, Moments, normalised
from speechmill.acoustic.passes import aligned
from speechmill.acoustic.train import Options, TrainingError, rounded, sampled
from speechmill.acoustic.types import Example
from speechmill.acoustic.viterbi import search
from speechmill.core.errors import ItemError
from speechmill.formats.lexicon import Lexicon

__all__ = ["Adaptation", "adaptation", "adapted_model"]

_ENOUGH_S = 20.0  # of a speaker; twice and six times as much moved no mean error by more than 0.1 ms
_PRIOR_FRAMES = 20.0  # what the old mean of a Gaussian counts for beside new frames (Gauvain & Lee 1994: tau)


def adaptation(aligner: Aligner, examples: Sequence[Example]) -> Adaptation:
    """Return how one speaker's features are normalised, from 20 seconds of its examples.

    Where the model was trained with speakers' transforms, they are aligned and give one too. Examples that can't be
    read or aligned are passed over here: who aligns them says why.
    """
    config = aligner.model.features
    moments = Moments(config.num_static)
    kept: list[tuple[Example, Matrix]] = []
    seconds = 0.0
    for example in sorted(examples, key=lambda one: one.key):
        if seconds >= _ENOUGH_S:
            break
        try:
            kept.append((example, static(example.read(), config)))
        except ItemError:
            continue
        moments.add(kept[-1][1])
        seconds += example.duration
    moments.add_prior(aligner.model.average)
    plain = moments.normalisation()
    return replace(plain, transform=_transform(aligner, kept, plain)) if aligner.model.transforms else plain


def _transform(
    aligner: Aligner, kept: Sequence[tuple[Example, Matrix]], plain: Adaptation
) -> NDArray[np.float32] | None:
    evidence = Evidence(aligner.model.features.num_dimensions)
    scorer = Scorer(aligner.model.mixtures)
    for example, raw in kept:
        features = normalised(raw, plain, aligner.model.features)
        graph = aligner.graph(example.ways)
        path = search(features, graph, scorer, aligner.model.steps)
        if path is not None:
            evidence.add(features, graph.states[path.states], scorer)
    return evidence.transform()


def adapted_model(
    model: AcousticModel, lexicon: Lexicon, examples: Sequence[Example], *, passes: int = 2, threads: int = 0
) -> AcousticModel:
    """Return a model moved towards new examples: means between the old and the new, by how much was heard (MAP).

    Raises TrainingError where none of the examples can be used.
    """
    aligner = Aligner(model, lexicon)
    chosen = sampled(examples, lexicon, Options(seed=model.card.seed))
    with contextlib.closing(Corpus(model.features, threads)) as corpus:
        corpus.fill(chosen, lambda share: None)
        graphs = [aligner.graph(one.ways) for one in corpus.utterances]
        mixtures = model.mixtures

        def front(number: int) -> NDArray[np.float32]:
            return projected(corpus.features(corpus.utterances[number]), model.projection)

        for _ in range(passes):
            outcome = aligned(corpus, graphs, front, mixtures, model.steps)
            if not outcome.frames:
                raise TrainingError(f"none of {len(examples)} utterances could be aligned. See: speechmill validate")
            mixtures = moved(model.mixtures, outcome.statistics)
        card = replace(
            model.card,
            hours=round(model.card.hours + corpus.num_frames * model.features.hop_ms / 3.6e6, 4),
            utterances=model.card.utterances + len(corpus.utterances),
            speakers=model.card.speakers + corpus.num_speakers,
        )
    return replace(model, card=card, mixtures=rounded(mixtures))


def moved(mixtures: Mixtures, statistics: Statistics) -> Mixtures:
    """Return mixtures whose means went from the old ones towards those of the statistics."""
    count = statistics.count[:, None]
    means = (statistics.total + _PRIOR_FRAMES * mixtures.means) / (count + _PRIOR_FRAMES)
    return Mixtures(mixtures.first, mixtures.weights, means, mixtures.variances)
