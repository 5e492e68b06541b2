# SPDX-License-Identifier: Apache-2.0
"""Who asks for some items opens their shards and no others, and each part once."""

import pytest

from speechmill.core.types import Failed, Interval
from speechmill.store import parts
from speechmill.store.ledger import Ledger, Result

SPEECH = (Interval(0.5, 1.0),)


@pytest.fixture
def opened(monkeypatch):
    """Names of the shards whose parts are opened."""
    found = []
    read = parts.read_parquet

    def noted(path, columns=None):
        found.append(path.parent.name)
        return read(path, columns)

    monkeypatch.setattr(parts, "read_parquet", noted)
    return found


@pytest.fixture
def root(tmp_path):
    ledger = Ledger(tmp_path)
    for shard in range(5):
        keys = [f"key{shard}{n}" for n in range(3)]
        ledger.write("vad-1", f"{shard:05d}", ["speech"], [Result(key, {"speech": SPEECH}) for key in keys])
    return tmp_path


def test_only_the_shards_that_items_lie_in_are_opened(root, opened):
    ledger = Ledger(root, homes={"key10": ("00001",), "key11": ("00001",), "key32": ("00001", "00003")})
    assert set(ledger.states("vad-1", ["key10", "key32"])) == {"key10", "key32"}
    assert set(ledger.load("vad-1", ["key10", "key32"], ["speech"])) == {"key10", "key32"}
    assert set(opened) == {"00001", "00003"}


def test_what_lies_elsewhere_is_not_found(root):
    ledger = Ledger(root, homes={"key10": ("00002",)})
    assert ledger.states("vad-1", ["key10", "key30"]) == {}
    assert ledger.load("vad-1", ["key10", "key30"], ["speech"]) == {}


def test_a_part_is_opened_once_for_its_keys(root, opened):
    ledger = Ledger(root)
    assert len(ledger.states("vad-1")) == 15
    assert len(ledger.states("vad-1", ["key10"])) == 1
    assert len(opened) == 5


def test_what_was_written_here_need_not_be_read_again(root, opened):
    ledger = Ledger(root)
    failed = Failed("a", "vad", "timeout", "300 s")
    ledger.write("vad-2", "00000", ["speech"], [Result("a", failed=failed), Result("b", {"speech": SPEECH})])
    assert ledger.states("vad-2") == Ledger(root).states("vad-2")
    assert opened == ["00000"]  # by the second ledger


def test_what_another_process_writes_is_seen(root):
    ledger = Ledger(root, homes={"new": ("00009",)})
    assert ledger.states("vad-1", ["new"]) == {}
    Ledger(root).write("vad-1", "00009", ["speech"], [Result("new", {"speech": SPEECH})])
    assert ledger.states("vad-1", ["new"])["new"].ok


def test_items_are_located(root):
    Ledger(root).write("quality-1", "00004", ["speech"], [Result("key10", {"speech": SPEECH})])
    found = Ledger(root).locate(["vad-1", "quality-1"])
    assert len(found) == 15
    assert (found["key10"], found["key11"]) == (("00001", "00004"), ("00001",))


def test_results_under_another_key_are_looked_for_where_that_lies(root):
    renamed = {"vad-1": {"key": "key20"}}
    ledger = Ledger(root, renamed, {"key20": ("00002",)})
    assert ledger.states("vad-1", ["key"])["key"].ok
    assert set(ledger.load("vad-1", ["key"], ["speech"])) == {"key"}
