# SPDX-License-Identifier: Apache-2.0
"""3x3 convolutions over a spectrogram by Winograd's minimal filtering, as matrix products that fit a core's cache.

Two frames by four bins of output are made at once, F(2x4, 3x3): 24 products where the plain sum needs 72. Filters and
input are brought into another basis, multiplied there, and brought back; the result differs from the plain sum by
rounding alone. numpy does the work, so it runs where numpy does. Knows nothing of DNSMOS.
Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; with points 0, 1, -1, 2, -2 and
infinity for the four bins.

Layers lie as planes: (2, rows, ticks * channels). A tick is two frames, and the first axis says which of the two. Row 0
and those after the last bin are zero, and so are the ticks around a stretch of frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TICK, BAND = 2, 4  # frames and bins of output that are made at once
POINTS = 24  # (TICK + 2) * (BAND + 2), in the basis where filters multiply
_FILTER_2 = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
# Four values along one axis out of six, F(4, 3): into the basis, and back.
FILTER_4 = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
INTO_4 = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float32,
)
_BACK_2 = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)
BACK_4 = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float32)
_BACK = np.kron(_BACK_2, BACK_4)  # both at once: (8, 24)
_ONES = 7  # the point (1, 1), whose value comes back in every output: the bias is added there


def bands(num_bins: int) -> int:
    return -(-num_bins // BAND)


def rows(num_bins: int) -> int:
    """Rows of a plane: whole bands, a row before and a row behind."""
    return bands(num_bins) * BAND + 2


class Convolution:
    """One layer of 3x3 filters without its ReLU. kernel: (channels out, channels in, 3 frames, 3 bins).

    most: ticks that it is asked for at once; what it needs for them should fit a core's cache.
    """

    def __init__(self, kernel: Array, bias: Array, most: int) -> None:
        self.channels_out, self.channels_in = kernel.shape[:2]
        points = np.einsum("it,jb,octb->ijco", _FILTER_2, FILTER_4, kernel.astype(np.float64))
        self._filters = np.ascontiguousarray(points.reshape(POINTS, *kernel.shape[1::-1]), np.float32)
        self._bias = bias.astype(np.float32)
        self.most = most
        # Working memory is kept: the system takes longer to find pages than this takes to fill them.
        self._bins = np.empty(2 * 6 * (most + 1) * self.channels_in, np.float32)
        self._points = np.empty(POINTS * most * self.channels_in, np.float32)
        self._products = np.empty(POINTS * most * self.channels_out, np.float32)
        self._result = np.empty(TICK * BAND * most * self.channels_out, np.float32)

    def band(self, first: Array, second: Array) -> Array:
        """One band of `n` ticks: (2, BAND, n * channels out), overwritten by the next call.

        first: (6, (n + 1) * channels in), the six rows that the band sees, of the first frames of its ticks and of
        one tick more. second: of the second frames, from one tick earlier.
        """
        into, out = self.channels_in, self.channels_out
        wide = first.shape[1]
        n = wide // into - 1
        bins = self._bins[: 2 * 6 * wide].reshape(2, 6, wide)
        np.matmul(INTO_4, first, out=bins[0])
        np.matmul(INTO_4, second, out=bins[1])
        here, after = bins[0][:, : n * into], bins[0][:, into:]
        before, beside = bins[1][:, : n * into], bins[1][:, into:]
        points = self._points[: POINTS * n * into].reshape(4, 6, n * into)
        np.subtract(before, beside, out=points[0])
        np.add(here, beside, out=points[1])
        np.subtract(beside, here, out=points[2])
        np.subtract(here, after, out=points[3])
        products = self._products[: POINTS * n * out].reshape(POINTS, n, out)
        np.matmul(points.reshape(POINTS, n, into), self._filters, out=products)
        products[_ONES] += self._bias
        result = self._result[: TICK * BAND * n * out].reshape(TICK * BAND, n * out)
        np.matmul(_BACK, products.reshape(POINTS, n * out), out=result)
        return result.reshape(TICK, BAND, n * out)

    def over(self, planes: Array) -> Iterator[tuple[int, slice, Array]]:
        """Every band of every part of the ticks but the first and the last: band, ticks, what `band` returns."""
        into = self.channels_in
        for ticks in parts(planes.shape[2] // into, self.most):
            first = slice(ticks.start * into, (ticks.stop + 1) * into)
            second = slice((ticks.start - 1) * into, ticks.stop * into)
            for band in range((planes.shape[1] - 2) // BAND):
                seen = slice(band * BAND, band * BAND + BAND + 2)
                yield band, ticks, self.band(planes[0, seen, first], planes[1, seen, second])


def parts(num_ticks: int, most: int) -> list[slice]:
    """The ticks between the first and the last, in equal parts of at most `most`."""
    count = -(-(num_ticks - 2) // most)
    edges = [1 + (num_ticks - 2) * index // count for index in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
