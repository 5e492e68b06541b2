# SPDX-License-Identifier: Apache-2.0
"""Stage `landmarks`: canonical audio -> what its copies are known by. Only where recordings are deduplicated."""

from __future__ import annotations

from functools import reduce

import numpy as np

from speechmill.core.stage import Audio, Item, Patch, Resources, Samples
from speechmill.measures.landmarks import SAMPLING_RATE, VERSION, Landmarker
from speechmill.stages.glue import Glue

_PIECE_S = 60.0  # read at a time


class Landmarks(Glue):
    """Finds the landmarks of a recording, of all its channels together."""

    name = "landmarks"
    version = str(VERSION)
    reads = ("audio",)
    writes = ("landmarks",)
    resources = Resources(cost=0.002, timeout_per_audio_s=0.5)

    def work(self, item: Item) -> Patch:
        audio, made = item.opened(), Landmarker()
        for number in range(int(np.ceil(audio.duration / _PIECE_S))):
            made.push(_mixed(audio, number * _PIECE_S))
        return Patch({"landmarks": made.finish()})


def _mixed(audio: Audio, start: float) -> Samples:
    """Return the mean of all channels: a copy may have been mixed down."""
    channels = (
        audio.read(start, _PIECE_S, channel=channel, sampling_rate=SAMPLING_RATE)
        for channel in range(audio.num_channels)
    )
    return np.asarray(reduce(np.add, channels) / np.float32(audio.num_channels))
