# SPDX-License-Identifier: Apache-2.0
"""How far two transcripts of the same speech agree, and what that says of each word.

A word's confidence is that of ROVER's vote: `vote_weight` times the share of votes for it, and the rest from the
recognisers' own confidences. Source: Fiscus, "A post-processing system to yield reduced word error rates", ASRU 1997.
With two systems the word's own vote says nothing, so that only the other's is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.measures.wer import align_tokens

Scored = tuple[str, float | None]


class Agreement(Struct, frozen=True):
    """Rates count errors over the first transcript's words, or characters; 1 where there are as many or more."""

    wer: float
    cer: float
    confidences: tuple[float, ...]  # of the first transcript's words, 0..1


def agreement(first: Sequence[Scored], second: Sequence[Scored], vote_weight: float) -> Agreement:
    """Compare transcripts. `first` has at least one word.

    A word without confidences of its own has its vote alone.
    """
    texts = [[word for word, _ in scored] for scored in (first, second)]
    votes: list[float] = [0.0] * len(first)
    own: list[list[float]] = [[] if score is None else [score] for _, score in first]
    errors = 0
    for i, j in align_tokens(*texts):
        same = i is not None and j is not None and texts[0][i] == texts[1][j]
        errors += not same
        if same and i is not None and j is not None:
            votes[i] = 1.0
            score = second[j][1]
            own[i] += [] if score is None else [score]
    confidences = tuple(
        vote if not scores else vote_weight * vote + (1 - vote_weight) * sum(scores) / len(scores)
        for vote, scores in zip(votes, own, strict=True)
    )
    return Agreement(min(1.0, errors / len(first)), _character_rate(*texts), confidences)


def _character_rate(first: Sequence[str], second: Sequence[str]) -> float:
    one, other = "".join(first), "".join(second)
    errors = sum(i is None or j is None or one[i] != other[j] for i, j in align_tokens(one, other))
    return min(1.0, errors / len(one))
