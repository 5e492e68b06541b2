# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from pipeline.export.small import segments, write_dataset
from speechmill.core import registry
from speechmill.core.registry import Choice
from speechmill.core.types import Segment
from speechmill.pipeline import finish
from speechmill.pipeline.export.commit import old_of
from speechmill.pipeline.finish import export
from speechmill.pipeline.refilter import Index
from speechmill.store.pseudonyms import KEY, pseudonyms
from speechmill.store.workspace import Workspace

INDEX = Index("", "table", "decisions", (), None)


def by(speaker: str, name: str) -> list[Segment]:
    return [structs.replace(one, speaker=speaker) for one in segments(name)]


def workspace_of(folder: Path) -> Workspace:
    write_dataset(folder, by("Ann", "a"))
    return Workspace(folder)


def jsonl() -> Choice:
    module = registry.require("exporters", "jsonl")
    return Choice("exporters", "jsonl", module.Config())


def test_an_export_whose_swap_was_cut_off_is_put_back_and_not_taken_for_up_to_date(tmp_path: Path) -> None:
    workspace = workspace_of(tmp_path)
    folder = workspace.exports / "jsonl"
    assert export(workspace, jsonl(), INDEX).processed == 1
    folder.replace(old_of(folder))
    assert export(workspace, jsonl(), INDEX).processed == 1
    assert (folder / "segments-train-00000.jsonl").exists()
    assert not old_of(folder).exists()
    assert export(workspace, jsonl(), INDEX).processed == 0


def test_another_key_gives_speakers_other_pseudonyms_in_every_shard(tmp_path: Path) -> None:
    workspace, index = workspace_of(tmp_path), structs.replace(INDEX, speakers="pseudonyms")
    export(workspace, jsonl(), index)
    earlier = pseudonyms(tmp_path).of("Ann")
    assert export(workspace, jsonl(), index).processed == 0
    (tmp_path / KEY).unlink()
    assert export(workspace, jsonl(), index).processed == 1
    text = (workspace.exports / "jsonl" / "segments-train-00000.jsonl").read_text()
    assert earlier is not None
    assert earlier not in text
    assert str(pseudonyms(tmp_path).of("Ann")) in text


def test_an_engine_of_another_version_makes_an_export_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = workspace_of(tmp_path)
    assert export(workspace, jsonl(), INDEX).processed == 1
    assert export(workspace, jsonl(), INDEX).cached == 1
    monkeypatch.setattr(finish, "VERSION", "another")
    assert export(workspace, jsonl(), INDEX).processed == 1
