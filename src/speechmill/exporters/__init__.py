# SPDX-License-Identifier: Apache-2.0
"""The dataset in the formats that people train from: one exporter is one file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from speechmill.store.dataset import Dataset


class ExportBackend(Protocol):
    """Writes the kept segments of a dataset."""

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write into an empty folder, which the caller then moves into place at once. Returns the segments written."""
        ...
