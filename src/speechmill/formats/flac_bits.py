# SPDX-License-Identifier: Apache-2.0
"""Pieces of FLAC streams (RFC 9639), many at once: frame headers, checksums, and one mono 16 bit frame from samples.

Frames are of the variable block size strategy: numbered by their first sample. Both checksums are linear (their start
is zero), so that a frame's CRC-16 follows from the one it had, its headers and the length of what follows these.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.formats.samples import Pcm16

Bytes = NDArray[np.uint8]
FIXED, VARIABLE = 0xF8, 0xF9  # second byte of a frame: numbered by frames, or by samples
MONO_16 = 0x08  # fourth byte
LONGEST = 15  # bytes of a header
_POLYNOMIAL_8, _POLYNOMIAL_16 = 0x07, 0x8005
_SIZE_FOLLOWS = 0x70  # the block size stands in 16 bits after the number
_CONSTANT, _VERBATIM, _SECOND_ORDER = 0x00, 0x02, 0x14  # first byte of a subframe; 0x14: fixed predictor, order 2
_RICE_5_BITS, _ESCAPE = 1, 31  # the coding whose parameter and escaped width fill two bytes
_FULL_BITS = 16


class Headers(NamedTuple):
    """Frame headers: (num_frames, 15) bytes, how many of these each has, and their CRC-16."""

    content: Bytes
    lengths: NDArray[np.int64]
    crc16: NDArray[np.uint16]


@functools.cache
def _table(polynomial: int, bits: int) -> NDArray[np.uint16]:
    """Return the remainders of the 256 bytes."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    found = []
    for byte in range(256):
        rest = byte << (bits - 8)
        for _ in range(8):
            rest = (rest << 1 ^ (polynomial if rest & top else 0)) & mask
        found.append(rest)
    return np.array(found, np.uint16)


@functools.cache
def _powers(num_bytes: int) -> NDArray[np.uint16]:
    """Return x^i modulo the polynomial of CRC-16, for every bit i of so many bytes."""
    found, rest = [], 1
    for _ in range(8 * num_bytes):
        found.append(rest)
        rest = (rest << 1 ^ (_POLYNOMIAL_16 if rest & 0x8000 else 0)) & 0xFFFF
    return np.array(found, np.uint16)


def powers(num_bytes: int) -> NDArray[np.uint16]:
    """Return x^i for at least 8 * num_bytes i; few sizes are ever computed."""
    return _powers(1 << max(13, num_bytes.bit_length()))


def headers(second: int, third: int, numbers: NDArray[np.int64]) -> Headers:
    """Return the headers of frames whose block size needs no byte of its own.

    numbers: (num_frames,) of their first samples, or of the frames; below 2^31.
    """
    content = np.zeros((len(numbers), LONGEST), np.uint8)
    content[:, 0], content[:, 1], content[:, 2], content[:, 3] = 0xFF, second, third, MONO_16
    # As UTF-8 has it: 7 bits in one byte, then 11, 16, 21, 26, 31 in two to six.
    sizes = 1 + np.searchsorted([1 << 7, 1 << 11, 1 << 16, 1 << 21, 1 << 26], numbers, side="right")
    crc16 = np.zeros(len(numbers), np.uint16)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        some = content[rows]
        some[:, 4 : 4 + size] = _coded(numbers[rows], size)
        some[:, 4 + size] = _crc(some[:, : 4 + size], _table(_POLYNOMIAL_8, 8), 0)
        content[rows], crc16[rows] = some, _crc(some[:, : 5 + size], _table(_POLYNOMIAL_16, 16), 8)
    return Headers(content, sizes + 5, crc16)


def _coded(numbers: NDArray[np.int64], size: int) -> Bytes:
    if size == 1:
        return numbers[:, np.newaxis].astype(np.uint8)
    shifts = 6 * np.arange(size - 1, -1, -1)
    coded = (numbers[:, np.newaxis] >> shifts & 0x3F | 0x80).astype(np.uint8)
    coded[:, 0] |= 0xFF << (8 - size) & 0xFF
    return coded


def _crc(rows: Bytes, table: NDArray[np.uint16], shift: int) -> NDArray[np.uint16]:
    crc = np.zeros(len(rows), np.uint16)
    for column in rows.T:
        crc = (crc << shift if shift else np.uint16(0)) ^ table[crc >> shift ^ column]
    return crc


def moved(crc16: NDArray[np.uint16], distances: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return what checksums of beginnings count for in those of the whole, so many bytes before whose end they lie."""
    weights, at = powers(int(distances.max(initial=0)) + 2), 8 * distances
    found = np.zeros(len(crc16), np.uint16)
    for bit in range(_FULL_BITS):  # a column at a time: sums over short rows take eight times as long
        found ^= weights[at + bit] * (crc16 >> bit & 1)
    return found


def crc16_of(content: bytes) -> int:
    """Return the CRC-16 of some kilobytes."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8)[::-1], bitorder="little")
    weights = powers(len(content) + 2)[16 : 16 + len(bits)]
    return int(np.bitwise_xor.reduce(weights * bits))


def frame(rate_code: int, number: int, samples: Pcm16) -> bytes:
    """Return one frame of (n,) samples, 1 to 65,536, whose first has that number."""
    head = bytes((0xFF, VARIABLE, _SIZE_FOLLOWS | rate_code, MONO_16)) + _utf8(number)
    head += (len(samples) - 1).to_bytes(2, "big")
    crc8, table = 0, _bytes_table()
    for byte in head:
        crc8 = table[crc8 ^ byte]
    content = head + bytes((crc8,)) + _subframe(samples)
    return content + crc16_of(content).to_bytes(2, "big")


@functools.cache
def _bytes_table() -> bytes:
    return _table(_POLYNOMIAL_8, 8).astype(np.uint8).tobytes()


def _utf8(number: int) -> bytes:
    if number < 1 << 7:
        return bytes((number,))
    size = (number.bit_length() + 3) // 5
    rest = [number >> 6 * i & 0x3F | 0x80 for i in range(size - 1, -1, -1)]
    return bytes((rest[0] | 0xFF << (8 - size) & 0xFF, *rest[1:]))


def _subframe(samples: Pcm16) -> bytes:
    """Code samples as one value, as second differences of the width that the widest has, or as they are.

    Rice codes take a tenth of the space less and five times as long.
    """
    big: NDArray[Any] = samples.astype(">i2")
    if len(samples) < 4:
        return bytes((_VERBATIM,)) + big.tobytes()
    wide = samples.astype(np.int32)
    rest = wide[2:] - 2 * wide[1:-1] + wide[:-2]
    low, high = int(rest.min()), int(rest.max())
    if low == high == 0 and samples[0] == samples[1]:
        return bytes((_CONSTANT,)) + big[:1].tobytes()
    width = 1 + max(high.bit_length(), (~low).bit_length())
    if width >= _FULL_BITS:
        return bytes((_VERBATIM,)) + big.tobytes()
    coding = _RICE_5_BITS << 14 | _ESCAPE << 5 | width
    bits = np.unpackbits(rest.astype(">i2").view(np.uint8)).reshape(-1, _FULL_BITS)[:, _FULL_BITS - width :]
    packed = np.packbits(np.ascontiguousarray(bits)).tobytes()
    return bytes((_SECOND_ORDER,)) + big[:2].tobytes() + coding.to_bytes(2, "big") + packed
