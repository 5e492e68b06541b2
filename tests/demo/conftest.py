# SPDX-License-Identifier: Apache-2.0
"""The demo corpus, made once."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from speechmill.demo import corpus


@pytest.fixture(scope="session")
def espeak() -> None:
    """Skip, and say so, where espeak-ng is not installed. Looked for, not imported: only its own process loads it."""
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("no espeak-ng: pip install 'speechmill[demo]'")


@pytest.fixture(scope="session")
def made(espeak: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, corpus.Truth]:
    """The corpus's folder and its truth."""
    folder = tmp_path_factory.mktemp("demo") / "corpus"
    return folder, corpus.make(folder)
