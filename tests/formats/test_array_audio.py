# SPDX-License-Identifier: Apache-2.0
"""Audio in memory reads like canonical audio on disk."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.formats.array_audio import ArrayAudio


def test_a_read_starts_where_asked_and_is_clipped_to_the_recording():
    audio = ArrayAudio([np.arange(32_000), np.zeros(32_000)])
    assert (audio.num_channels, audio.duration) == (2, 2.0)
    assert audio.read(0.5, 0.25).tolist() == list(range(8_000, 12_000))
    assert len(audio.read(1.5, 10.0)) == 8_000
    assert len(audio.read(-0.5, 1.0)) == 8_000
    assert len(audio.read(3.0)) == 0
    assert audio.read(channel=1).max() == 0
    assert audio.read().dtype == np.float32


def test_a_reader_cannot_alter_the_recording():
    with pytest.raises(ValueError, match="read-only"):
        ArrayAudio([np.zeros(10)]).read()[0] = 1


@pytest.mark.parametrize("channels", [[], [np.zeros((2, 2))], [np.zeros(3), np.zeros(4)]])
def test_odd_arrays_are_refused(channels):
    with pytest.raises(ValueError, match="channel"):
        ArrayAudio(channels)


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="24000 Hz"):
        ArrayAudio([np.zeros(10)]).read(sampling_rate=24_000)
