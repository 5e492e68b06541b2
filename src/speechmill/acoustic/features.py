# SPDX-License-Identifier: Apache-2.0
"""MFCC features of 16 kHz samples, as Davis & Mermelstein (1980) made them and HTK and Kaldi use them.

Frame t is centred at (t + 0.5) hops, so that the boundary before it lies at t hops. `static` gives what is kept of
an utterance; deltas are added when it is used (`dynamic`). Pitch and voicing, for tonal languages, come from the
autocorrelation of the same spectra. Normalisation is `normalise`'s business.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic import kernels
from speechmill.acoustic.products import product
from speechmill.core.errors import AudioError
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

Matrix = NDArray[np.float32]  # (frames, dimensions)
Vector = NDArray[np.float32]

_NUM_FFT = 512  # at 16 kHz it holds windows of up to 32 ms
_BLOCK = 2048  # frames per FFT: what one block needs stays in the cache
_FLOOR = 1e-9  # energy of a filter, of full scale 1: 16-bit rounding noise is about there
_PITCH_HZ = (60.0, 400.0)


class FeatureConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How features are made; part of a model."""

    hop_ms: float = 5.0  # boundaries fall on multiples of it; three states of it make a phone last 15 ms
    window_ms: float = 16.0  # shorter ones blur boundaries less, longer ones tell voices' harmonics from formants
    num_filters: int = 26
    num_cepstra: int = 13
    low_hz: float = 50.0
    high_hz: float = 7600.0
    preemphasis: float = 0.97
    delta_ms: float = 10.0  # how far deltas look to either side
    pitch: bool = False  # pitch and voicing beside cepstra: what tells tones apart

    def __post_init__(self) -> None:
        """Raises ValueError for what no features can be made with, as a model's file may have it."""
        longest_ms = _NUM_FFT * 1000 / WORKING_HZ
        limits = {
            "hop_ms": (1.0, 50.0),
            "window_ms": (1.0, longest_ms),
            "num_filters": (1, 128),
            "num_cepstra": (1, self.num_filters),
            "low_hz": (0.0, self.high_hz - 100),
            "high_hz": (100.0, WORKING_HZ / 2),
            "preemphasis": (0.0, 1.0),
            "delta_ms": (1.0, 200.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: {value:g} is not between {low:g} and {high:g}")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop_ms * WORKING_HZ / 1000)

    @property
    def window(self) -> int:
        """Samples in a frame."""
        return min(_NUM_FFT, round(self.window_ms * WORKING_HZ / 1000))

    @property
    def num_static(self) -> int:
        """Columns that `static` returns."""
        return self.num_cepstra + 2 * self.pitch

    @property
    def num_dimensions(self) -> int:
        """Columns that `dynamic` returns."""
        return 3 * self.num_static


def static(samples: Samples, config: FeatureConfig) -> Matrix:
    """Return (frames, num_static) float32: cepstra, and log pitch and voicing where asked for.

    The number of frames is the number of whole hops. Raises AudioError("not-finite") for NaN or infinite samples.
    """
    if not np.isfinite(samples).all():
        raise AudioError("not-finite", "samples are NaN or infinite")
    num_frames = len(samples) // config.hop
    if not num_frames:
        return np.zeros((0, config.num_static), np.float32)
    emphasised = _emphasised(samples, num_frames, config)
    starts = range(0, num_frames, _BLOCK)
    blocks = [_block(emphasised[start * config.hop :], min(_BLOCK, num_frames - start), config) for start in starts]
    found = np.concatenate(blocks)
    if config.pitch:
        found[:, -2] = _smoothed_pitch(found[:, -2], found[:, -1])
    return found


def _emphasised(samples: Samples, num_frames: int, config: FeatureConfig) -> Vector:
    """Return samples with their high frequencies raised, from where the first frame's window begins."""
    margin = config.window // 2 - config.hop // 2
    padded = np.zeros((num_frames - 1) * config.hop + config.window + 1, np.float32)
    kept = min(len(samples), len(padded) - margin - 1)
    padded[margin + 1 : margin + 1 + kept] = samples[:kept]
    return np.asarray(padded[1:] - np.float32(config.preemphasis) * padded[:-1], np.float32)


def _block(emphasised: Vector, num_frames: int, config: FeatureConfig) -> Matrix:
    window, filters, cosines = _tables(config)
    power = np.empty((num_frames, _NUM_FFT // 2 + 1), np.float32)
    kernels.powers(emphasised, config.hop, window, *_circle(), power)
    cepstra = product(np.log(np.maximum(product(power, filters), np.float32(_FLOOR))), cosines)
    return np.hstack([cepstra, _pitch(power, config)]) if config.pitch else cepstra


@functools.lru_cache(maxsize=8)
def _tables(config: FeatureConfig) -> tuple[Matrix, Matrix, Matrix]:
    """Return the window, the filters (bins, filters) and the cosine transform with its liftering."""
    window = np.hamming(config.window)
    mel = np.linspace(_mel(config.low_hz), _mel(config.high_hz), config.num_filters + 2)
    edges = 700 * (np.exp(mel / 1127) - 1)
    hertz = np.arange(_NUM_FFT // 2 + 1) * WORKING_HZ / _NUM_FFT
    rising = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.clip(np.minimum(rising, falling), 0, None) / config.window
    orders = np.arange(config.num_cepstra)
    angles = np.outer(np.arange(config.num_filters) + 0.5, orders) * np.pi / config.num_filters
    lifter = 1 + 11 * np.sin(np.pi * orders / 22)
    cosines = np.sqrt(2 / config.num_filters) * np.cos(angles) * lifter
    return window.astype(np.float32), filters.astype(np.float32), cosines.astype(np.float32)


@functools.lru_cache(maxsize=1)
def _circle() -> tuple[Matrix, NDArray[np.int32]]:
    """Return cosines and negative sines of the transform's turns, and the place of each frequency in what it leaves."""
    angle = 2 * np.pi * np.arange(_NUM_FFT // 2) / _NUM_FFT
    width = _NUM_FFT.bit_length() - 1
    reversed_bits = [int(f"{place:0{width}b}"[::-1], 2) for place in range(_NUM_FFT)]
    return np.stack([np.cos(angle), -np.sin(angle)]).astype(np.float32), np.array(reversed_bits, np.int32)


def _mel(hertz: float) -> float:
    return float(1127 * np.log1p(hertz / 700))


def _pitch(power: Matrix, config: FeatureConfig) -> Matrix:
    """Return (frames, 2): log2 of the pitch's frequency, and voicing, the normalised autocorrelation there, 0..1."""
    correlation = np.fft.irfft(power, _NUM_FFT, axis=1)[:, : config.window]
    window = _tables(config)[0]
    own = np.fft.irfft(np.abs(np.fft.rfft(window, _NUM_FFT)) ** 2, _NUM_FFT)[: config.window]
    first, last = (round(WORKING_HZ / hertz) for hertz in reversed(_PITCH_HZ))
    last = min(last, config.window * 3 // 4)  # beyond it too few products are left
    normalised = correlation[:, first:last] / (correlation[:, :1] + 1e-9) / (own[first:last] / own[0])
    lag = normalised.argmax(axis=1)
    voicing = np.clip(np.take_along_axis(normalised, lag[:, None], axis=1)[:, 0], 0, 1)
    return np.stack([np.log2(WORKING_HZ / (lag + first)), voicing], axis=1).astype(np.float32)


def _smoothed_pitch(pitch: NDArray[Any], voicing: NDArray[Any]) -> NDArray[Any]:
    """Where there is no voice, go on with the average of what is near: a weighted mean over 50 ms."""
    kernel = np.ones(11)
    weight = np.clip(voicing.astype(np.float64), 0.01, 1) ** 2
    smoothed = np.convolve(pitch * weight, kernel)[5:-5] / np.convolve(weight, kernel)[5:-5]
    return smoothed.astype(np.float32)


def dynamic(features: Matrix, config: FeatureConfig, mean: Vector | None = None, scale: Vector | None = None) -> Matrix:
    """Return (frames, num_dimensions): features less `mean` times `scale`, their slopes, and the slopes of those."""
    reach = max(1, round(config.delta_ms / config.hop_ms))
    mean = np.zeros(features.shape[1], np.float32) if mean is None else mean
    scale = np.ones(features.shape[1], np.float32) if scale is None else scale
    found: Matrix = kernels.slopes(np.require(features, np.float32, ["C", "W"]), mean, scale, reach)
    return found
