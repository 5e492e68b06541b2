# SPDX-License-Identifier: Apache-2.0
"""Audio already in memory, behind the same interface as canonical audio on disk.

For tests, short clips and callers that decoded the samples themselves; not for long recordings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, to_samples


class ArrayAudio:
    """An `Audio` over arrays: one per channel, all 16 kHz and equally long.

    channels: each (num_samples,), converted to float32. Raises ValueError where there is no
    channel, where lengths differ, or where a channel is not one-dimensional.
    """

    def __init__(self, channels: Sequence[ArrayLike]) -> None:
        self._channels = tuple(np.asarray(channel, dtype=np.float32) for channel in channels)
        if not self._channels or any(samples.ndim != 1 for samples in self._channels):
            raise ValueError("audio in memory needs one (num_samples,) array for each channel")
        if len({len(samples) for samples in self._channels}) > 1:
            raise ValueError(f"channels differ in length: {[len(samples) for samples in self._channels]} samples")

    @property
    def num_channels(self) -> int:
        """How many channels there are."""
        return len(self._channels)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self._channels[0]) / WORKING_HZ

    def read(
        self,
        start: float = 0.0,
        duration: float | None = None,
        *,
        channel: int = 0,
        sampling_rate: int = WORKING_HZ,
    ) -> Samples:
        """Return (num_samples,) float32; clipped to the recording, None means to its end.

        The array is a read-only view. Raises ValueError for a rate other than 16,000 Hz.
        """
        if sampling_rate != WORKING_HZ:
            raise ValueError(f"audio in memory is {WORKING_HZ} Hz and can't be read at {sampling_rate} Hz")
        samples = self._channels[channel]
        first = max(0, to_samples(start, WORKING_HZ))
        end = len(samples) if duration is None else max(first, to_samples(start + duration, WORKING_HZ))
        view = samples[first:end]
        view.flags.writeable = False
        return view
