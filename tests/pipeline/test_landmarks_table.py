# SPDX-License-Identifier: Apache-2.0
"""Landmarks from the stage into the ledger, and from there beside the table."""

import base64

import numpy as np
import pyarrow.parquet as pq

from speechmill.core.stage import Item, Resources
from speechmill.core.types import Failed, Source
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.landmarks import SAMPLING_RATE, landmarks
from speechmill.pipeline import spec, table
from speechmill.pipeline.flow import flow_of
from speechmill.pipeline.landmarks_table import read_landmarks
from speechmill.pipeline.plan import Node, nodes
from speechmill.stages.landmarks import Landmarks
from speechmill.store.ledger import Ledger, Result

HEARD = Node("landmarks", "fp", ("audio",), ("landmarks",), (), Resources())
A = Source("a-1", "/a.wav", key="ka", sha256="1")
B = Source("b-2", "/b.wav", key="kb", sha256="2")
NOISE = np.random.default_rng(0).normal(0, 0.1, 65 * SAMPLING_RATE).astype(np.float32)


def corpus(tmp_path, **settings):
    return spec.resolve({"sources": [{"local": {"path": "."}}], "language": "en", **settings}, tmp_path)


def test_the_stage_is_planned_only_where_recordings_are_deduplicated(tmp_path):
    for settings, planned in [
        ({}, False),
        ({"deduplicate": {}}, True),
        ({"deduplicate": {"audio": False, "text": 0.9}}, False),
    ]:
        assert ("landmarks" in {node.name for node in nodes(corpus(tmp_path, **settings))}) is planned


def test_other_stages_keep_their_fingerprints(tmp_path):
    without, beside = nodes(corpus(tmp_path)), nodes(corpus(tmp_path, deduplicate={}))
    assert {node.folder for node in without} == {node.folder for node in beside if node.name != "landmarks"}


def test_orchestrators_prepare_them_with_the_audio(tmp_path):
    commands = {
        asked: next(step.command for step in flow_of(corpus(tmp_path, **settings), "label").steps if step.over_shards)
        for asked, settings in [("with", {"deduplicate": {}}), ("without", {})]
    }
    assert "normalise,landmarks,vad" in commands["with"]
    assert "normalise,vad" in commands["without"]


def test_the_stage_reads_piece_by_piece_what_is_one_recording():
    item = Item(A, {}, ArrayAudio([NOISE, NOISE]))
    assert Landmarks().work(item).columns["landmarks"] == landmarks(NOISE)


def test_they_come_back_from_the_ledger_byte_by_byte(tmp_path):
    made = bytes(range(256)) + base64.b64encode(b"no text")
    ledger = Ledger(tmp_path)
    ledger.write(HEARD.folder, "00000", HEARD.writes, [Result("ka", {"landmarks": made})])
    assert ledger.load(HEARD.folder, {"ka"}, ("landmarks",)) == {"ka": {"landmarks": made}}


def test_they_lie_beside_the_table(tmp_path):
    ledger = Ledger(tmp_path)
    failed = Failed("kb", "landmarks", "timeout", "")
    ledger.write(
        HEARD.folder, "00000", HEARD.writes, [Result("ka", {"landmarks": b"abc"}), Result("kb", failed=failed)]
    )
    name = table.build(ledger, [HEARD], [A, B], tmp_path / "tables")
    path = tmp_path / "tables" / f"landmarks-{name}.parquet"
    assert list(read_landmarks(path)) == [("a-1", b"abc")]
    path.unlink()
    assert table.build(ledger, [HEARD], [A, B], tmp_path / "tables") == name
    assert pq.read_table(path).num_rows == 1


def test_there_are_none_where_nobody_asked(tmp_path):
    name = table.build(Ledger(tmp_path), [], [A], tmp_path / "tables")
    assert [path.name for path in (tmp_path / "tables").glob(f"*{name}*")].count(f"landmarks-{name}.parquet") == 0
