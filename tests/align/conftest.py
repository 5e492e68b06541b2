# SPDX-License-Identifier: Apache-2.0
"""A context whose models are those of installed wheels."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.stage import Context


@pytest.fixture(scope="session")
def pocketsphinx_context(tmp_path_factory) -> Context:
    def model_path(name: str) -> Path:
        assert name == "pocketsphinx-en"
        pocketsphinx = pytest.importorskip("pocketsphinx")
        return Path(pocketsphinx.get_model_path("en-us"))

    return Context(tmp_path_factory.mktemp("workspace"), model_path)
