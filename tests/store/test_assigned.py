# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from speechmill.core.errors import FormatError, WorkspaceError
from speechmill.store import assigned
from speechmill.store.assigned import Assigned

TRAIN, DEV, TEST = range(3)


def test_nothing_is_remembered_at_first(tmp_path):
    assert assigned.read(tmp_path / "splits") == Assigned({})
    assert assigned.read(None) == Assigned({})
    assert assigned.founded(tmp_path / "splits") == ""


def test_rows_are_added_and_read_back(tmp_path):
    first = assigned.remember(tmp_path, assigned.read(tmp_path), {"recording": {"aa": TEST}, "speaker": {"Ann": TEST}})
    assert assigned.read(tmp_path) == first
    assigned.remember(tmp_path, first, {"recording": {"bb": TRAIN, "aa": TEST}})
    found = assigned.read(tmp_path)
    assert found.of("recording") == {"aa": TEST, "bb": TRAIN}
    assert found.of("speaker") == {"Ann": TEST}
    assert found.founded == first.founded != ""


def test_nothing_new_leaves_the_file_alone(tmp_path):
    known = assigned.remember(tmp_path, assigned.read(tmp_path), {"recording": {"aa": TEST}})
    was = assigned.path_in(tmp_path).stat()
    assert assigned.remember(tmp_path, known, {"recording": {"aa": TEST}}) == known
    assert assigned.path_in(tmp_path).stat().st_mtime_ns == was.st_mtime_ns
    assert assigned.path_in(tmp_path).stat().st_ino == was.st_ino


def test_what_was_test_never_becomes_train(tmp_path):
    known = assigned.remember(tmp_path, assigned.read(tmp_path), {"speaker": {"Ann": TEST}})
    with pytest.raises(WorkspaceError, match="has the speaker 'Ann' in test, and it would go to train"):
        assigned.remember(tmp_path, known, {"speaker": {"Ann": TRAIN}})
    assert assigned.read(tmp_path) == known


def test_bytes_depend_on_what_is_known_alone(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, ("aa", "bb")), (two, ("bb", "aa"))):
        assigned.remember(folder, assigned.read(folder), {"recording": dict.fromkeys(names, DEV)})
    assert assigned.path_in(one).read_bytes() == assigned.path_in(two).read_bytes()


def test_a_broken_file_is_an_error_and_not_a_fresh_start(tmp_path):
    assigned.remember(tmp_path, assigned.read(tmp_path), {"recording": {"aa": TEST}})
    path = assigned.path_in(tmp_path)
    path.write_bytes(b"PAR1 nothing")
    for look in (assigned.read, assigned.founded):
        with pytest.raises(FormatError, match="start over, with splits that know nothing"):
            look(tmp_path)
