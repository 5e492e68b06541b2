# SPDX-License-Identifier: Apache-2.0
"""A trace is found wherever it is planted: one place after another, each alone."""

import base64
import functools
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechmill.pipeline.purge.marks import forms
from speechmill.pipeline.purge.needles import Needles
from speechmill.pipeline.purge.scan import Trace, Wanted, scan
from speechmill.pipeline.purge.scrub import _hit, cleaned

TEXT = 'Tôi là "người" đã nói điều này'
SHA256 = "0123456789abcdef" * 4
CLIP = np.arange(100, dtype="<i2").tobytes()
WANTED = Wanted(
    Needles([b"anna-3f9a2c", SHA256[:16].encode(), bytes.fromhex(SHA256)[:8], *forms(TEXT), CLIP[40:104]]),
    frozenset([b"Anna"]),
)


def tarred(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd", write_statistics=False)
    return out.getvalue()


def database(tmp_path):
    path = tmp_path / "made.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE items (ref TEXT)")
    connection.execute("INSERT INTO items VALUES (?)", ("x" * 4090 + TEXT,))  # over the end of a page
    connection.commit()
    connection.close()
    return path.read_bytes()


CLIP_FILE = b"RIFF" + CLIP
PLANTED = {
    "name of a file": ("exports/anna-3f9a2c.wav", b"x", "name"),
    "raw": ("a.log", b"seen anna-3f9a2c here", "bytes"),
    "hash in hex": ("b.json", SHA256.encode(), "bytes"),
    "hash as bytes": ("c.npy", b"\x93NUMPY" + bytes.fromhex(SHA256), "bytes"),
    "text": ("d.txt", TEXT.encode(), "bytes"),
    "text in escaped JSON": ("e.json", json.dumps({"text": TEXT}).encode(), "bytes"),
    "text in HTML": ("f.html", b"<p>" + TEXT.replace('"', "&quot;").encode(), "bytes"),
    "samples in WAV": ("g.wav", CLIP_FILE, "bytes"),
    "a speaker's name in JSON": ("h.json", b'{"speaker":"Anna"}', "bytes"),
    "gzip": ("i.jsonl.gz", gzip.compress(TEXT.encode()), "gzip: bytes"),
    "tar": ("j.tar", tarred("anna-3f9a2c.txt", b"x"), "tar: a name"),
    "deep in a tar in a gzip": ("k.tar.gz", gzip.compress(tarred("a.gz", gzip.compress(CLIP_FILE))), "gzip: tar"),
    "zip": ("l.npz", zipped("a.npy", bytes.fromhex(SHA256)), "zip: bytes"),
    "audio in a page": ("m.html", b'"data:audio/wav;base64,' + base64.b64encode(CLIP_FILE) + b'"', "base64"),
    "column": ("n.parquet", parquet(id=["anna-3f9a2c-0-0001"]), "parquet: column id"),
    "list of structs": ("o.parquet", parquet(words=[[{"symbol": TEXT}]]), "parquet: column words"),
    "map": ("p.parquet", parquet(gaps=pa.array([[("k", TEXT)]], pa.map_("string", "string"))), "parquet: column gaps"),
    "binary column": ("q.parquet", parquet(audio=[b"x", CLIP_FILE]), "parquet: column audio"),
    "a name as a whole value": ("r.parquet", parquet(speaker=["Bob", "Anna"]), "parquet: column speaker"),
    "dictionary": ("s.parquet", parquet(id=pa.array(["anna-3f9a2c"]).dictionary_encode()), "parquet: column id"),
}


@pytest.mark.parametrize("case", PLANTED, ids=list(PLANTED))
def test_each_planted_trace_is_found_and_its_place_said(tmp_path, case):
    name, content, where = PLANTED[case]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    (tmp_path / "clean.txt").write_text("nothing of hers, but Anna Karenina is a book")
    found = scan(tmp_path, WANTED)
    assert {trace.path for trace in found} == {name}
    assert any(trace.what.startswith(where) for trace in found)


def test_a_database_is_read_value_by_value(tmp_path):
    content = database(tmp_path)
    (tmp_path / "made.db").unlink()
    (tmp_path / "catalog.db").write_bytes(content)
    assert scan(tmp_path, WANTED) in (
        [Trace("catalog.db", "bytes")],
        [Trace("catalog.db", "sqlite: table items")],
    )


def test_names_inside_sentences_and_other_ids_are_no_traces(tmp_path):
    (tmp_path / "a.txt").write_text("Anna said so; anna-3f9a2d, 0123456789abcdee")
    (tmp_path / "b.parquet").write_bytes(parquet(text=["Anna said so"]))
    assert scan(tmp_path, WANTED) == []


def test_what_is_broken_is_searched_as_it_lies(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b broken anna-3f9a2c")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 broken")
    assert scan(tmp_path, WANTED) == [Trace("a.gz", "bytes")]


@pytest.mark.parametrize(
    ("content", "is_trace"),
    [
        (b'{"alignment": [["may", 0.1, 0.2]], "speaker": "ben"}', False),  # a word that others say
        (b'intervals [3]:\n  text = "may"\n', False),
        (b"word\tphones\nof\tAH V\nmay\tM EY\n", False),
        (b"<td>may</td>", False),
        (b'{"speaker": "may"}', True),
        (b'{"speakers":["ben","may"]}', True),
        (b'{"speakers": {"ben": 1, "may": 2}}', True),
        (b'<TIER PARTICIPANT="may" TIER_ID="x">', True),
        (b"path\tspeaker\nx.wav\tmay\n", True),
        (b"speaker\thours\nmay\t1.5\n", True),
    ],
)
def test_a_speaker_who_is_named_like_a_word_is_found_where_speakers_are_named(tmp_path, content, is_trace):
    (tmp_path / "file").write_bytes(content)
    assert bool(scan(tmp_path, Wanted(Needles([]), frozenset([b"may"])))) is is_trace


@pytest.mark.parametrize("form", [json.dumps, functools.partial(json.dumps, ensure_ascii=False)])
def test_a_speaker_is_found_however_json_writes_the_name(tmp_path, form):
    (tmp_path / "file").write_text(form({"speaker": 'Văn "An"'}))
    assert scan(tmp_path, Wanted(Needles([]), frozenset(['Văn "An"'.encode()])))


def test_words_stay_in_json_when_a_speaker_is_named_like_one():
    hit = _hit(Wanted(Needles([]), frozenset([b"train"])))
    found = cleaned({"split": "train", "speaker": "train", "hours": {"train": 2}, "speakers": ["train", "ben"]}, hit)
    assert found == {"split": "train", "speaker": "[purged]", "hours": {"train": 2}, "speakers": ["ben"]}
