# SPDX-License-Identifier: Apache-2.0
"""Small real runs, one after another in one workspace."""

from __future__ import annotations

import pytest

from speechmill import api
from speechmill.pipeline.versions import Shelf
from speechmill.store.workspace import Workspace

SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": [],
}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus({"a": "one", "b": "two", "c": "three"})


@pytest.fixture
def run(folder, out):
    """Run on three tones with more settings over the usual ones."""

    def go(**more):
        return api.run(folder, out, settings={**SETTINGS, **more}, workers=1)

    return go


@pytest.fixture
def shelf(out):
    """The versions, when they are asked for."""

    def look():
        return Shelf(Workspace.open(out))

    return look
