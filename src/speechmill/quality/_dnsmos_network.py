# SPDX-License-Identifier: Apache-2.0
"""DNSMOS' network over all windows of a recording: what windows share is computed once.

Parts: log spectrum (numpy), early layers (see `_dnsmos_early`), two late layers, and a head per window. A window sees
zeros around it, so at its edges some values differ from the shared ones; those are computed again, and nothing else.
The scores are those of the whole network on every window alone, up to rounding: a few 1e-6, and 1e-4 where bins are so
quiet that rounding is what they hold. Knows nothing of MOS or polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core import devices
from speechmill.core.errors import FormatError
from speechmill.core.stage import Samples
from speechmill.models.inference import session
from speechmill.models.onnx_graph import cut, node, weights, written
from speechmill.quality._dnsmos_early import BINS, CHANNELS, POOLED_BINS, AsShipped, Early, Winograd

Array = NDArray[np.float32]

FRAME, HOP = 320, 160  # of the network's own STFT, samples
WINDOW_FRAMES = 900
FRAMES_PER_SECOND = 100

# Names in the graph that the card `dnsmos` pins.
_SPECTRUM, _POOLED = "mos_estimator_logpow/truediv:0", "mos_estimator_logpow/conv2d_3/Relu:0_pooling0"
_STEPS, _RAW = "mos_estimator_logpow/conv2d_5/Relu:0", "raw"
_STFT = "time2freq/stft-{}/kernel:0"
_DENSE = "mos_estimator_logpow/{}/{}/ReadVariableOp/resource:0"
EARLY, LATE, HEAD = "dnsmos_early", "dnsmos_late", "dnsmos_head"

# Early layers halve time once, late ones again: a second is 25 steps, and windows lie on whole steps. The last halving
# is the head's: it starts on odd steps in every other window.
_HALF, _STEP, _STEP_BINS = 2, 4, 40  # frames; bins of a step
_EARLY_REACH = 4  # frames that zeros reach through four 3x3 convolutions
_LATE_REACH = 3  # steps that zeros reach through all six, pooled by 2 and 2
_EARLY_EDGE = 2 * _EARLY_REACH  # frames at a window's edge that are computed again; half of it sees the far end's zeros
_LATE_EDGE = 10  # halves of frames, likewise
_EARLY_BLOCK = 200  # frames computed at once, besides what they see of their neighbours
_LATE_BLOCK = 400  # halves computed at once, likewise
_SPAN = 24  # seconds from the first window to the last that are scored at once: bounds memory for long audio


class Network:
    """Raw scores of windows. device: where the convolutions run. Raises FormatError for another file."""

    def __init__(self, path: Path, device: str) -> None:
        model = path.read_bytes()
        try:
            found = weights(model)
            parts = (found[_STFT.format(part)][:, :, 0].T for part in ("real", "imag"))
            self._fourier = np.ascontiguousarray(np.concatenate(list(parts), axis=1))  # (320, 2 * 161)
            graphs = networks(model)
            self._early = _early(found, graphs, device)
        except KeyError as error:
            raise FormatError(f"{path}: no weights {error}; not DNSMOS P.835") from error
        # With a server only the early layers are there: the rest is 3 % of the work and would be 75 % of what is sent.
        rest = devices.CPU if devices.kind(device) == devices.TRITON else device
        self._late = session(graphs[LATE], name=LATE, device=rest, bounded=True)
        self._head = session(graphs[HEAD], name=HEAD, device=rest, bounded=True)

    def windows(self, samples: Samples, seconds: Sequence[int], *, period: int = 0) -> Array:
        """Raw scores of the windows that start at the given seconds, in order: (num_windows, 3).

        period: samples after which the audio repeats itself; 0 where it doesn't.
        """
        # Frames repeat where a whole number of hops fits, halves where that number is even.
        cycle = math.lcm(period, HOP * _HALF) // HOP
        return np.concatenate([self._near(samples, group, cycle) for group in _neighbours(seconds)])

    def _near(self, samples: Samples, seconds: Sequence[int], cycle: int) -> Array:
        """Windows that lie near each other; between others there is audio that no window sees."""
        first, last = seconds[0] * FRAMES_PER_SECOND, seconds[-1] * FRAMES_PER_SECOND + WINDOW_FRAMES
        spectrum = self._spectrum(samples[first * HOP : (last - 1) * HOP + FRAME])
        starts = [second * FRAMES_PER_SECOND - first for second in seconds]
        steps = self._steps(self._halves(spectrum, starts, cycle), starts)
        return np.concatenate([self._head.run(None, {_STEPS: steps.whole(start)[None]})[0] for start in starts])

    def _spectrum(self, samples: Samples) -> Array:
        """Log power, (num_frames, 161)."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        parts = np.square(np.ascontiguousarray(frames, np.float32) @ self._fourier)
        power = np.maximum(parts[:, :BINS] + parts[:, BINS:], np.float32(1e-12))
        spectrum: Array = np.log(power) / np.float32(np.log(10))
        return spectrum

    def _halves(self, spectrum: Array, starts: Sequence[int], cycle: int) -> _Features:
        """What the early layers make of a spectrum that repeats itself after `cycle` frames, or doesn't: 0."""
        firsts = [spectrum[start:][:_EARLY_EDGE] for start in starts]
        lasts = [spectrum[start:][WINDOW_FRAMES - _EARLY_EDGE : WINDOW_FRAMES] for start in starts]
        edges = _Edges.of(starts, self._early.run(firsts + lasts), _EARLY_REACH // _HALF)
        needed = cycle + 2 * _EARLY_REACH if cycle else len(spectrum)
        shared = self._blocks(spectrum[:needed])
        if needed < len(spectrum):
            # Zeros reach the first and the last halves of all; every window has edges of its own there.
            reach = _EARLY_REACH // _HALF
            shared = shared[:, reach + (np.arange(len(spectrum) // _HALF) - reach) % (cycle // _HALF)]
        return _Features(shared, edges, _HALF)

    def _blocks(self, spectrum: Array) -> Array:
        """The early layers over any length, block by block with the neighbours that each block sees."""
        parts = []
        for begin in range(0, len(spectrum), _EARLY_BLOCK):
            low = max(0, begin - _EARLY_REACH)
            made = self._early.run([spectrum[low : begin + _EARLY_BLOCK + _EARLY_REACH]])[0]
            parts.append(made[:, (begin - low) // _HALF :][:, : _EARLY_BLOCK // _HALF])
        return np.concatenate(parts, axis=1)

    def _steps(self, halves: _Features, starts: Sequence[int]) -> _Features:
        """What the late layers make of that."""
        firsts = [halves.first(start, _LATE_EDGE) for start in starts]
        lasts = [halves.last(start, _LATE_EDGE) for start in starts]
        edges = _Edges.of(starts, list(self._run_late(np.stack(firsts + lasts))), _LATE_REACH)
        parts = []
        for begin in range(0, halves.shared.shape[1], _LATE_BLOCK):
            low = max(0, begin - 2 * _LATE_REACH)
            made = self._run_late(halves.shared[None, :, low : begin + _LATE_BLOCK + 2 * _LATE_REACH])[0]
            parts.append(made[:, (begin - low) // 2 :][:, : _LATE_BLOCK // 2])
        return _Features(np.concatenate(parts, axis=1), edges, _STEP)

    def _run_late(self, halves: Array) -> Array:
        return self._late.run(None, {_POOLED: np.ascontiguousarray(halves)})[0]


class _Edges(Struct, frozen=True):
    """For each window by its start: what it sees first and last of some features, zeros beyond it included."""

    first: Mapping[int, Array]
    last: Mapping[int, Array]

    @classmethod
    def of(cls, starts: Sequence[int], made: Sequence[Array], reach: int) -> _Edges:
        """made: of the beginnings of all windows, then of their ends; only `reach` is right at the outer side."""
        firsts = {start: one[:, :reach] for start, one in zip(starts, made[: len(starts)], strict=True)}
        lasts = {start: one[:, -reach:] for start, one in zip(starts, made[len(starts) :], strict=True)}
        return cls(firsts, lasts)


class _Features(Struct, frozen=True):
    """Features over time, (channels, time, bins), as no window's edge changes them, and those that one does."""

    shared: Array
    edges: _Edges
    frames: int  # of the spectrum in one of these

    def first(self, start: int, count: int) -> Array:
        """The first features of the window that starts at a frame."""
        edge = self.edges.first[start]
        begin = start // self.frames
        return np.concatenate([edge, self.shared[:, begin + edge.shape[1] : begin + count]], axis=1)

    def last(self, start: int, count: int) -> Array:
        edge = self.edges.last[start]
        end = (start + WINDOW_FRAMES) // self.frames
        return np.concatenate([self.shared[:, end - count : end - edge.shape[1]], edge], axis=1)

    def whole(self, start: int) -> Array:
        half = WINDOW_FRAMES // self.frames // 2
        return np.concatenate([self.first(start, half), self.last(start, WINDOW_FRAMES // self.frames - half)], axis=1)


def networks(model: bytes) -> dict[str, bytes]:
    """The parts as graphs of their own, by name."""
    early = cut(model, {_SPECTRUM: ("N", "T", BINS)}, [_POOLED])
    late = cut(model, {_POOLED: ("N", CHANNELS, "T", POOLED_BINS)}, [_STEPS])
    return {EARLY: early, LATE: late, HEAD: _head(weights(model))}


def _head(found: Mapping[str, Array]) -> bytes:
    """The last layers as shipped, but for the maximum over positions, which is taken before channels are moved last."""
    constants = {"kernel": found["conv2d_6/kernel:0"], "bias": found["conv2d_6/bias:0"]}
    nodes = [
        node("MaxPool", [_STEPS], ["pooled"], kernel_shape=(2, 2), strides=(2, 2)),
        node("Conv", ["pooled", "kernel", "bias"], ["sums"], kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
        node("Relu", ["sums"], ["heard"]),
        node("GlobalMaxPool", ["heard"], ["largest"]),
        node("Flatten", ["largest"], ["dense0"]),
    ]
    for index, layer in enumerate(("dense", "dense_1", "dense_3")):
        matrix, offset = f"matrix{index}", f"offset{index}"
        constants[matrix] = found[_DENSE.format(layer, "MatMul")]
        constants[offset] = found[_DENSE.format(layer, "BiasAdd")]
        made = _RAW if layer == "dense_3" else f"sum{index}"
        nodes.append(node("Gemm", [f"dense{index}", matrix, offset], [made]))
        if made != _RAW:
            nodes.append(node("Relu", [made], [f"dense{index + 1}"]))
    steps = ("N", CHANNELS, WINDOW_FRAMES // _STEP, _STEP_BINS)
    return written(nodes, constants, {_STEPS: steps}, {_RAW: ("N", 3)})


def _early(found: Mapping[str, Array], graphs: Mapping[str, bytes], device: str) -> Early:
    if devices.kind(device) == devices.CPU:
        return Winograd(found)
    return AsShipped(session(graphs[EARLY], name=EARLY, device=device, bounded=True), _SPECTRUM)


def _neighbours(seconds: Sequence[int]) -> Iterator[list[int]]:
    """Part windows where one starts after the last one's end, or a part gets long."""
    group: list[int] = []
    for second in seconds:
        if group and (second - group[-1] > WINDOW_FRAMES // FRAMES_PER_SECOND or second - group[0] > _SPAN):
            yield group
            group = []
        group.append(second)
    if group:
        yield group
