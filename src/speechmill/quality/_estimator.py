# SPDX-License-Identifier: Apache-2.0
"""STOI and wide-band PESQ of speech whose clean version nobody has, estimated by a small network.

The network was trained for this project on read English with made-up noise (docs/quality-estimator.md has data, splits
and errors); training/quality_est.py makes it again. Both metrics run it, each for itself: it is far cheaper than
sharing results between stages would be. It scores up to 20 s at a time, as long as it was trained on; longer cuts are
scored in equal parts and averaged. It is no judge of what it never heard: singing, several talkers at once, other
sounds than speech.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.measures.snr import QUANTISATION
from speechmill.models.inference import session
from speechmill.quality._spectrogram import Features, log_mel

NAME = "quality_est"  # of the network on a server
STOI, PESQ = 0, 1  # the network's outputs
SHORTEST_S = 0.25  # a syllable; from here to FULL_S the cut is repeated
FULL_S = 1.0  # the shortest that the network was trained on
LONGEST_S = 20.0
DEVICES = ("cpu", "cuda", "triton")


class Estimator:
    """The network, opened."""

    def __init__(self, device: str) -> None:
        self._network = session(weights(), name=NAME, device=device, bounded=True)

    def scores(self, samples: Samples) -> NDArray[np.float64]:
        """Return STOI and PESQ, (2,). Raises Unscorable: "too-short" under 0.25 s, "silence"."""
        seconds = len(samples) / WORKING_HZ
        if seconds < SHORTEST_S:
            raise Unscorable("too-short", f"{seconds:.3f} s; the estimator needs {SHORTEST_S} s")
        filled = np.resize(samples, max(len(samples), int(FULL_S * WORKING_HZ)))
        count = math.ceil(len(filled) / (LONGEST_S * WORKING_HZ))
        edges = [len(filled) * part // count for part in range(count + 1)]
        parts = [filled[start:end] for start, end in itertools.pairwise(edges)]
        heard = [self._part(features) for part in parts if (features := _features(part)) is not None]
        if not heard:
            raise Unscorable("silence", "nothing above the rounding of 16 bits")
        means: NDArray[np.float64] = np.mean(heard, axis=0)
        return means

    def _part(self, features: Features) -> NDArray[np.float64]:
        scores: NDArray[np.float32] = self._network.run(["scores"], {"features": features[None]})[0][0]
        return scores.astype(np.float64)


def _features(samples: Samples) -> Features | None:
    """Return what the network hears; None where nothing is above the rounding of 16 bits, or only where no frame is."""
    if samples.var(dtype=np.float64) <= QUANTISATION:
        return None
    features = log_mel(samples)
    return features if features.max() > features.min() else None


@functools.cache
def digest() -> str:
    """Name the weights, by hex SHA-256."""
    return hashlib.sha256(weights()).hexdigest()


def weights() -> bytes:
    """Return the network as an ONNX file."""
    return resources.files("speechmill.quality").joinpath("quality_est.onnx").read_bytes()
