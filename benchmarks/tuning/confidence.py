# SPDX-License-Identifier: Apache-2.0
"""Fit the constants of alignment confidence to planted errors in the even half of espeak_vi and free_spoken_digits.

Models are trained on the odd half's true text, and on the damaged even half itself; words and utterances of all four
weigh the same. Prints the lines for src/speechmill/acoustic/confidence.py, and areas under the curve. The odd half's
errors are not looked at: benchmarks/confidence.py reports those.

`_RARE` was chosen with these seeds too, on espeak_vi: for 0, 3, 10, 20, 40 areas are 0.985, 0.986, 0.986, 0.985, 0.985
(utterances) and 0.971, 0.972, 0.973, 0.973, 0.972 (words); 9, 6, 6, 5, 3 % of true texts score below 0.2, and 97, 95,
95, 94, 94 % of wrong ones. `checks.Limits` are by `warned` of `benchmarks/confidence.py --even`, at most a tenth of
true texts: of `min_speech_s`, 0.2 warns of 10 % of true digits by itself and 0.25 of 5 %.

    python benchmarks/tuning/confidence.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
SEEDS = (104, 105)

Set = tuple[NDArray[np.float64], NDArray[np.float64]]  # features, whether it is right


def main() -> None:
    from confidence import area
    from planted_errors import SETS

    words, wholes = {}, {}
    for name, read in SETS.items():
        for spoilt in (False, True):
            words[name, spoilt], wholes[name, spoilt] = inputs(read(), spoilt=spoilt)
    for title, sets in (("_WORD", words), ("_WHOLE", wholes)):
        constants = fitted(list(sets.values()))
        if title == "_WHOLE":  # a quarter is true here; as if half were
            constants[0] += np.log(3)
        print(f"{title} = np.array([{', '.join(f'{value:.3f}' for value in constants)}])")
        for (name, spoilt), (features, right) in sets.items():
            alone = " ".join(f"{area(features[:, i], right > 0):.3f}" for i in range(features.shape[1]))
            found = area(features @ constants[1:], right > 0)
            print(f"# {name}{' spoilt' if spoilt else ''}: {found:.3f}; each alone {alone}")


def inputs(corpus: object, *, spoilt: bool) -> tuple[Set, Set]:
    """Return features and truth of words, and of utterances."""
    from confidence import models, normalised, rightly, ways_of
    from speechmill.acoustic.confidence import Filler, phones_of, weakest, word_features
    from speechmill.acoustic.gmm import Scorer
    from speechmill.core.errors import ItemError

    words, right, wholes, true = [], [], [], []
    for aligner, cases in models(corpus, SEEDS, odd=False, spoilt=spoilt):
        model, speakers = aligner.model, normalised(aligner, cases)
        filler = Filler(Scorer(model.mixtures), model.tying)
        index = {phone: number for number, phone in enumerate(model.tying.phones)}
        for one in cases:
            try:
                found = aligner.find(one.samples, ways_of(one.text), speaker=speakers[one.speaker])
                aligned = aligner.align(one.samples, ways_of(one.text), speaker=speakers[one.speaker])
            except ItemError:
                continue
            states = found.graph.states[found.path.states]
            evidence = filler.evidence(found.features, states, model.features.hop_ms / 1000)
            features = word_features(phones_of(found.graph, found.path.states, index), evidence, model.norms)
            words.append(features)
            right += rightly(aligned, one, corpus.tolerance)
            wholes.append(weakest(features))
            true.append(one.kind == "true")
    return (np.concatenate(words), np.array(right, float)), (np.array(wholes), np.array(true, float))


def fitted(sets: list[Set], penalty: float = 1.0) -> NDArray[np.float64]:
    """Return intercept and weights of a logistic regression, by Newton's method; each set weighs the same."""
    features = np.concatenate([one for one, _ in sets])
    right = np.concatenate([one for _, one in sets])
    weight = np.concatenate([np.full(len(one), 1000 / len(one)) for one, _ in sets])
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs = np.column_stack([np.ones(len(features)), (features - mean) / deviation])
    constants = np.zeros(inputs.shape[1])
    ridge = penalty * np.diag([0.0] + [1.0] * features.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-inputs @ constants))
        slope = inputs.T @ (weight * (right - chance)) - ridge @ constants
        curve = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs + ridge
        constants += np.linalg.solve(curve, slope)
    weights = constants[1:] / deviation
    return np.concatenate([[constants[0] - weights @ mean], weights])


if __name__ == "__main__":
    main()
