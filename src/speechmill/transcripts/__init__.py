# SPDX-License-Identifier: Apache-2.0
"""Text that exists already: sidecar files and captions. One backend is one file."""

from __future__ import annotations

from typing import Protocol

from speechmill.core.types import Source, Transcript


class TranscriptBackend(Protocol):
    """Reads what somebody wrote down."""

    def read(self, source: Source, duration: float) -> Transcript | None:
        """Return the transcript of a recording of `duration` seconds, or None where there is none.

        Raises TranscriptError where there is one that can't be used.
        """
        ...
