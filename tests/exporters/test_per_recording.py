# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.exporters.split_in_two import exported

from speechmill.core import registry
from speechmill.store.dataset import Dataset


@pytest.mark.parametrize(
    ("name", "suffix"), [("elan", "eaf"), ("srt", "srt"), ("textgrid", "TextGrid"), ("vtt", "vtt")]
)
def test_a_file_for_each_recording_waits_for_no_disk(
    name: str, suffix: str, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    module = registry.require("exporters", name)
    exported(module, module.Config(), dataset, folder)
    assert len(list(folder.rglob(f"*.{suffix}"))) == 2
    assert waited == []


@pytest.mark.parametrize("name", ["ctm", "rttm"])
def test_one_file_of_a_split_waits_once(
    name: str, dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    module = registry.require("exporters", name)
    exported(module, module.Config(), dataset, folder)
    assert len(list(folder.rglob(f"*.{name}"))) == 3
    assert len(waited) == (1 if os.name == "nt" else 2)  # the file, and the folder that names it
