# SPDX-License-Identifier: Apache-2.0
"""Aligners that gain by seeing all segments of a recording at once, such as a program that starts slowly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from speechmill.core.errors import Unalignable
from speechmill.core.stage import Samples
from speechmill.core.types import Alignment
from speechmill.text.spoken import Spoken


class Cut(Struct, frozen=True):
    """One segment of a recording, to be aligned."""

    read: Callable[[], Samples]  # 16 kHz; read when they are needed: a recording may be ten hours long
    said: Spoken
    language: str | None
    speaker: str | None


class RecordingAligner(Protocol):
    """The stage calls `align_all` instead of `align` where a backend has it."""

    def align_all(self, cuts: Sequence[Cut]) -> Sequence[Alignment | Unalignable]:
        """Align each segment; what can't be is an Unalignable in its place, returned and not raised.

        Raises Unalignable where that is so of all of them for one reason.
        """
        ...
