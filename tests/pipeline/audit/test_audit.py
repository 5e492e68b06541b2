# SPDX-License-Identifier: Apache-2.0
"""A sound workspace passes; each corruption is found by the check that is made for it."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import write_tone

from speechmill import api
from speechmill.formats.flac import FlacReader, write_flac
from speechmill.pipeline.audit import audit
from speechmill.pipeline.audit.rows import wrong_text
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": ["jsonl"],
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    base = tmp_path_factory.mktemp("ran")
    folder = base / "audio"
    folder.mkdir()
    for i, name in enumerate(("a", "b")):
        write_tone(folder / f"{name}.wav", 2.0 + i / 4, 150.0 + 20 * i)
        (folder / f"{name}.txt").write_text(f"what {name} says")
    api.run(folder, base / "out", settings=SETTINGS, workers=1)
    return base / "out"


@pytest.fixture
def out(ran, tmp_path):
    return shutil.copytree(ran, tmp_path / "out")


def failed(out, decode=None):
    """Names of the checks that fail, with the first thing that each says."""
    done = audit(Workspace.open(out), decode)
    assert len(done) == 21
    return {one.name: one.findings[0].what for one in done if one.wrong}


def edit(path, change):
    """Rewrite a table by a function of its rows."""
    table = pq.read_table(path)
    rows = table.to_pylist(maps_as_pydicts="strict")
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def rows_of(out, change):
    """Alter the dataset's segments, and the table as well: only the rows are wrong then."""
    edit(out / "dataset" / "segments.parquet", change)


def word(start, duration):
    return {"symbol": "x", "start": start, "duration": duration, "score": None}


def test_a_sound_workspace_passes(out):
    assert failed(out) == {}


def setter(**values):
    def change(rows):
        rows[0].update(values)

    return change


ROWS = {
    "segment-times": (setter(duration=99.0), "0.000 s, 99.000 s long, in a recording of 2.000 s"),
    "word-times": (setter(words=[word(0.5, 0.1), word(0.4, 0.1)]), "word 1 is before the one that precedes it"),
    "phone-times": (setter(phones=[word(0.5, 60.0)]), "phone 0 is outside of it: 0.500 s"),
    "scores": (setter(scores={"snr_db": float("nan")}), "snr_db is nan"),
    "texts": (setter(text="что это такое"), "11 of 11 letters are of no script that en is written in"),
    "duplicate-segments": (lambda rows: rows.append(dict(rows[0])), "two segments have this id"),
    "decided": (setter(split=None), "kept, of no split"),
    "duplicate-of": (setter(duplicate_of="nobody-0-1"), "a duplicate of 'nobody-0-1', which is not there"),
}


@pytest.mark.parametrize("check", ROWS)
def test_a_wrong_row_is_found_by_its_check(out, check):
    change, says = ROWS[check]
    rows_of(out, change)
    found = failed(out)
    assert found[check].startswith(says)
    assert found.keys() <= {check, "dataset", "versions", "export-rows"}
    assert "versions" in found  # which knows the file's hash


def test_words_that_were_edited_by_hand_are_found_after_a_purge_too(out):
    (path,) = (out / "versions").glob("*/manifest.json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "purged": [{"certificate": "c", "recordings": 1}]}))
    rows_of(out, setter(text="what nobody has said"))
    done = audit(Workspace.open(out))
    assert {one.name: one.wrong for one in done if one.wrong} == {"dataset": 2}
    (dataset,) = (one.findings for one in done if one.wrong)
    assert dataset[0].where.startswith("a-")
    assert dataset[0].what.startswith("its text is not what segments-")
    assert dataset[1].where == "dataset/contents.parquet"


def test_contents_that_are_gone_broken_or_of_another_dataset(out):
    path = out / "dataset" / "contents.parquet"
    edit(path, setter(digest="0" * 32))
    assert failed(out)["dataset"].startswith("it is not what the dataset has")
    path.write_bytes(b"broken")
    assert str(path) in failed(out)["dataset"]
    path.unlink()
    assert failed(out) == {"dataset": "gone; the next export makes it anew"}


def test_hashes_that_are_gone_broken_or_not_of_their_files(out):
    path = out / "hashes.parquet"

    def other(rows):
        next(row for row in rows if row["uri"].endswith("a.wav"))["sha256"] = "0" * 64

    edit(path, other)
    assert failed(out)["originals"].startswith("hashes.parquet has another hash of")
    path.write_bytes(b"broken")
    assert str(path) in failed(out)["originals"]
    path.unlink()
    assert failed(out) == {"originals": "gone; the next run reads every original again"}


@pytest.fixture(scope="module")
def split(ran, tmp_path_factory):
    """The same with splits, of which each recording is one."""
    out = shutil.copytree(ran, tmp_path_factory.mktemp("split") / "out")
    settings = SETTINGS | {"splits": {"dev": 0.3, "test": 0.3}, "export": []}
    api.run(ran.parent / "audio", out, settings=settings, workers=1)
    shutil.rmtree(out / "exports")
    return out


def test_splits_that_are_not_remembered(split, tmp_path):
    out = shutil.copytree(split, tmp_path / "out")
    assert failed(out) == {}
    path = out / "splits" / "assigned.parquet"
    edit(path, lambda rows: rows.pop(next(i for i, row in enumerate(rows) if row["kind"] == "recording")))
    assert "assigned.parquet doesn't remember it" in failed(out)["splits"]
    path.write_bytes(b"broken")
    assert "What was tested on would be forgotten" in failed(out)["splits"]
    path.unlink()
    assert failed(out)["splits"].startswith("gone, and with it what was tested on")


def test_recordings_that_are_there_twice(out):
    edit(out / "dataset" / "recordings.parquet", lambda rows: rows.append(dict(rows[0])))
    assert failed(out)["duplicate-recordings"] == "two recordings have this id"


def flacs(out):
    return sorted((out / "recordings").rglob("*.flac"))


def test_audio_that_is_gone(out):
    flacs(out)[0].unlink()
    assert failed(out)["audio"].startswith("canonical-audio-missing")


def test_audio_of_another_length(out):
    write_flac(flacs(out)[0], np.zeros(24_000, np.float32), 24_000)
    assert "is 1.000 s long, its recording 2." in failed(out)["audio"]


def test_audio_with_a_bit_turned_over(out):
    path = flacs(out)[0]
    content = bytearray(path.read_bytes())
    content[-3000] ^= 1
    path.write_bytes(content)
    assert failed(out)["audio-decoded"].startswith("canonical-audio-corrupt")
    assert failed(out, decode=0) == {}


def test_audio_of_another_recording_that_is_as_long(out):
    path = flacs(out)[0]
    with FlacReader(path) as reader:
        samples = np.concatenate(list(reader.frames())) / 65536
    write_flac(path, samples.astype(np.float32), 24_000)
    assert failed(out)["audio-decoded"].startswith("its peak is -")


def test_an_original_that_has_changed(out, tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(b"other")
    edit(out / "dataset" / "recordings.parquet", setter(uri=str(other)))
    assert failed(out)["originals"] == f"{other} has changed since: run the corpus again"


def test_a_part_of_the_ledger_that_is_broken_gone_or_misplaced(out):
    first, *_rest = sorted((out / "stages").glob("vad-*/*/*.parquet"))
    first.write_bytes(b"PAR1 broken")
    assert "not a readable Parquet file" in failed(out)["ledger-parts"]
    first.unlink()  # nothing was set aside: a check alters nothing
    assert failed(out) == {"ledger-results": "no result of vad, and no failure"}
    (out / "stages" / "no_stage" / "00000").mkdir(parents=True)
    (out / "stages" / "no_stage" / "00000" / "x.txt").touch()
    assert failed(out)["ledger-parts"] == "'no_stage' is no name of a stage and its fingerprint"


def test_a_part_of_another_stage(out):
    (vad, *_rest), (segment, *_others) = (
        sorted((out / "stages").glob(f"{one}-*/*/*.parquet")) for one in ("vad", "segment")
    )
    shutil.copy(segment, vad)
    assert failed(out) == {"ledger-parts": "it has the column 'segments', which another stage writes"}


def test_a_dataset_that_is_not_of_its_decisions(out):
    (path,) = (out / "decisions").glob("*.parquet")
    edit(path, lambda rows: rows.pop())
    assert failed(out)["dataset"].startswith("its segments are not those of the decisions")
    path.unlink()
    assert failed(out)["dataset"] == "the dataset's index names it, and it is gone"


def test_a_version_whose_files_are_others(out):
    (path,) = (out / "versions").glob("*/manifest.json")
    manifest = json.loads(path.read_text())
    manifest["files"]["dataset/segments.parquet"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert failed(out) == {"versions": "version 1 was recorded with another content of it"}


def exported(out):
    return next(path for path in sorted((out / "exports" / "jsonl").rglob("*.jsonl*")) if ".parts" not in path.parts)


def test_a_file_of_an_export_that_was_altered_added_or_lost(out):
    path = exported(out)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert failed(out) == {"export-files": "its SHA-256 is not that of what was written"}
    path.unlink()
    assert failed(out)["export-files"] == "gone"


def test_a_file_that_is_not_of_the_export(out):
    (out / "exports" / "jsonl" / "notes.txt").touch()
    assert failed(out) == {"export-files": "not of this export"}


def test_an_export_of_an_earlier_dataset(out):
    path = out / "exports" / "jsonl" / ".speechmill-export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "decisions": "0" * 16}))
    assert failed(out)["export-rows"].startswith("made of an earlier dataset")


def test_a_shard_that_says_it_has_what_it_has_not(out):
    path = out / "exports" / "jsonl" / ".speechmill-export.json"
    marker = json.loads(path.read_text())
    path.write_text(
        json.dumps({**marker, "shards": [{**marker["shards"][0], "units": marker["shards"][0]["units"][1:]}]})
    )
    assert failed(out) == {"export-rows": "2 segments, and the dataset keeps others of these recordings"}


def test_checksums_that_are_no_text(out):
    (out / "exports" / "jsonl" / "CHECKSUMS.sha256").write_bytes(b"\xff\xfe  nothing")
    assert failed(out).keys() == {"export-files"}


def test_a_card_that_is_gone_broken_or_of_another_version(out):
    (out / "dataset" / "croissant.json").write_text("{")
    assert failed(out)["versions"].startswith("broken: ")
    (out / "dataset" / "croissant.json").unlink()
    assert failed(out)["versions"] == "gone; the next run writes it"
    (out / "dataset" / "croissant.json").write_text("{}")
    (out / "dataset" / "README.md").write_bytes(b"\xff")
    assert failed(out)["versions"].startswith("not of version 1")


def test_a_run_whose_plan_is_gone_is_not_taken_for_none(out):
    (path,) = (out / "runs").glob("*/plan.json")
    path.unlink()
    assert failed(out) == {"ledger-results": "gone; the dataset was made by this run"}


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_lost_index_is_a_finding_and_what_needs_none_is_checked(out, content, speechmill):
    path = out / "dataset" / "index.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    done = audit(Workspace.open(out), 0)
    assert [(one.name, one.findings[0].where) for one in done if one.wrong] == [("dataset", "dataset/index.json")]
    assert {one.name for one in done} >= {"texts", "audio", "ledger-parts", "purges"}
    if content is None:
        assert "dataset/index.json" in speechmill("check", out, expect=1).stdout


def test_a_purge_that_was_cut_off(out):
    (out / "privacy").mkdir()
    (out / "privacy" / "purging.json").touch()
    assert failed(out)["purges"].startswith("a purge was cut off")


def test_what_can_not_be_read_is_a_finding_and_the_other_checks_go_on(out):
    (out / "dataset" / "segments.parquet").write_bytes(b"broken")
    done = audit(Workspace.open(out), 0)
    found = {one.name: one.findings[0].what for one in done if one.wrong}
    assert found["rows"].startswith("can't be checked")
    assert {one.name for one in done} >= {"audio", "ledger-parts", "ledger-results"}


@pytest.mark.parametrize(
    ("check", "place"),
    [
        ("purges", "privacy/denied.json"),
        ("purges", "privacy/key"),
        ("corrections", "corrections/20260101-000000-000000-aaaaaa.jsonl"),
        ("dataset", "tables/segments-*.parquet"),
    ],
)
def test_what_a_workspace_remembers_by_is_named_where_it_is_broken(out, check, place):
    path = next(out.glob(place), out / place)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    assert str(path) in failed(out)[check]


@pytest.mark.parametrize(
    ("text", "language", "wrong"),
    [
        ("Hello there", "en", False),
        ("Xin chào các bạn", "vi", False),
        ("a café with a résumé", "en", False),
        ("我们今天说 OpenAI", "zh", False),
        ("hello in Chinese is 你好 as everybody knows by now", "en", False),
        ("你好你好", "en", True),
        ("broken \ufffd text", "en", True),
        ("bell \x07", None, True),
        ("что угодно", None, False),
        ("nothing", "zh", False),
    ],
)
def test_characters_against_language(text, language, wrong):
    assert (wrong_text(text, language) is not None) == wrong


def test_the_command_ends_with_1_where_anything_fails(out, speechmill):
    assert "21 checks passed" in speechmill("check", out).stdout
    flacs(out)[0].unlink()
    done = speechmill("check", out, "--json", expect=1)
    assert json.loads(done.stdout)["failed"] == 1
