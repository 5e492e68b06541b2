# SPDX-License-Identifier: Apache-2.0
"""DistillMOS' network in numpy: convolutions over a compressed complex spectrogram, a transformer, attention pooling.

Four of the six convolutions cost most. They step by one over frames and by two over bins; Winograd's F(4, 3) and
F(2, 2) more than halve their products, and scores differ from upstream's by rounding alone. Batch norms are folded into
the linear maps behind them. Silence at the end gives what any silence gives, and is computed once.
Weights and definition: `distillmos` by Microsoft (MIT). Knows nothing of where windows should lie, or of MOS.

Layers lie as (frames, rows * channels) with a frame of zeros before and behind. Rows are bins, and one more where their
number is odd: it holds something finite that no valid bin sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.quality._winograd import BACK_4, FILTER_4, INTO_4

Array = NDArray[np.float32]

WINDOW = 122_880  # samples
FRAME, HOP = 320, 160  # of the STFT; the window's ends are mirrored by half of what two frames share
NUM_FRAMES = WINDOW // HOP
BINS, FIRST_ROWS, LAST_ROWS = 161, 160, 10  # rows behind the first and the fifth convolution: 159 and 9 bins
COMPRESSION = 0.3  # power of the magnitude
FLOOR = 1e-12
LEAK = 0.1
REACH = 6  # frames that each side of a frame changes through six convolutions
LAST_BINS = 4  # after the last convolution
EPSILON = 1e-5  # of all norms
HEADS, NUM_LAYERS = 8, 7
LARGEST_EXPONENT = 80.0  # e to its power is still a float32
TILE = 4  # frames that Winograd makes at once
_TILES = (4, 8, 8, 16)  # computed at once by the second to the fifth convolution: fits a core's cache
_HEAD = "transformer_pool_attn."


class Stack(Protocol):
    """The six convolutions, in some form."""

    def run(self, spectrum: Array) -> Array:
        """(num_frames, 161, 2) -> (num_frames / 2, 4 * 256). A multiple of 4 frames, at most 768."""
        ...


class Network:
    """Scores windows in 0..1. tensors: of the package's checkpoint. Raises KeyError where one is missing."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], cnn: Stack) -> None:
        self._cnn = cnn
        self._transformer = _Transformer(tensors)
        self._silence = self._cnn.run(np.zeros((NUM_FRAMES, BINS, 2), np.float32))

    def score(self, window: Samples) -> float:
        """(122880,) at 16 kHz, any level. Zeros at the end cost nothing."""
        peak = np.abs(window).max(initial=0)
        spectrum = _spectrum(window / (peak + np.float32(1e-8)))
        return self._transformer.run(self._features(spectrum))

    def _features(self, spectrum: Array) -> Array:
        """(num_frames, 161, 2) -> (num_frames / 2, 1024)."""
        heard = np.flatnonzero(spectrum.any(axis=(1, 2)))
        silent_from = math.ceil(((heard[-1] + 1 if len(heard) else 0) + REACH) / 2)  # features, two frames each
        needed = math.ceil((2 * silent_from + REACH) / TILE) * TILE
        if needed >= NUM_FRAMES:
            return self._cnn.run(spectrum)
        return np.concatenate([self._cnn.run(spectrum[:needed])[:silent_from], self._silence[silent_from:]])


def _spectrum(samples: Samples) -> Array:
    """Real and imaginary part with compressed magnitude, (num_frames, 161, 2)."""
    mirrored = np.pad(samples, (FRAME - HOP) // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, FRAME)[::HOP]
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    spectra = np.fft.rfft(frames * taper.astype(np.float32))
    magnitude = np.maximum(np.abs(spectra), np.float32(FLOOR))
    spectra = spectra * magnitude ** np.float32(COMPRESSION - 1)
    return np.stack([spectra.real, spectra.imag], axis=2).astype(np.float32)


class Convolutions:
    """The six layers. Working memory is kept: the system takes longer to find pages than this takes to fill them."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        # (out, in, 3 bins, 3 frames) -> (3 frames, 3 bins, in, out)
        kernels = [tensors[f"cnn.cnn.{2 * layer}.weight"].transpose(3, 2, 1, 0) for layer in range(6)]
        biases = [tensors[f"cnn.cnn.{2 * layer}.bias"] for layer in range(6)]
        channels = len(biases[0])
        self._taps = np.concatenate([kernels[0].reshape(-1, channels), biases[0][None]])
        self._layers = [
            _Winograd(kernels[1 + index], biases[1 + index], FIRST_ROWS >> index, tiles)
            for index, tiles in enumerate(_TILES)
        ]
        self._last, self._last_bias = [_ByBins(tap[None], NUM_FRAMES // 2 * LAST_ROWS) for tap in kernels[5]], biases[5]
        most = TILE * _TILES[0] + 2
        self._patches = np.ones((most, FIRST_ROWS, len(self._taps)), np.float32)
        self._first = np.empty((most, FIRST_ROWS * channels), np.float32)
        self._planes = [np.empty((NUM_FRAMES + 2, layer.row_size), np.float32) for layer in self._layers]

    def run(self, spectrum: Array) -> Array:
        """(num_frames, 161, 2) -> (num_frames / 2, 4 * 256). A multiple of 4 frames, at most 768."""
        num_frames = len(spectrum)
        planes = [plane[: num_frames + 2] for plane in self._planes]
        for plane in planes:
            plane[0] = plane[-1] = 0
        padded = np.zeros((num_frames + 4, BINS + 1, 2), np.float32)
        padded[2:-2, :BINS] = spectrum
        for layer, before, plane in zip(self._layers, [None, *planes], planes, strict=False):
            size = TILE * layer.tiles
            for start in range(0, num_frames, size):
                end = min(start + size, num_frames)
                seen = self._first_layer(padded, start, end) if before is None else before[start : end + 2]
                layer.run(seen, plane[1 + start : 1 + end])
        return self._last_layer(planes[-1])

    def _first_layer(self, padded: Array, start: int, end: int) -> Array:
        """Frames from `start` - 1 to `end`: (end - start + 2, rows * 64). padded: two frames of zeros on each side."""
        count = end - start + 2
        patches, result = self._patches[:count], self._first[:count]
        for frame in range(3):
            flat = padded[start + frame : start + frame + count].reshape(count, -1)
            windows = np.lib.stride_tricks.sliding_window_view(flat, 6, axis=1)[:, ::2]  # three bins of two parts
            patches[:, :-1, 6 * frame : 6 * frame + 6] = windows[:, : FIRST_ROWS - 1]
        np.matmul(patches.reshape(-1, len(self._taps)), self._taps, out=result.reshape(-1, self._taps.shape[1]))
        _leak(result)
        if start == 0:
            result[0] = 0
        if end + 4 == len(padded):
            result[-1] = 0
        return result

    def _last_layer(self, plane: Array) -> Array:
        """The only one that steps by two over frames too."""
        count = (len(plane) - 2) // 2
        made = [
            tap.of(np.ascontiguousarray(plane[index:][: 2 * count : 2])[None]) for index, tap in enumerate(self._last)
        ]
        summed = (made[0] + made[1] + made[2]).reshape(count, -1, len(self._last_bias))[:, :LAST_BINS]
        features = (summed + self._last_bias).reshape(count, -1)
        _leak(features)
        return features


class _ByBins:
    """Three taps over bins, a step of two: (n, 3, channels in, channels out), one filter for each of n inputs.

    Two bins of output see rows 0 to 4. With rows 0, 2 and 4 as a, b and c they need (a - b) first + b (first + third)
    and b (first + third) + (c - b) third: three products for four, by Winograd's F(2, 2).
    """

    def __init__(self, filters: NDArray[Any], most: int) -> None:
        """most: frames times rows that it is given at once."""
        first, second, third = (filters[:, tap] for tap in range(3))
        self._lower = np.ascontiguousarray(np.concatenate([first, second], axis=1), np.float32)
        self._upper = np.ascontiguousarray(np.concatenate([third, second], axis=1), np.float32)
        self._both = np.ascontiguousarray(first + third, np.float32)
        count, into, out = self._both.shape
        self._result = np.empty((count, most // 4, 2, out), np.float32)
        self._shared = np.empty((count, most // 4, out), np.float32)
        self._difference = np.empty((count, most // 4, into), np.float32)

    def of(self, inputs: Array) -> Array:
        """(n, frames, rows * channels in), overwritten -> (n, frames * rows / 4, 2, channels out)."""
        fours = inputs.reshape(len(inputs), -1, 4, self._both.shape[1])
        size = fours.shape[1]
        a, b = fours[:, :, 0], fours[:, :, 2]
        shared = np.matmul(b, self._both, out=self._shared[:, :size])
        difference = self._difference[:, :size]
        np.subtract(a[:, 1:], b[:, :-1], out=difference[:, :-1])
        difference[:, -1] = 0  # of the last row, which holds nothing
        a -= b
        b[...] = difference
        result = self._result[:, :size]
        np.matmul(fours[:, :, :2].reshape(len(inputs), size, -1), self._lower, out=result[:, :, 0])
        np.matmul(fours[:, :, 2:].reshape(len(inputs), size, -1), self._upper, out=result[:, :, 1])
        result += shared[:, :, None]
        return result


class _Winograd:
    """A convolution that steps by one over frames and by two over bins, and its ReLU."""

    def __init__(self, kernel: Array, bias: Array, rows: int, tiles: int) -> None:
        channels, channels_out = kernel.shape[2:]
        self._filters = _ByBins(np.einsum("if,fbco->ibco", FILTER_4, kernel.astype(np.float64)), tiles * rows)
        self._bias, self.tiles = bias, tiles
        self._wide, self.row_size = rows * channels, rows // 2 * channels_out
        self._points = np.empty(6 * tiles * self._wide, np.float32)

    def run(self, frames: Array, out: Array) -> None:
        """(4 n + 2, rows * channels in) -> (4 n, rows / 2 * channels out)."""
        n = len(out) // TILE
        tiles = np.lib.stride_tricks.as_strided(
            frames, (n, 6, self._wide), (TILE * frames.strides[0], *frames.strides), writeable=False
        )
        points = self._points[: 6 * n * self._wide].reshape(6, n, self._wide)
        np.matmul(INTO_4, tiles, out=points.transpose(1, 0, 2))
        products = self._filters.of(points)
        products[1] += self._bias  # the point 1, whose value comes back in every frame
        back = products.reshape(6, n, self.row_size).transpose(1, 0, 2)
        np.matmul(BACK_4, back, out=out.reshape(n, TILE, self.row_size))
        _leak(out)


def _leak(values: Array) -> None:
    """Leaky ReLU in place."""
    np.maximum(values, np.float32(LEAK) * values, out=values)


class _Transformer:
    """Projection, seven encoder layers (norms behind, as in 2017), attention pooling."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        head = {name.removeprefix(_HEAD): array for name, array in tensors.items() if name.startswith(_HEAD)}
        scale, offset = _batch_norm(head, "norm_input.")
        second_scale, second_offset = _batch_norm(head, "transformer.norm.")
        scale, offset = scale * second_scale, offset * second_scale + second_offset
        weight = head["transformer.linear_proj.weight"].astype(np.float64)
        # Upstream's features are channel by channel, ours bin by bin.
        ours = np.arange(len(scale)).reshape(-1, LAST_BINS).T.ravel()
        self._projection = np.ascontiguousarray((weight * scale).T[ours], np.float32)
        bias = weight @ offset + head["transformer.linear_proj.bias"]
        self._places = (head["transformer.position_encoding.pe"][0] + bias).astype(np.float32)
        scratch = np.empty((len(self._places), len(self._places)), np.float32)
        names = (f"transformer.transformer_encoder.layers.{index}." for index in range(NUM_LAYERS))
        self._layers = [_EncoderLayer(head, name, scratch) for name in names]
        scale, offset = _batch_norm(head, "norm_trans.")
        self._norm = scale.astype(np.float32), offset.astype(np.float32)
        self._pool = [_linear(head, f"pool.linear{i}.") for i in (1, 2, 3)]

    def run(self, features: Array) -> float:
        """(384, 1024) -> 0..1."""
        values = features @ self._projection + self._places
        for layer in self._layers:
            values = layer.run(values)
        values = values * self._norm[0] + self._norm[1]
        (first, first_bias), (second, second_bias), (last, last_bias) = self._pool
        attention = np.maximum(values @ first + first_bias, 0) @ second + second_bias
        weights = np.exp(attention - attention.max())
        pooled = (weights * values).sum(axis=0) / weights.sum()
        return float(1 / (1 + np.exp(-(pooled @ last + last_bias)[0].astype(np.float64))))


class _EncoderLayer:
    def __init__(self, head: Mapping[str, NDArray[np.float32]], prefix: str, scratch: Array) -> None:
        own = {name.removeprefix(prefix): array for name, array in head.items() if name.startswith(prefix)}
        weight, bias = own["self_attn.in_proj_weight"], own["self_attn.in_proj_bias"]
        width = weight.shape[1]
        scale = np.ones(len(bias), np.float32)
        scale[:width] = 1 / math.sqrt(width // HEADS)  # the queries come first
        self._into = np.ascontiguousarray((weight * scale[:, None]).T), bias * scale
        self._linear = {name: _linear(own, name + ".") for name in ("self_attn.out_proj", "linear1", "linear2")}
        self._norms = [(own[f"norm{i}.weight"], own[f"norm{i}.bias"]) for i in (1, 2)]
        self._scratch = scratch

    def run(self, values: Array) -> Array:
        values = _normed(values + self._apply("self_attn.out_proj", self._attended(values)), *self._norms[0])
        hidden = self._apply("linear1", values)
        return _normed(values + self._apply("linear2", np.maximum(hidden, 0, out=hidden)), *self._norms[1])

    def _attended(self, values: Array) -> Array:
        length, width = values.shape
        mixed = (values @ self._into[0] + self._into[1]).reshape(length, 3, HEADS, width // HEADS)
        queries, keys, contents = np.ascontiguousarray(mixed.transpose(1, 2, 0, 3))  # (heads, length, 25) each
        bounded = _longest(queries) * _longest(keys) <= LARGEST_EXPONENT
        # A column of ones adds up the weights on the way.
        contents = np.concatenate([contents, np.ones((HEADS, length, 1), np.float32)], axis=2)
        summed = np.empty_like(contents)
        for head in range(HEADS):  # one by one: a head's weights fit a core's cache
            weights = np.matmul(queries[head], keys[head].T, out=self._scratch)
            if not bounded:
                weights -= weights.max(axis=1, keepdims=True)
            np.matmul(np.exp(weights, out=weights), contents[head], out=summed[head])
        attended = summed[..., :-1] / summed[..., -1:]
        return np.ascontiguousarray(attended.transpose(1, 0, 2)).reshape(length, width)

    def _apply(self, name: str, values: Array) -> Array:
        weight, bias = self._linear[name]
        return values @ weight + bias


def _linear(tensors: Mapping[str, NDArray[np.float32]], prefix: str) -> tuple[Array, Array]:
    return np.ascontiguousarray(tensors[prefix + "weight"].T), tensors[prefix + "bias"]


def _batch_norm(tensors: Mapping[str, NDArray[np.float32]], prefix: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scale and offset that it comes to."""
    mean, variance = (tensors[prefix + name].astype(np.float64) for name in ("running_mean", "running_var"))
    scale = tensors[prefix + "weight"] / np.sqrt(variance + EPSILON)
    return scale, tensors[prefix + "bias"] - mean * scale


def _longest(vectors: Array) -> float:
    return float(np.sqrt(np.square(vectors).sum(axis=2).max()))


def _normed(values: Array, scale: Array, offset: Array) -> Array:
    """Layer norm."""
    centred = values - values.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(EPSILON))
    normed: Array = centred / deviation * scale + offset
    return normed
