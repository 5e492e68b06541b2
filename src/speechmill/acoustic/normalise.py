# SPDX-License-Identifier: Apache-2.0
"""Features of different speakers and rooms made alike: their means and variances, and linear transforms.

Of a speaker with little speech, or none known, the model's own averages count as some more frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.features import FeatureConfig, Matrix, dynamic
from speechmill.acoustic.products import product

_PRIOR_FRAMES = 100.0  # half a second


class Adaptation(Struct, frozen=True):
    """How one speaker's features are normalised."""

    mean: NDArray[np.float32]  # of static features
    deviation: NDArray[np.float32]
    transform: NDArray[np.float32] | None = None  # (dimensions, dimensions + 1), affine, on the model's features


class Moments:
    """Count, sum and sum of squares of static features."""

    def __init__(self, num_dimensions: int) -> None:
        self.count = 0.0
        self.total: NDArray[np.float64] = np.zeros(num_dimensions)
        self.square: NDArray[np.float64] = np.zeros(num_dimensions)

    def add(self, features: NDArray[Any], weight: float = 1.0) -> None:
        """Add (frames, dimensions)."""
        self.count += weight * len(features)
        self.total += weight * features.sum(axis=0, dtype=np.float64)
        self.square += weight * np.square(features, dtype=np.float64).sum(axis=0)

    def merge(self, other: Moments) -> None:
        """Add what other moments have counted."""
        self.count += other.count
        self.total += other.total
        self.square += other.square

    def add_prior(self, prior: Adaptation) -> None:
        """Count the model's averages as some frames more."""
        self.count += _PRIOR_FRAMES
        self.total += _PRIOR_FRAMES * prior.mean
        self.square += _PRIOR_FRAMES * (prior.deviation**2 + prior.mean**2)

    def normalisation(self) -> Adaptation:
        """Return mean and deviation; of nothing, those that change nothing."""
        count = max(self.count, 1e-9)
        mean = self.total / count
        variance = np.maximum(self.square / count - mean**2, 0)
        deviation = np.sqrt(variance) + 1e-2 if self.count else np.ones_like(mean)
        return Adaptation(mean.astype(np.float32), deviation.astype(np.float32))


def of_utterance(features: Matrix, prior: Adaptation) -> Adaptation:
    """Return the normalisation of an utterance whose speaker nobody knows."""
    moments = Moments(features.shape[1])
    moments.add(features)
    moments.add_prior(prior)
    return moments.normalisation()


def normalised(features: Matrix, adaptation: Adaptation, config: FeatureConfig) -> Matrix:
    """Return (frames, num_dimensions) of static features: normalised, with slopes, transformed."""
    found = dynamic(features, config, adaptation.mean, np.float32(1) / adaptation.deviation)
    return transformed(found, adaptation.transform)


def transformed(features: Matrix, transform: NDArray[np.float32] | None) -> Matrix:
    """Return features as a speaker's transform makes them."""
    if transform is None:
        return features
    return product(features, np.ascontiguousarray(transform[:, :-1].T)) + transform[:, -1]
