# SPDX-License-Identifier: Apache-2.0
"""Integrated loudness (EBU R 128, ITU-R BS.1770) of one channel, while it streams by.

The measuring is libavfilter's `ebur128`; nothing is altered. A stereo programme's loudness is not computed here:
the canonical audio is mono.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

_FLOOR_LUFS = -70.0  # BS.1770's absolute gate; the filter says this where no block passes it


class LoudnessMeter:
    """Feed blocks of one mono channel, then ask for `integrated_lufs` once."""

    def __init__(self, sampling_rate: int) -> None:
        self._rate = sampling_rate
        self._lufs = _FLOOR_LUFS
        self._graph = Graph()
        self._source = self._graph.add_abuffer(sample_rate=sampling_rate, format="s16", layout="mono")
        meter = self._graph.add("ebur128", "metadata=1")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(meter)
        meter.link_to(self._sink)
        self._graph.configure()

    def push(self, samples: NDArray[np.int16]) -> None:
        """Measure (num_samples,) more."""
        if not samples.size:
            return
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = self._rate
        self._source.push(frame)
        self._note()

    def integrated_lufs(self) -> float | None:
        """Return LUFS to 0.01, or None for silence and for less than one block of 400 ms. Ends the measuring."""
        self._source.push(None)
        self._note()
        return None if self._lufs <= _FLOOR_LUFS else round(self._lufs, 2)

    def _note(self) -> None:
        for frame in self._pull():
            value = frame.metadata.get("lavfi.r128.I")
            if value is not None:
                self._lufs = float(value)

    def _pull(self) -> Iterator[Any]:
        while True:
            try:
                yield self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
