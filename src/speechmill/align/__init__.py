# SPDX-License-Identifier: Apache-2.0
"""Forced alignment of words and phones: one backend is one file."""

from __future__ import annotations

from typing import Protocol

from speechmill.core.stage import Samples
from speechmill.core.types import Alignment
from speechmill.text.spoken import Spoken


class AlignBackend(Protocol):
    """Finds when each given word is said."""

    def align(self, samples: Samples, said: Spoken, language: str | None) -> Alignment:
        """Align text to one segment; times count from the segment's start.

        samples: (num_samples,) float32, 16 kHz. said: the text's tokens, and the ways each may be said: words in
        lower case, without digits or signs. The result has one word a token, in order and named as written;
        `speechmill.text.spoken.fold` makes them of the spoken words' times.
        Raises Unalignable with the reason where that can't be done.
        """
        ...
