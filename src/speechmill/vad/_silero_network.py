# SPDX-License-Identifier: Apache-2.0
"""Silero VAD's network: as it ships, or the same arithmetic in an order that suits a CPU.

A 32 ms window goes through a spectrum and four convolutions that see nothing but this window; only the LSTM behind
them remembers. onnxruntime is slow at convolutions over four frames, so here the spectrum is an FFT and each
convolution is a large matrix product over hundreds of windows for each frame it puts out. The LSTM is the shipped
graph's own, cut out, and the weights are the file's. Knows nothing of recordings, blocks or thresholds.
Source: Silero Team, https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from msgspec import Struct

from speechmill.core import devices
from speechmill.core.errors import FormatError
from speechmill.core.stage import Samples
from speechmill.models import onnx_graph
from speechmill.models.inference import session

WINDOW = 512  # samples at 16 kHz, the model's hop
CONTEXT = 64  # samples before each window that the model sees too
UNITS = 128  # of the LSTM
FRAME, HOP = 256, 128  # of the short-time spectra, four to a window
MIRRORED = 64  # samples: the last spectrum reaches this far beyond the window and sees its end mirrored
STRIDES = (1, 2, 2, 1)  # of the convolutions, over frames
SLICE = 96  # windows encoded at once: what they need lies in a core's cache

# Names in the graphs; releases differ in the names of their weights.
_KERNEL = re.compile(r".*\.forward_basis_buffer")
_CONVOLUTION = r"encoder\.(conv_layers\.)?{}\.{}"
_ENCODED = "/Transpose_output_0"
_PROBABILITIES, _HIDDEN, _CELL = "speech_probs", "hn", "cn"


class State(Struct, frozen=True):
    """What the LSTM remembers of each channel: (1, num_channels, 128) each."""

    hidden: Samples
    cell: Samples


def at_rest(num_channels: int) -> State:
    """Return the state before the first window."""
    return State(np.zeros((1, num_channels, UNITS), np.float32), np.zeros((1, num_channels, UNITS), np.float32))


class Network(Protocol):
    """Windows of some channels in, probabilities of speech and what is remembered out.

    block: how many windows it likes to get at once, over all channels.
    """

    block: int

    def run(self, windows: Samples, state: State) -> tuple[Samples, State]:
        """Return (num_channels, num_windows) in 0..1. windows: (num_windows, num_channels, CONTEXT + WINDOW)."""
        ...


def open_network(model: Path, name: str, device: str) -> Network:
    """Open the network; a server knows it by `name`. Raises FormatError where the file is none of Silero's."""
    if devices.kind(device) == devices.CPU:
        return Rearranged(model)
    return AsShipped(model, name, device)


class AsShipped:
    """The plain graph, one channel after the other: for a GPU, a server, and to compare with."""

    block = 1_875  # a minute: few calls, and 4 MB each

    def __init__(self, model: Path, name: str, device: str = devices.CPU) -> None:
        self._session = session(model, name=name, device=device, bounded=True)

    def run(self, windows: Samples, state: State) -> tuple[Samples, State]:
        found = [self._channel(windows[:, i], state, i) for i in range(windows.shape[1])]
        speech, hidden, cell = zip(*found, strict=True)
        return np.stack(speech), State(np.concatenate(hidden, axis=1), np.concatenate(cell, axis=1))

    def _channel(self, windows: Samples, state: State, index: int) -> list[Samples]:
        one = slice(index, index + 1)
        feeds = {"input": np.ascontiguousarray(windows), "h": state.hidden[:, one], "c": state.cell[:, one]}
        return self._session.run([_PROBABILITIES, _HIDDEN, _CELL], feeds)


class Rearranged:
    """FFT and matrix products, then the graph's LSTM over all channels at once.

    What a window gives doesn't depend on which windows are beside it, bit for bit: numpy's BLAS sums each row of a
    product alone and in one order, and so does onnxruntime's LSTM each channel (the tests look). Only a product of a
    single row takes another way through the BLAS, so there is none.
    """

    block = 10 * SLICE

    def __init__(self, model: Path) -> None:
        content = model.read_bytes()
        try:
            weights = onnx_graph.weights(content)
            self._taper = _one(weights, _KERNEL)[0, 0]  # the kernel is a tapered DFT, its first row the cosine of 0 Hz
            self._layers = [_layer(weights, number, stride) for number, stride in enumerate(STRIDES)]
            self._lstm = session(_recurrent_part(content), name=model.name, bounded=True)
        except FormatError as error:
            raise FormatError(f"{model}: {error}") from error

    def run(self, windows: Samples, state: State) -> tuple[Samples, State]:
        num_windows, num_channels, _ = windows.shape
        flat = windows.reshape(-1, CONTEXT + WINDOW)
        encoded = np.concatenate([self._encode(flat[i : i + SLICE]) for i in range(0, len(flat), SLICE)])
        feeds = {_ENCODED: encoded.reshape(num_windows, num_channels, UNITS), "h": state.hidden, "c": state.cell}
        speech, hidden, cell = self._lstm.run([_PROBABILITIES, _HIDDEN, _CELL], feeds)
        return speech.reshape(num_channels, num_windows), State(hidden, cell)

    def _encode(self, windows: Samples) -> Samples:
        """(n, CONTEXT + WINDOW) -> (n, UNITS)."""
        layer = _spectra(windows if len(windows) > 1 else np.repeat(windows, 2, axis=0), self._taper)
        for convolution in self._layers:
            layer = convolution.over(layer)
        return layer[: len(windows)]


class _Convolution(Struct, frozen=True):
    """Three taps over frames, a frame of zeros before and after, then ReLU."""

    taps: Samples  # (3 * channels in, channels out)
    bias: Samples  # (channels out,)
    stride: int

    def over(self, frames: Samples) -> Samples:
        """(n, frames in * channels in) -> (n, frames out * channels out); taps that meet only zeros cost nothing."""
        channels_in, channels_out = len(self.taps) // 3, len(self.bias)
        num_frames = frames.shape[1] // channels_in
        centres = range(0, num_frames, self.stride)
        out = np.empty((len(frames), len(centres), channels_out), np.float32)
        for index, centre in enumerate(centres):
            first, last = max(centre - 1, 0), min(centre + 2, num_frames)
            seen = frames[:, first * channels_in : last * channels_in]
            taps = self.taps[(first - centre + 1) * channels_in : (last - centre + 1) * channels_in]
            np.matmul(seen, taps, out=out[:, index])
        out += self.bias
        np.maximum(out, 0, out=out)
        return out.reshape(len(frames), -1)


def _one(weights: Mapping[str, Samples], name: re.Pattern[str]) -> Samples:
    for found, array in weights.items():
        if name.fullmatch(found):
            return array
    raise FormatError(f"no weights called {name.pattern}; not Silero VAD v6")


def _layer(weights: Mapping[str, Samples], number: int, stride: int) -> _Convolution:
    kernel = _one(weights, re.compile(_CONVOLUTION.format(number, "weight")))  # (out, in, 3)
    taps = np.ascontiguousarray(kernel.transpose(2, 1, 0)).reshape(-1, len(kernel))
    return _Convolution(taps, _one(weights, re.compile(_CONVOLUTION.format(number, "bias"))), stride)


def _recurrent_part(model: bytes) -> bytes:
    channels: Sequence[int | str] = (1, "channels", UNITS)
    inputs = {_ENCODED: ("windows", "channels", UNITS), "h": channels, "c": channels}
    return onnx_graph.cut(model, inputs, [_PROBABILITIES, _HIDDEN, _CELL])


def _spectra(windows: Samples, taper: Samples) -> Samples:
    """(n, CONTEXT + WINDOW) -> (n, 4 * 129) magnitudes."""
    padded = np.concatenate([windows, windows[:, -2 : -2 - MIRRORED : -1]], axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME, axis=1)[:, ::HOP]
    spectra: Samples = np.abs(np.fft.rfft(frames * taper))
    return spectra.reshape(len(windows), -1)
