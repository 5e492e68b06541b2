# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the crawl: a platform in a folder, installed as a third party's source would be."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from speechmill.core import registry

PLUGIN = Path(__file__).with_name("plugin")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the source `fake`, which spawned processes find too."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    registry._entry_points.cache_clear()
    module = registry.load("sources", "fake")
    yield module
    registry._entry_points.cache_clear()
