# SPDX-License-Identifier: Apache-2.0
"""One affine transform of a speaker's features that makes them likelier under a model: fMLLR (Gales, 1998).

Training with transformed features (SAT) leaves to the model what phones are, and to the transforms who speaks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic.features import Matrix
from speechmill.acoustic.gmm import Scorer
from speechmill.acoustic.products import product

MIN_FRAMES = 2000  # ten seconds: below that a transform's 1,600 numbers are guesses
_ROUNDS = 8


class Evidence:
    """What a speaker's frames say of a transform; of constant size."""

    def __init__(self, num_dimensions: int) -> None:
        self.frames = 0.0
        self.outer: NDArray[np.float64] = np.zeros((num_dimensions, num_dimensions + 1, num_dimensions + 1))
        self.cross: NDArray[np.float64] = np.zeros((num_dimensions, num_dimensions + 1))

    def add(self, features: Matrix, states: NDArray[np.int32], scorer: Scorer) -> None:
        """Add frames whose states are known; a state of -1 leaves its frame out."""
        kept = states >= 0
        features = np.ascontiguousarray(features[kept])
        precision, pull = scorer.pulls(features, states[kept])
        extended = np.hstack([features, np.ones((len(features), 1), np.float32)])
        turned = np.ascontiguousarray(extended.T)
        for axis in range(features.shape[1]):
            weighted = extended * precision[:, axis : axis + 1]
            self.outer[axis] += product(turned, weighted)
        self.cross += product(np.ascontiguousarray(pull.T), extended)
        self.frames += len(features)

    def merge(self, other: Evidence) -> None:
        """Add what another thread has summed."""
        self.frames += other.frames
        self.outer += other.outer
        self.cross += other.cross

    def transform(self) -> NDArray[np.float32] | None:
        """Return (dimensions, dimensions + 1), the likeliest transform; None where there is too little."""
        if self.frames < MIN_FRAMES:
            return None
        size = len(self.cross)
        found = np.eye(size, size + 1)
        inverses = np.linalg.inv(self.outer + 1e-3 * np.eye(size + 1))
        for _ in range(_ROUNDS):
            for axis in range(size):
                found[axis] = self._row(found, axis, inverses[axis])
        return found.astype(np.float32)

    def _row(self, found: NDArray[np.float64], axis: int, inverse: NDArray[np.float64]) -> NDArray[Any]:
        """Return a row of the transform, given the others: the better root of a quadratic equation."""
        square = found[:, :-1]
        cofactors = np.append(np.linalg.inv(square)[:, axis] * np.linalg.det(square), 0.0)
        a = cofactors @ inverse @ cofactors
        b = cofactors @ inverse @ self.cross[axis]
        root = np.sqrt(b * b + 4 * a * self.frames)
        rows = [(sign * root - b) / (2 * a) * cofactors @ inverse + self.cross[axis] @ inverse for sign in (1, -1)]
        return max(rows, key=lambda row: self._gain(row, cofactors, axis))

    def _gain(self, row: NDArray[Any], cofactors: NDArray[Any], axis: int) -> float:
        volume = self.frames * np.log(abs(row @ cofactors) + 1e-300)
        return float(volume - 0.5 * row @ self.outer[axis] @ row + row @ self.cross[axis])
