# SPDX-License-Identifier: Apache-2.0
"""A dataset that is finished is a version, once; what it was made of is written down."""

import hashlib
import shutil

import msgspec
import pytest

from speechmill import api
from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.pipeline import gc
from speechmill.pipeline.versions import Shelf
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow


def test_the_same_dataset_again_is_no_new_version(run, shelf):
    run()
    run()
    assert shelf().numbers() == [1]


def test_what_a_version_says_is_true(run, out, shelf):
    run(filter=["num_chars >= 4"], **{"vad.threshold": 0.6})
    version = shelf().newest()
    found = version.manifest
    stored = (out / "dataset" / "segments.parquet").read_bytes()
    assert found.files["dataset/segments.parquet"].sha256 == hashlib.sha256(stored).hexdigest()
    assert found.files["dataset/segments.parquet"].bytes == len(stored)
    assert (found.counts.recordings, found.counts.segments, found.counts.kept) == (3, 3, 1)
    assert found.counts.splits["train"].hours == pytest.approx(2.5 / 3600)
    assert [(loss.rule, loss.segments) for loss in found.counts.losses] == [("num_chars >= 4", 2)]
    vad = next(step for step in found.steps if step.name == "vad")
    assert vad.used[0].options == {"threshold": 0.6}
    assert vad.used[0].models[0].licence == "MIT"
    assert found.corpus["filter"] == ["num_chars >= 4"]
    assert found.versions["python"].startswith("3.")
    assert [(row["id"][0], row["kept"], row["kept_s"]) for row in version.facts().to_pylist()] == [
        ("a", 0, 0.0),
        ("b", 0, 0.0),
        ("c", 1, 2.5),
    ]


def test_a_command_that_was_cut_off_before_the_version_leaves_it_to_the_next(run, out, shelf):
    run()
    before = shelf().newest().manifest
    shutil.rmtree(out / "versions")
    run()
    assert msgspec.structs.replace(shelf().newest().manifest, created=before.created) == before


def test_going_back_is_a_version_of_the_same_fingerprint(run, out, shelf):
    run()
    api.filter(out, ["num_chars >= 4"])
    api.filter(out, "none")
    first, second, third = (one.manifest.fingerprint for one in shelf().all())
    assert first == third != second


def test_other_names_of_speakers_are_another_version(run, out, shelf):
    run()
    run(speakers="pseudonyms")
    assert [one.manifest.speakers for one in shelf().all()] == ["names", "pseudonyms"]


def test_a_version_is_found_by_number_name_and_fingerprint(run, out, shelf):
    run()
    api.filter(out, ["num_chars >= 4"])
    found = shelf()
    numbers = [found.find(name).manifest.number for name in ("1", "latest", "latest~1", "2")]
    assert numbers == [1, 2, 1, 2]
    assert found.find(found.find("1").manifest.fingerprint[:8]).manifest.number == 1
    for wrong in ("3", "latest~2", "nothing", "0"):
        with pytest.raises(ConfigError, match="there are 1 to 2"):
            found.find(wrong)


def test_a_workspace_without_a_dataset_has_none(tmp_path):
    place = Workspace.create(tmp_path / "out")
    with pytest.raises(WorkspaceError, match="no version"):
        Shelf(place).find("latest")


def test_rows_of_as_many_versions_stay_as_are_asked_for(run, out, shelf):
    for threshold in (2, 3, 4):
        run(filter=[f"num_chars >= {threshold}"])
    place = Workspace.open(out)
    assert gc.collect(place) == []
    gc.delete(gc.collect(place, keep_versions=2))
    assert [one.has_rows for one in shelf().all()] == [False, True, True]
    gc.delete(gc.collect(place, keep_versions=0))
    assert [one.has_rows for one in shelf().all()] == [False, False, True]  # the dataset that is there stays
    assert shelf().numbers() == [1, 2, 3]
