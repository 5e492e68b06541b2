# SPDX-License-Identifier: Apache-2.0
"""Made models and a context without models to pull."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from speechmill.core.stage import Context


def maker(name: str) -> ModuleType:
    """Return a module beside this file that makes models."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory) -> Path:
    """Folder of a small random Whisper model."""
    pytest.importorskip("ctranslate2")
    return maker("tiny_whisper").write(tmp_path_factory.mktemp("tiny-whisper"))


@pytest.fixture(scope="session")
def tiny_onnx() -> ModuleType:
    """Makers of small random models in ONNX."""
    pytest.importorskip("onnx")
    return maker("tiny_onnx")


@pytest.fixture(scope="session")
def tiny_transformers() -> ModuleType:
    """Makers of small random networks of the transformers library."""
    pytest.importorskip("transformers")
    return maker("tiny_transformers")


@pytest.fixture
def context(tmp_path) -> Context:
    """A context whose models are those of installed wheels."""

    def model_path(name: str) -> Path:
        assert name == "pocketsphinx-en"
        pocketsphinx = pytest.importorskip("pocketsphinx")
        return Path(pocketsphinx.get_model_path("en-us"))

    return Context(tmp_path, model_path)
