# SPDX-License-Identifier: Apache-2.0
"""GE2E d-vectors: what a voice sounds like, as a unit vector, in numpy.

The network and its weights are Resemblyzer's VoiceEncoder (Resemble AI, Apache-2.0): 40 mel bands,
three LSTM layers of 256, a linear layer with ReLU, L2 norm. Source: Wan et al., "Generalized
end-to-end loss for speaker verification", ICASSP 2018. No VAD and no clustering here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

Array = NDArray[np.float32]

FRAME = WORKING_HZ * 25 // 1000  # samples in a frame, 25 ms
STEP = WORKING_HZ * 10 // 1000  # samples from frame to frame, 10 ms
NUM_MELS = 40
WINDOW_FRAMES = 160  # what the network was trained on, 1.6 s
EMBEDDING = 256
_LAYERS = 3
_HIDDEN = 256
_BATCH = 64  # windows of one GEMM; more gains nothing and costs 0.7 MB of memory each


@functools.cache
def mel_filters() -> Array:
    """Mel filters of the Slaney scale, each of unit area, 0 to 8 kHz: (201, 40).

    Source: Slaney, Auditory Toolbox, 1998 (librosa's default).
    """
    bins = np.linspace(0.0, WORKING_HZ / 2, FRAME // 2 + 1)
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(WORKING_HZ / 2), NUM_MELS + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * 2.0 / (edges[2:] - edges[:-2]), dtype=np.float32)


_LINEAR_HZ = 200.0 / 3  # a mel below 1 kHz; above it, 27 mels are a factor of 6.4
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < 1000.0 else 15.0 + float(np.log(hz / 1000.0)) / _LOG_STEP


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < 15.0, mels * _LINEAR_HZ, 1000.0 * np.exp(_LOG_STEP * (mels - 15.0)))


def mel_spectrogram(samples: Samples) -> Array:
    """Power in mel bands, not logarithmic: (num_frames, 40).

    samples: (num_samples,) at 16 kHz. Frame i covers samples [160 i, 160 i + 400): no padding at the ends.
    """
    if len(samples) < FRAME:
        return np.zeros((0, NUM_MELS), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
    spectrum = np.fft.rfft(frames * hann, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power.astype(np.float32) @ mel_filters(), dtype=np.float32)


class VoiceEncoder:
    """Embeds windows of 1.6 s.

    tensors: the weights under their names in Resemblyzer's file; others are ignored.
    Raises KeyError where one is missing.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._layers = [_layer(tensors, index) for index in range(_LAYERS)]
        self._linear = _float32(tensors["linear.weight"].T)
        self._linear_bias = _float32(tensors["linear.bias"])

    def embed(self, mels: Array) -> Array:
        """Embed windows: (num_windows, 160, 40) to (num_windows, 256), non-negative, of length 1.

        A window that the network answers with nothing but zeros stays zero.
        """
        parts = [self._embed(mels[first : first + _BATCH]) for first in range(0, len(mels), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, EMBEDDING), dtype=np.float32)

    def _embed(self, mels: Array) -> Array:
        state = np.ascontiguousarray(mels.transpose(1, 0, 2))  # time first: each step is one block of memory
        for weights in self._layers:
            state = _lstm(state, *weights)
        raw = np.maximum(state[-1] @ self._linear + self._linear_bias, 0.0)
        return np.asarray(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _float32(array: NDArray[Any]) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)


def _layer(tensors: Mapping[str, NDArray[Any]], index: int) -> tuple[Array, Array, Array]:
    """Input weights, recurrent weights and bias of a layer, with gates in the order i, f, o, g.

    torch's order is i, f, g, o; with the three sigmoids side by side one call does them all.
    sigmoid(x) = (1 + tanh(x / 2)) / 2, so their weights are halved and the whole block is one tanh.
    """
    order = np.r_[0 : 2 * _HIDDEN, 3 * _HIDDEN : 4 * _HIDDEN, 2 * _HIDDEN : 3 * _HIDDEN]
    scale = np.where(np.arange(4 * _HIDDEN) < 3 * _HIDDEN, 0.5, 1.0)[:, None]
    inputs = tensors[f"lstm.weight_ih_l{index}"][order] * scale
    recurrent = tensors[f"lstm.weight_hh_l{index}"][order] * scale
    bias = (tensors[f"lstm.bias_ih_l{index}"] + tensors[f"lstm.bias_hh_l{index}"])[order] * scale[:, 0]
    return _float32(inputs.T), _float32(recurrent.T), _float32(bias)


def _lstm(sequence: Array, inputs: Array, recurrent: Array, bias: Array) -> Array:
    """One layer over (time, batch, features); returns (time, batch, 256)."""
    time, batch, features = sequence.shape
    projected = (sequence.reshape(-1, features) @ inputs + bias).reshape(time, batch, 4 * _HIDDEN)
    hidden = np.zeros((time, batch, _HIDDEN), dtype=np.float32)
    cell = np.zeros((batch, _HIDDEN), dtype=np.float32)
    for step in range(time):
        gates = projected[step]
        if step:
            gates += hidden[step - 1] @ recurrent
        np.tanh(gates, out=gates)
        sigmoids = gates[:, : 3 * _HIDDEN]
        sigmoids += 1.0
        sigmoids *= 0.5
        cell = sigmoids[:, _HIDDEN : 2 * _HIDDEN] * cell + sigmoids[:, :_HIDDEN] * gates[:, 3 * _HIDDEN :]
        np.multiply(sigmoids[:, 2 * _HIDDEN :], np.tanh(cell), out=hidden[step])
    return hidden
