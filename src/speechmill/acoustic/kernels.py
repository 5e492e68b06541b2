# SPDX-License-Identifier: Apache-2.0
"""Compiled loops: Viterbi search over a block of frames, the way back, sums over mixtures, statistics.

They don't know what the numbers mean; `viterbi`, `gmm` and `features` do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmill.acoustic.compiled import compiled

NEVER = -1e30  # a log-likelihood that no path has


def _search(
    scores: NDArray[np.float32],
    column: NDArray[np.int32],
    stay: NDArray[np.float64],
    first: NDArray[np.int32],
    sources: NDArray[np.int32],
    costs: NDArray[np.float64],
    low: int,
    previous: NDArray[np.float64],
    back: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Move a band of states, from `low` on, through the frames of `scores`; return how each stands after the last.

    scores: (frames, columns). column, previous, back and the result know the band's states only; the others know all.
    A state's column is the one it takes its score from; -1: it takes no frame. A state comes from itself (`back` 0) or
    its n-th source (`back` n), which has a lower number.
    """
    size = previous.shape[0]
    current = np.full(size, NEVER)
    before = previous.copy()
    for frame in range(scores.shape[0]):
        for place in range(size):
            state = low + place
            emits = column[place] >= 0
            best, choice = NEVER, 0
            if emits:
                best = before[place] + stay[state]
            for arc in range(first[state], first[state + 1]):
                source = sources[arc] - low
                if source < 0:
                    continue
                value = (before[source] if emits else current[source]) + costs[arc]
                if value > best:
                    best = value
                    choice = arc - first[state] + 1
            if emits and best > NEVER / 2:
                best += scores[frame, column[place]]
            current[place] = best if best > NEVER / 2 else NEVER
            back[frame, place] = choice
        for place in range(size):
            before[place] = current[place]
    return current


def _trace(
    back: NDArray[np.uint8],
    column: NDArray[np.int32],
    first: NDArray[np.int32],
    sources: NDArray[np.int32],
    low: int,
    state: int,
    path: NDArray[np.int32],
) -> int:
    """Fill `path`, the state of each frame, from the last to the first; return the state before the first."""
    for frame in range(back.shape[0] - 1, -1, -1):
        while column[state] < 0:
            state = sources[first[state] + back[frame, state - low] - 1]
        path[frame] = state
        choice = back[frame, state - low]
        if choice > 0:
            state = sources[first[state] + choice - 1]
    return state


def _shortest(states: NDArray[np.int32], first: NDArray[np.int32], sources: NDArray[np.int32]) -> int:
    """Return the frames of the shortest way to the last state. A state of -1 takes none."""
    needed = np.zeros(len(states), np.int64)
    for state in range(1, len(states)):
        least = 0
        for arc in range(first[state], first[state + 1]):
            if arc == first[state] or needed[sources[arc]] < least:
                least = needed[sources[arc]]
        needed[state] = least + (states[state] >= 0)
    return int(needed[-1])


def _mix(components: NDArray[np.float32], first: NDArray[np.int32], scores: NDArray[np.float32]) -> None:
    """Log of the sum of the exponentials of each state's components: (frames, components) to (frames, states)."""
    for frame in range(components.shape[0]):
        for state in range(scores.shape[1]):
            best = components[frame, first[state]]
            total = np.float32(1)
            for place in range(first[state] + 1, first[state + 1]):
                value = components[frame, place]
                if value > best + 8:  # adds nothing that counts
                    best, total = value, np.float32(1)
                elif value > best:
                    best, total = value, total * np.exp(best - value) + 1
                elif value > best - 8:
                    total += np.exp(value - best)
            scores[frame, state] = best + np.log(total) if total > 1 else best


def _powers(
    signal: NDArray[np.float32],
    hop: int,
    window: NDArray[np.float32],
    turns: NDArray[np.float32],
    places: NDArray[np.int32],
    found: NDArray[np.float32],
) -> None:
    """Set the power spectra of frames, (frames, size / 2 + 1), each a hop after the one before.

    turns: (2, size / 2), cosines and negative sines of the circle. places: where the transform leaves each frequency.
    Frames are transformed 32 at once, two as one complex signal, so that all arithmetic is on vectors.
    """
    size = len(places)
    real, imaginary = np.empty((size, 16), np.float32), np.empty((size, 16), np.float32)
    for start in range(0, found.shape[0], 32):
        real[:] = 0
        imaginary[:] = 0
        for lane in range(min(16, (found.shape[0] - start + 1) // 2)):
            begin = (start + 2 * lane) * hop
            for place in range(len(window)):
                real[place, lane] = signal[begin + place] * window[place]
            if start + 2 * lane + 1 < found.shape[0]:
                for place in range(len(window)):
                    imaginary[place, lane] = signal[begin + hop + place] * window[place]
        span = size // 2
        while span:
            step = size // 2 // span
            for place in range(span):
                cosine, sine = turns[0, place * step], turns[1, place * step]
                for low in range(place, size, 2 * span):
                    for lane in range(16):
                        x, y = real[low, lane], imaginary[low, lane]
                        u, v = real[low + span, lane], imaginary[low + span, lane]
                        real[low, lane], imaginary[low, lane] = x + u, y + v
                        real[low + span, lane] = (x - u) * cosine - (y - v) * sine
                        imaginary[low + span, lane] = (x - u) * sine + (y - v) * cosine
            span //= 2
        for lane in range(min(16, (found.shape[0] - start + 1) // 2)):
            frame = start + 2 * lane
            both = frame + 1 < found.shape[0]
            for k in range(size // 2 + 1):
                here, there = places[k], places[(size - k) % size]
                x, y, u, v = real[here, lane], imaginary[here, lane], real[there, lane], imaginary[there, lane]
                quarter = np.float32(0.25)
                found[frame, k] = quarter * ((x + u) * (x + u) + (y - v) * (y - v))
                if both:
                    found[frame + 1, k] = quarter * ((y + v) * (y + v) + (u - x) * (u - x))


def _slopes(
    features: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32], reach: int
) -> NDArray[np.float32]:
    """Return features, less `mean` and times `scale`, with their slopes and the slopes of those beside them.

    A slope is HTK's regression over `reach` frames to either side, as the change over `reach` frames.
    """
    num_frames, size = features.shape
    found = np.empty((num_frames, 3 * size), np.float32)
    for frame in range(num_frames):
        for axis in range(size):
            found[frame, axis] = (features[frame, axis] - mean[axis]) * scale[axis]
    factor = np.float32(3.0 / ((reach + 1) * (2 * reach + 1)))
    for order in range(2):
        for frame in range(num_frames):
            target = found[frame, (order + 1) * size : (order + 2) * size]
            target[:] = 0
            for step in range(1, reach + 1):
                after = found[min(frame + step, num_frames - 1), order * size : (order + 1) * size]
                before = found[max(frame - step, 0), order * size : (order + 1) * size]
                for axis in range(size):
                    target[axis] += step * factor * (after[axis] - before[axis])
    return found


def _own(
    features: NDArray[np.float32],
    states: NDArray[np.int32],
    first: NDArray[np.int32],
    linear: NDArray[np.float32],
    square: NDArray[np.float32],
    constant: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    """Log-likelihood of each frame under the mixture of its state."""
    for frame in range(features.shape[0]):
        best, total = -np.inf, 0.0
        for place in range(first[states[frame]], first[states[frame] + 1]):
            value = np.float32(0)
            for axis in range(features.shape[1]):
                value += features[frame, axis] * (linear[place, axis] + features[frame, axis] * square[place, axis])
            here = float(value + constant[place])
            if here > best:
                total = total * np.exp(best - here) + 1.0
                best = here
            else:
                total += np.exp(here - best)
        found[frame] = best + np.log(total)


def _gather(
    features: NDArray[np.float32],
    states: NDArray[np.int32],
    first: NDArray[np.int32],
    linear: NDArray[np.float32],
    square: NDArray[np.float32],
    constant: NDArray[np.float32],
    count: NDArray[np.float64],
    total: NDArray[np.float64],
    total_square: NDArray[np.float64],
) -> float:
    """Add frames to the statistics of the components of their states, shared by posterior; return the likelihood.

    A state of -1 leaves its frame out.
    """
    likelihood = 0.0
    num_dimensions = features.shape[1]
    posterior = np.zeros(np.max(first[1:] - first[:-1]), np.float64)
    for frame in range(features.shape[0]):
        state = states[frame]
        if state < 0:
            continue
        begin, end = first[state], first[state + 1]
        best = -np.inf
        for place in range(begin, end):
            value = np.float32(0)
            for axis in range(num_dimensions):
                value += features[frame, axis] * (linear[place, axis] + features[frame, axis] * square[place, axis])
            posterior[place - begin] = value + constant[place]
            best = max(best, posterior[place - begin])
        norm = 0.0
        for place in range(end - begin):
            posterior[place] = np.exp(posterior[place] - best)
            norm += posterior[place]
        likelihood += best + np.log(norm)
        for place in range(begin, end):
            share = posterior[place - begin] / norm
            if share < 1e-4:
                continue
            count[place] += share
            for axis in range(num_dimensions):
                weighted = share * features[frame, axis]
                total[place, axis] += weighted
                total_square[place, axis] += weighted * features[frame, axis]
    return likelihood


def _pulls(
    features: NDArray[np.float32],
    states: NDArray[np.int32],
    first: NDArray[np.int32],
    linear: NDArray[np.float32],
    square: NDArray[np.float32],
    constant: NDArray[np.float32],
    precision: NDArray[np.float32],
    pull: NDArray[np.float32],
) -> None:
    """Set each frame's expected inverse variances, and its expected means times these, over its state's components."""
    num_dimensions = features.shape[1]
    posterior = np.zeros(np.max(first[1:] - first[:-1]), np.float32)
    for frame in range(features.shape[0]):
        begin, end = first[states[frame]], first[states[frame] + 1]
        best = np.float32(-np.inf)
        for place in range(begin, end):
            value = constant[place]
            for axis in range(num_dimensions):
                value += features[frame, axis] * (linear[place, axis] + features[frame, axis] * square[place, axis])
            posterior[place - begin] = value
            best = max(best, value)
        norm = np.float32(0)
        for place in range(end - begin):
            posterior[place] = np.exp(posterior[place] - best)
            norm += posterior[place]
        for place in range(begin, end):
            share = posterior[place - begin] / norm
            for axis in range(num_dimensions):
                precision[frame, axis] -= 2 * share * square[place, axis]
                pull[frame, axis] += share * linear[place, axis]


search = compiled("f8[::1](f4[:,::1], i4[::1], f8[::1], i4[::1], i4[::1], f8[::1], i8, f8[::1], u1[:,::1])", _search)
trace = compiled("i8(u1[:,::1], i4[::1], i4[::1], i4[::1], i8, i8, i4[::1])", _trace)
shortest = compiled("i8(i4[::1], i4[::1], i4[::1])", _shortest)
mix = compiled("void(f4[:,::1], i4[::1], f4[:,::1])", _mix, fast=True)
powers = compiled("void(f4[::1], i8, f4[::1], f4[:,::1], i4[::1], f4[:,::1])", _powers, fast=True)
slopes = compiled("f4[:,::1](f4[:,::1], f4[::1], f4[::1], i8)", _slopes, fast=True)
own = compiled("void(f4[:,::1], i4[::1], i4[::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1])", _own, fast=True)
pulls = compiled(
    "void(f4[:,::1], i4[::1], i4[::1], f4[:,::1], f4[:,::1], f4[::1], f4[:,::1], f4[:,::1])", _pulls, fast=True
)
gather = compiled(
    "f8(f4[:,::1], i4[::1], i4[::1], f4[:,::1], f4[:,::1], f4[::1], f8[::1], f8[:,::1], f8[:,::1])",
    _gather,
    fast=True,
)
