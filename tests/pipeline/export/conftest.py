# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.export.small import Export
from speechmill.core import registry
from speechmill.core.registry import Choice
from speechmill.pipeline.export.engine import Made, Order, make


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export tmp_path/workspace as a format: one recording a shard."""

    def run(name: str = "huggingface", *, fresh: bool = False, workers: int = 1, max_shard_rows: int = 2) -> Made:
        module = registry.require("exporters", name)
        fields = module.Config.__struct_fields__
        config = module.Config(**({"max_shard_rows": max_shard_rows} if "max_shard_rows" in fields else {}))
        order = Order(Choice("exporters", name, config), "corpus", fresh=fresh, workers=workers)
        return make(tmp_path / "workspace", tmp_path / "workspace" / "exports" / name, order)

    return run
