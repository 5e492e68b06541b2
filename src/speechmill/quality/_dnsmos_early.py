# SPDX-License-Identifier: Apache-2.0
"""The first four convolutions of DNSMOS and the pooling behind them: 97 % of the network's work.

`Winograd` computes them with numpy, over twice as fast as onnxruntime on one core and equal up to rounding (1e-5 of
values up to 2). `AsShipped` is the graph's own part, for a GPU or a server. Both take stretches of a spectrum with
zeros around them, as the network sees a window. Knows nothing of windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speechmill.models.inference import Session
from speechmill.quality._winograd import BAND, TICK, Convolution, bands, parts, rows

Array = NDArray[np.float32]

BINS, POOLED_BINS, CHANNELS = 161, 80, 32
# These 23 of the second layer's 64 channels never rose above zero in read speech, meetings, noise, tones, clicks or
# silence; each of the others reaches 1 and more. Gradient ascent on 5x5 patches of any levels, from 64 starts, lifts
# none above 0.5. They are left out.
SILENT = (2, 4, 8, 12, 21, 22, 29, 30, 31, 33, 34, 36, 38, 40, 41, 42, 44, 46, 48, 53, 55, 56, 62)
LONGEST = 104  # ticks of one stretch, two frames each: with its neighbours' edges 2 s
_NARROW, _WIDE = 52, 104  # ticks computed at once: by the layer with 128 channels, by the others


class Early(Protocol):
    """Log spectra in, pooled features out."""

    def run(self, stretches: Sequence[Array]) -> list[Array]:
        """(num_frames, 161) each -> (32, num_frames / 2, 80) each. An even number of frames, at most 208."""
        ...


class AsShipped:
    """The graph's own layers; stretches of equal length run as one batch."""

    def __init__(self, session: Session, spectrum: str) -> None:
        self._session, self._spectrum = session, spectrum

    def run(self, stretches: Sequence[Array]) -> list[Array]:
        batch: Array = np.stack(stretches)
        return list(self._session.run(None, {self._spectrum: batch})[0])


class Winograd:
    """The layers as matrix products, from the file's weights. Raises KeyError where one is missing."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        kernels = [weights[f"conv2d{suffix}/kernel:0"] for suffix in ("", "_1", "_2", "_3")]
        biases = [weights[f"conv2d{suffix}/bias:0"] for suffix in ("", "_1", "_2", "_3")]
        heard = np.setdiff1d(np.arange(len(kernels[1])), SILENT)
        self._taps = np.concatenate([kernels[0].reshape(len(kernels[0]), -1).T, biases[0][None]])  # (9 + 1, 128)
        self._second = Convolution(kernels[1][heard], biases[1][heard], _NARROW)
        self._third = Convolution(kernels[2][:, heard], biases[2], _WIDE)
        self._fourth = Convolution(kernels[3], biases[3], _WIDE)
        most = LONGEST + 2
        self._patches = np.empty((2, len(self._taps), rows(BINS), most), np.float32)
        self._seen = np.empty(2 * (BAND + 2) * (_NARROW + 2) * len(kernels[0]), np.float32)
        self._planes = [
            np.empty(2 * rows(BINS) * most * c.channels_in, np.float32) for c in (self._third, self._fourth)
        ]

    def run(self, stretches: Sequence[Array]) -> list[Array]:
        found: list[Array] = []
        for group in _groups([len(one) // TICK for one in stretches], LONGEST + 2):
            found += self._together([stretches[index] for index in group])
        return found

    def _together(self, stretches: Sequence[Array]) -> list[Array]:
        """Run stretches that fit the memory one behind the other, with a tick of zeros around each."""
        starts, gaps = [], [0]
        for one in stretches:
            starts.append(gaps[-1] + 1)
            gaps.append(starts[-1] + len(one) // TICK)
        frames = np.zeros(((gaps[-1] + 1), TICK, BINS), np.float32)
        for start, one in zip(starts, stretches, strict=True):
            frames[start : start + len(one) // TICK] = one.reshape(-1, TICK, BINS)
        pooled = self._pooled(self._after_third(self._after_second(frames, gaps), gaps))
        return [
            pooled[:, start : start + len(one) // TICK].transpose(2, 1, 0)
            for start, one in zip(starts, stretches, strict=True)
        ]

    def _after_second(self, frames: Array, gaps: Sequence[int]) -> Array:
        """Two layers in one: the first one's 128 channels would not fit a cache, so it is made band by band."""
        patches = self._gathered(frames, gaps)
        channels, wide = self._second.channels_in, self._second.channels_out
        planes = self._plane(0, len(frames))
        for ticks in parts(len(frames), self._second.most):
            n = ticks.stop - ticks.start
            size = 2 * (BAND + 2) * (n + 2) * channels
            seen = self._seen[:size].reshape(2, BAND + 2, n + 2, channels)
            flat = seen.reshape(2, BAND + 2, -1)
            for band in range(bands(BINS)):
                known = 2 if band else 0  # rows that the band before has seen too
                seen[:, :known] = seen[:, BAND : BAND + known]
                asked = slice(band * BAND + known, band * BAND + BAND + 2)
                some = patches[:, :, asked, ticks.start - 1 : ticks.stop + 1].transpose(0, 2, 3, 1)
                np.matmul(some, self._taps, out=seen[:, known:])
                np.maximum(seen[:, known:], 0, out=seen[:, known:])
                made = self._second.band(flat[0][:, channels:], flat[1][:, :-channels])
                np.maximum(made, 0, out=planes[:, _rows(band), ticks.start * wide : ticks.stop * wide])
        return _with_zeros(planes, wide, gaps)

    def _gathered(self, frames: Array, gaps: Sequence[int]) -> Array:
        """Each position's 3x3 neighbours and a one for the bias: (2, 10, rows, ticks); nothing where zeros belong."""
        num_ticks = len(frames)
        around = np.zeros((TICK, rows(BINS) + 2, num_ticks + 2), np.float32)
        around[:, 2 : 2 + BINS, 1:-1] = frames.transpose(1, 2, 0)
        patches = self._patches[..., :num_ticks]
        for frame in range(TICK):
            for i in range(3):
                later, which = divmod(frame + i - 1, TICK)
                for j in range(3):
                    patches[frame, 3 * i + j] = around[which, j : j + rows(BINS), 1 + later : 1 + later + num_ticks]
        patches[:, -1] = 1
        patches[:, :, 0] = 0
        patches[:, :, 1 + BINS :] = 0
        patches[..., list(gaps)] = 0
        return patches

    def _after_third(self, planes: Array, gaps: Sequence[int]) -> Array:
        channels = self._third.channels_out
        result = self._plane(1, planes.shape[2] // self._third.channels_in)
        for band, ticks, made in self._third.over(planes):
            np.maximum(made, 0, out=result[:, _rows(band), ticks.start * channels : ticks.stop * channels])
        return _with_zeros(result, channels, gaps)

    def _pooled(self, planes: Array) -> Array:
        """The fourth layer, and of two frames by two bins the largest: (80, ticks, 32)."""
        channels = self._fourth.channels_out
        num_ticks = planes.shape[2] // self._fourth.channels_in
        result = np.zeros((POOLED_BINS, num_ticks * channels), np.float32)
        for band, ticks, made in self._fourth.over(planes):
            frames = np.maximum(made[0], made[1])
            pairs = np.maximum(frames[::2], frames[1::2])[: POOLED_BINS - 2 * band]  # the last bin has no partner
            place = slice(ticks.start * channels, ticks.stop * channels)
            np.maximum(pairs, 0, out=result[2 * band : 2 * band + len(pairs), place])
        return result.reshape(POOLED_BINS, num_ticks, channels)

    def _plane(self, index: int, num_ticks: int) -> Array:
        channels = (self._third, self._fourth)[index].channels_in
        return self._planes[index][: 2 * rows(BINS) * num_ticks * channels].reshape(2, rows(BINS), -1)


def _rows(band: int) -> slice:
    return slice(1 + band * BAND, 1 + band * BAND + BAND)


def _with_zeros(planes: Array, channels: int, gaps: Sequence[int]) -> Array:
    """Put zeros where the next layer is to see them; the memory is used again and holds something there."""
    planes[:, 0] = 0
    planes[:, 1 + BINS :] = 0
    planes.reshape(*planes.shape[:2], -1, channels)[:, :, list(gaps)] = 0
    return planes


def _groups(lengths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Put neighbours together that fit `room` ticks, with a tick of zeros around each."""
    group: list[int] = []
    used = 1
    for index, length in enumerate(lengths):
        if group and used + length + 1 > room:
            yield group
            group, used = [], 1
        group.append(index)
        used += length + 1
    if group:
        yield group
