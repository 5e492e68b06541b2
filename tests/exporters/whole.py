# SPDX-License-Identifier: Apache-2.0
"""A whole export in this process, made as the engine makes it: every split in as few shards as its limits allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechmill.core import registry
from speechmill.core.registry import Choice
from speechmill.pipeline.export.engine import Order, make
from speechmill.store.dataset import Dataset


def export_whole(name: str, dataset: Dataset, folder: Path, config: Any = None) -> int:
    """Export a dataset into a folder, which may be there if it is empty. Returns the number of segments.

    config: the backend's Config; None: its defaults.
    """
    module: Any = registry.require("exporters", name)
    chosen = module.Config() if config is None else config
    return make(dataset.root, folder, Order(Choice("exporters", name, chosen), "corpus")).export.segments
