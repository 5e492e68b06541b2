# SPDX-License-Identifier: Apache-2.0
"""Tables that lie beside the metrics: coefficients and phrases, in TOML.

Scores follow from them, so their digest is in the fingerprint, as that of a network's weights is.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from speechmill.core.files import digest as joined


def read(name: str) -> dict[str, Any]:
    """Return a table by its file's name."""
    return tomllib.loads(_text(name))


def digest(*names: str) -> str:
    """Name the contents of tables."""
    return joined(*(_text(name) for name in names))


def _text(name: str) -> str:
    return resources.files("speechmill.quality").joinpath(name).read_text(encoding="utf-8")
