# SPDX-License-Identifier: Apache-2.0
"""Forced alignment of words and phones: one backend is one file."""

from __future__ import annotations

from typing import Protocol

from speechmill.core.stage import Samples
from speechmill.core.types import Alignment


class AlignBackend(Protocol):
    """Finds when each given word is said."""

    def align(self, samples: Samples, text: str, language: str | None) -> Alignment:
        """Align text to one segment; times count from the segment's start.

        samples: (num_samples,) float32, 16 kHz. Every word of `text` is in the result, in order.
        Raises Unalignable with the reason where that can't be done.
        """
        ...
