# SPDX-License-Identifier: Apache-2.0
"""Originals in an object store are on this disk for as long as they are read."""

from __future__ import annotations

import pytest

from speechmill.core.errors import AudioError, BlobError
from speechmill.core.types import Source
from speechmill.stages.originals import at_hand
from speechmill.store import blobs


class Store:
    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, key, path):
        if key != "a.m4a":
            raise BlobError(f"{key}: no such object", permanent=True)
        path.write_bytes(self.address.encode())


@pytest.fixture(autouse=True)
def store(monkeypatch):
    monkeypatch.setattr(blobs, "open_blobs", Store)


def test_an_object_is_fetched_and_goes_again(tmp_path):
    path = tmp_path / "a.m4a"
    with at_hand(Source("a", str(path), blob="s3://bucket/originals/a.m4a")) as found:
        assert found.read_bytes() == b"s3://bucket/originals"
    assert not path.exists()


def test_a_file_that_is_here_stays(tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"mine")
    with at_hand(Source("a", str(path), blob="s3://bucket/a.m4a")) as found:
        assert found == path
    assert path.read_bytes() == b"mine"


def test_what_is_gone_is_gone_for_good(tmp_path):
    with (
        pytest.raises(AudioError, match="original-unavailable") as caught,
        at_hand(Source("b", str(tmp_path / "b"), blob="s3://x/b")),
    ):
        pass
    assert caught.value.permanent
