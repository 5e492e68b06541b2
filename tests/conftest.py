# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every test: real speech where it is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real speech with ground truth; the test is skipped, and says so, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real speech is not here: {SHARED_DATA.name} folder absent")
    return SHARED_DATA
