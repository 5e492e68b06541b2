# SPDX-License-Identifier: Apache-2.0
"""Where recordings come from: one backend is one file.

A backend's `Backend(config, base)` yields `Source` rows without keys (`base`: folder that relative
paths start at); the pipeline hashes them. Nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from speechmill.core.types import Source


class SourceBackend(Protocol):
    """Finds recordings."""

    def discover(self) -> Iterator[Source]:
        """Yield one row per audio file in a stable order; unreadable ones with `error` set."""
        ...
