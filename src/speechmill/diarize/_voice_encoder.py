# SPDX-License-Identifier: Apache-2.0
"""GE2E d-vectors: what a voice sounds like, as a unit vector, on onnxruntime.

The network and its weights are Resemblyzer's VoiceEncoder (Resemble AI, Apache-2.0): 40 mel bands,
three LSTM layers of 256, a linear layer with ReLU, L2 norm. Source: Wan et al., "Generalized
end-to-end loss for speaker verification", ICASSP 2018. The graph is written here from the weights; on a CPU it
runs a quarter faster than the same in numpy, near what the processor can multiply. No VAD and no clustering here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.models.inference import Session, session
from speechmill.models.onnx_graph import node, written

Array = NDArray[np.float32]

FRAME = WORKING_HZ * 25 // 1000  # samples in a frame, 25 ms
STEP = WORKING_HZ * 10 // 1000  # samples from frame to frame, 10 ms
NUM_MELS = 40
WINDOW_FRAMES = 160  # what the network was trained on, 1.6 s
EMBEDDING = 256
_LAYERS = 3
_HIDDEN = 256
_BATCH = 32  # windows of one run; more gains nothing and costs 2 MB of memory each
_SHORTEST = 1e-12  # a vector of zeros stays one

SERVED_AS = "dvector"
MELS, VECTORS = "mels", "vectors"


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


def graph(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Write the network as ONNX. Raises KeyError where a tensor is missing."""
    constants: dict[str, NDArray[Any]] = {"direction": np.array([1]), "newest": np.array([0])}
    nodes = [node("Transpose", [MELS], ["steps0"], perm=(1, 0, 2))]
    for index in range(_LAYERS):
        names = [f"inputs{index}", f"recurrent{index}", f"bias{index}"]
        constants.update(zip(names, _layer(tensors, index), strict=True))
        made = [f"all{index}", f"last{index}"]
        nodes.append(node("LSTM", [f"steps{index}", *names], made, hidden_size=_HIDDEN))
        nodes.append(node("Squeeze", [made[0], "direction"], [f"steps{index + 1}"]))
    constants["linear"] = _float32(tensors["linear.weight"].T)
    constants["linear_bias"] = _float32(tensors["linear.bias"])
    constants["shortest"] = np.array([_SHORTEST], np.float32)
    nodes += [
        node("Squeeze", [made[1], "newest"], ["heard"]),
        node("Gemm", ["heard", "linear", "linear_bias"], ["projected"]),
        node("Relu", ["projected"], ["raw"]),
        node("ReduceL2", ["raw"], ["length"], axes=(1,), keepdims=1),
        node("Max", ["length", "shortest"], ["divisor"]),
        node("Div", ["raw", "divisor"], [VECTORS]),
    ]
    return written(nodes, constants, {MELS: ("N", WINDOW_FRAMES, NUM_MELS)}, {VECTORS: ("N", EMBEDDING)})


def _layer(tensors: Mapping[str, NDArray[Any]], index: int) -> tuple[Array, Array, Array]:
    """Weights and biases of a layer with gates in ONNX's order i, o, f, c; torch's is i, f, c, o."""
    gates = np.arange(4 * _HIDDEN).reshape(4, _HIDDEN)[[0, 3, 1, 2]].ravel()
    inputs, recurrent = (tensors[f"lstm.weight_{kind}_l{index}"][gates][None] for kind in ("ih", "hh"))
    biases = np.concatenate([tensors[f"lstm.bias_{kind}_l{index}"][gates] for kind in ("ih", "hh")])[None]
    return _float32(inputs), _float32(recurrent), _float32(biases)


def _float32(array: NDArray[Any]) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)


class VoiceEncoder:
    """Embeds windows of 1.6 s where `device` says.

    tensors: the weights under their names in Resemblyzer's file; others are ignored.
    Raises KeyError where one is missing.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], device: str = "cpu") -> None:
        self._session: Session = session(graph(tensors), name=SERVED_AS, device=device, bounded=True)

    def embed(self, mels: Array) -> Array:
        """Embed windows: (num_windows, 160, 40) to (num_windows, 256), non-negative, of length 1.

        A window that the network answers with nothing but zeros stays zero.
        """
        parts = [self._session.run([VECTORS], {MELS: mels[i : i + _BATCH]})[0] for i in range(0, len(mels), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, EMBEDDING), dtype=np.float32)
