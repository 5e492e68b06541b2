# SPDX-License-Identifier: Apache-2.0
"""What the quality estimator sees of a cut: a log mel spectrogram that doesn't depend on loudness.

Frames of 32 ms every 16 ms, PESQ's own; 48 mel bands up to 8 kHz; power relative to the mean power in all bands, so
that neither gain nor a constant offset matters.
Training and scoring share this file, so a change here needs new weights.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

FRAME, HOP = 512, 256
BANDS = 48  # at 64 the lowest would be narrower than a bin of the transform
LOWEST_HZ, HIGHEST_HZ = 40.0, 8_000.0
FLOOR = 1e-9  # 90 dB below: less is the rounding of 16 bits

Features = NDArray[np.float32]


def log_mel(samples: Samples) -> Features:
    """Return (num_frames, 48) log10 of power, 0 where a band holds as much as all bands do on average.

    samples: (num_samples,) at 16 kHz, at least 512 of them. All is 90 dB below where no frame has power.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32, copy=False), FRAME)[::HOP]
    spectrum = np.fft.rfft(frames * _window())
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    bands = power @ _mel()
    mean = np.float32(bands.sum(axis=1).mean(dtype=np.float64)) or np.float32(1)
    features: Features = np.log10(bands / mean + np.float32(FLOOR))
    return features


@functools.cache
def _window() -> Features:
    return np.hanning(FRAME + 1)[:-1].astype(np.float32)


@functools.cache
def _mel() -> Features:
    """Triangles on the mel scale (O'Shaughnessy's formula), (257, 48)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / WORKING_HZ)[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
