# SPDX-License-Identifier: Apache-2.0
"""Numbers of a task for kfp's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def log(metrics: Any, numbers: Mapping[str, Any]) -> None:
    """Give numbers to an `Output[Metrics]`; what isn't a number is left out.

    They are written to its file, too: kfp.local takes an artifact without a file for one that was deleted, and does a
    cached task again.
    """
    chosen = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
    for name, value in chosen.items():
        metrics.log_metric(name, value)
    path = Path(metrics.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(chosen, indent=2), encoding="utf-8")
