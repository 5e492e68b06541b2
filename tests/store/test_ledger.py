# SPDX-License-Identifier: Apache-2.0
from speechmill.core.types import Failed, Interval
from speechmill.store import ledger as module
from speechmill.store.ledger import Ledger, Result

SPEECH = (Interval(0.5, 1.0), Interval(2.0, 0.25))


def test_what_was_written_is_read_back(tmp_path):
    Ledger(tmp_path).write("vad-1", "00000", ["speech"], [Result("a", {"speech": SPEECH}), Result("b", {"speech": ()})])
    assert Ledger(tmp_path).load("vad-1", {"a", "b"}, ["speech"]) == {"a": {"speech": SPEECH}, "b": {"speech": ()}}


def test_a_success_beats_a_failure_whatever_the_order(tmp_path):
    ledger = Ledger(tmp_path)
    failure = Result("a", failed=Failed("a", "vad", "timeout", "300 s"))
    ledger.write("vad-1", "00000", ["speech"], [failure])
    ledger.write("vad-1", "00000", ["speech"], [Result("a", {"speech": SPEECH})])
    ledger.write("vad-1", "00000", ["speech"], [failure])
    assert ledger.states("vad-1")["a"].ok
    assert ledger.load("vad-1", {"a"}, ["speech"])["a"]["speech"] == SPEECH


def test_failures_are_counted(tmp_path):
    ledger = Ledger(tmp_path)
    for _ in range(2):
        ledger.write("vad-1", "00000", ["speech"], [Result("a", failed=Failed("a", "vad", "timeout", "300 s"))])
    state = ledger.states("vad-1")["a"]
    assert (state.ok, state.attempts, state.reason, state.permanent) == (False, 2, "timeout", False)


def test_a_corrupt_part_is_set_aside_and_the_rest_is_read(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.write("vad-1", "00000", ["speech"], [Result("a", {"speech": SPEECH})])
    path = ledger.write("vad-1", "00000", ["speech"], [Result("b", {"speech": SPEECH})])
    path.write_bytes(path.read_bytes()[:100])
    fresh = Ledger(tmp_path)
    assert set(fresh.states("vad-1")) == {"a"}
    assert len(fresh.corrupt) == 1
    assert path.name in fresh.corrupt[0]
    assert path.with_suffix(".corrupt").exists()


def test_a_stray_temporary_file_is_not_read(tmp_path):
    ledger = Ledger(tmp_path)
    path = ledger.write("vad-1", "00000", ["speech"], [Result("a", {"speech": SPEECH})])
    (path.parent / ".tmp-1234.parquet").write_bytes(b"PAR1")
    assert set(ledger.states("vad-1")) == {"a"}
    assert ledger.corrupt == []


def test_compaction_keeps_every_row_and_lists_what_it_replaces(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COMPACT_ABOVE", 2)
    ledger = Ledger(tmp_path)
    for key in "abc":
        ledger.write("vad-1", "00000", ["speech"], [Result(key, {"speech": SPEECH})])
    assert ledger.compact("vad-1") == 1
    assert len(ledger.replaced()) == 3
    for path in ledger.replaced():
        path.unlink()
    assert set(Ledger(tmp_path).load("vad-1", {"a", "b", "c"}, ["speech"])) == {"a", "b", "c"}


def test_a_compaction_copies_no_large_part_again(tmp_path, monkeypatch):
    """A shard that grows from run to run would be read into memory as a whole, each time."""
    monkeypatch.setattr(module, "COMPACT_ABOVE", 2)
    ledger = Ledger(tmp_path)
    speech = tuple(Interval(1.001 * i, 0.5) for i in range(5_000))
    large = ledger.write("vad-1", "00000", ["speech"], [Result("large", {"speech": speech})])
    small = [ledger.write("vad-1", "00000", ["speech"], [Result(key, {"speech": SPEECH})]) for key in "abc"]
    monkeypatch.setattr(module, "COMPACT_BELOW", large.stat().st_size)
    assert [ledger.compact("vad-1"), ledger.compact("vad-1")] == [1, 0]
    assert sorted(ledger.replaced()) == small
    assert set(Ledger(tmp_path).load("vad-1", {"a", "b", "c", "large"}, ["speech"])) == {"a", "b", "c", "large"}


def test_a_table_has_one_row_per_key(tmp_path):
    ledger = Ledger(tmp_path)
    for _ in range(2):
        ledger.write("vad-1", "00000", ["speech"], [Result("a", {"speech": SPEECH})])
    assert ledger.table("vad-1", ["speech"])["key"].to_pylist() == ["a"]
    assert ledger.table("none-1", ["speech"]).num_rows == 0


def test_a_name_is_kept_once_and_numbered_as_it_is_met(tmp_path):
    ledger = Ledger(tmp_path)
    first = "".join(["k", "1"])
    assert [ledger.number(name) for name in (first, "k2", "k1")] == [0, 1, 0]
    assert ledger.same("".join(["k", "1"])) is first
    assert (ledger.find("k2"), ledger.find("k3")) == (1, None)
