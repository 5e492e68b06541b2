# SPDX-License-Identifier: Apache-2.0
"""Samples: float32 to PCM16 and back, and blocks of one fixed size.

Full scale is 32,768, so that PCM16 survives the way through float32 unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Samples

Pcm16 = NDArray[np.int16]
Scalar = TypeVar("Scalar", np.float32, np.int16)
_FULL_SCALE = 1 << 15


def quantise(samples: Samples) -> tuple[Pcm16, int]:
    """Round float32 in [-1, 1] to PCM16; what is louder is limited, never wrapped.

    Returns the samples and how many were limited; +1.0 itself (one step above the top) doesn't count.
    """
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    num_limited = int(np.count_nonzero(np.abs(scaled) > _FULL_SCALE))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16), num_limited


def to_pcm16(samples: NDArray[Any]) -> Pcm16:
    """Return PCM16 of float samples in [-1, 1] (limited there); int16 passes unchanged."""
    if samples.dtype == np.int16:
        return samples
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"samples must be float or int16, not {samples.dtype}")
    return quantise(samples.astype(np.float32))[0]


def from_pcm16(samples: Pcm16) -> Samples:
    """Return float32 in [-1, 1)."""
    return samples.astype(np.float32) * np.float32(1 / _FULL_SCALE)


class Blocks(Generic[Scalar]):
    """Collects (channels, n) arrays of any n and gives them back `size` samples at a time.

    No result then depends on how a decoder cut its frames. A yielded block is the buffer itself:
    use or copy it before asking for the next.
    """

    def __init__(self, channels: int, size: int, dtype: type[Scalar]) -> None:
        self._buffer: NDArray[Scalar] = np.zeros((channels, size), dtype)
        self._filled = 0

    def push(self, samples: NDArray[Scalar]) -> Iterator[NDArray[Scalar]]:
        """Yield the blocks that become full. samples: (channels, n)."""
        size = self._buffer.shape[1]
        taken = 0
        while taken < samples.shape[1]:
            part = samples[:, taken : taken + size - self._filled]
            self._buffer[:, self._filled : self._filled + part.shape[1]] = part
            taken += part.shape[1]
            yield from self._advance(part.shape[1])

    def silence(self, num_samples: int) -> Iterator[NDArray[Scalar]]:
        """Yield the blocks that become full of num_samples zeros: an hour of them costs no memory."""
        size = self._buffer.shape[1]
        while num_samples:
            part = min(num_samples, size - self._filled)
            self._buffer[:, self._filled : self._filled + part] = 0
            num_samples -= part
            yield from self._advance(part)

    def _advance(self, num_samples: int) -> Iterator[NDArray[Scalar]]:
        self._filled += num_samples
        if self._filled == self._buffer.shape[1]:
            self._filled = 0
            yield self._buffer

    def rest(self) -> NDArray[Scalar]:
        """Return what is left, (channels, 0 to size - 1), and forget it."""
        filled, self._filled = self._filled, 0
        return self._buffer[:, :filled]
