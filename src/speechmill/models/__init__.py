# SPDX-License-Identifier: Apache-2.0
"""Weights as pinned artefacts, not as dependencies: cards, cache, pulling out of wheels, own folders.

`digest(name)` is known from the card alone; `path(name)` needs the files and says how to get them.
"""

from __future__ import annotations

from speechmill.models.cache import cache_folder, is_present, path, pull, verify
from speechmill.models.registry import Card, card, cards, digest, from_folder

__all__ = ["Card", "cache_folder", "card", "cards", "digest", "from_folder", "is_present", "path", "pull", "verify"]
