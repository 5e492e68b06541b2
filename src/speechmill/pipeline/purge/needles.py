# SPDX-License-Identifier: Apache-2.0
"""Looks for many byte strings at once: about 100 MB/s however many there are.

Every needle is known by its first eight bytes. A table of 2^20 bits says at which places of a buffer one may begin;
what begins there is then compared. A place where a longer string of what stays holds the needle doesn't count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

ANCHOR = 8  # bytes; what is shorter can't be told from chance
_BITS = 20
_MIX = np.uint64(0x9E3779B97F4A7C15)
_AT_ONCE = 1 << 22  # bytes of a buffer that are looked at together: their numbers take ten times as much


class Needles:
    """Byte strings of at least ANCHOR bytes. `stays`: strings in which a needle is no trace, such as a longer id."""

    def __init__(self, needles: Iterable[bytes], stays: Iterable[bytes] = ()) -> None:
        self.all = sorted({needle for needle in needles if len(needle) >= ANCHOR})
        self.longest = max(map(len, self.all), default=0)
        self._by_anchor: dict[bytes, list[bytes]] = {}
        for needle in self.all:
            self._by_anchor.setdefault(needle[:ANCHOR], []).append(needle)
        self._around = _around(self.all, stays)
        self._may = np.zeros(1 << _BITS, dtype=bool)
        anchors = b"".join(self._by_anchor)
        self._may[_hashes(np.frombuffer(anchors, np.uint8))[::ANCHOR]] = bool(anchors)

    def find(self, content: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
        """Yield every place where a needle begins, and the needle."""
        view = memoryview(content).cast("B")  # Arrow's are of signed bytes, which equal no others above 127
        for begin in range(0, max(0, len(view) - ANCHOR + 1), _AT_ONCE):
            piece = np.frombuffer(view[begin : begin + _AT_ONCE + ANCHOR - 1], np.uint8)
            for at in np.flatnonzero(self._may[_hashes(piece)]):
                place = begin + int(at)
                for needle in self._by_anchor.get(bytes(view[place : place + ANCHOR]), ()):
                    if view[place : place + len(needle)] == needle and not self._is_inside(view, place, needle):
                        yield place, needle

    def first(self, content: bytes | memoryview) -> bytes | None:
        """Return a needle that is there, or None."""
        return next((needle for _place, needle in self.find(content)), None)

    def _is_inside(self, view: memoryview, place: int, needle: bytes) -> bool:
        for offset, longer in self._around.get(needle, ()):
            begin = place - offset
            if begin >= 0 and view[begin : begin + len(longer)] == longer:
                return True
        return False


def _hashes(content: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Hash the eight bytes that begin at each place: (len - 7,)."""
    if len(content) < ANCHOR:
        return np.zeros(0, np.int64)
    eight = np.ndarray(len(content) - ANCHOR + 1, "<u8", np.ascontiguousarray(content), strides=(1,))
    return (eight * _MIX >> np.uint64(64 - _BITS)).astype(np.int64)


def _around(needles: Iterable[bytes], stays: Iterable[bytes]) -> dict[bytes, list[tuple[int, bytes]]]:
    """Return where in what stays each needle is: needle -> (offset, the longer string)."""
    longer_ones = set(stays)
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    plain = Needles(needles) if longer_ones else None
    for longer in longer_ones:
        for at, needle in plain.find(longer) if plain else ():
            if len(needle) < len(longer):
                found.setdefault(needle, []).append((at, longer))
    return found
