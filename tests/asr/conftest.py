# SPDX-License-Identifier: Apache-2.0
"""A made Whisper model and a context without models to pull."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from speechmill.core.stage import Context


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory) -> Path:
    """Folder of a small random Whisper model."""
    pytest.importorskip("ctranslate2")
    path = Path(__file__).with_name("tiny_whisper.py")
    spec = importlib.util.spec_from_file_location("tiny_whisper", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(tmp_path_factory.mktemp("tiny-whisper"))


@pytest.fixture
def context(tmp_path) -> Context:
    """A context whose models are those of installed wheels."""

    def model_path(name: str) -> Path:
        assert name == "pocketsphinx-en"
        pocketsphinx = pytest.importorskip("pocketsphinx")
        return Path(pocketsphinx.get_model_path("en-us"))

    return Context(tmp_path, model_path)
