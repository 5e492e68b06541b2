# SPDX-License-Identifier: Apache-2.0
"""A long sequence, some items at a time: what is made of a group goes before the next one comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

RECORDINGS_AT_ONCE = 512  # whose states are in memory together

T = TypeVar("T")


def in_groups(items: Iterable[T], size: int = RECORDINGS_AT_ONCE) -> Iterator[list[T]]:
    """Yield items some at a time.

    >>> list(in_groups("abc", 2))
    [['a', 'b'], ['c']]
    """
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group
