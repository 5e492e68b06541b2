# SPDX-License-Identifier: Apache-2.0
"""A purge leaves nothing that a scan finds, a workspace that goes on, and no way back for what was purged."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import write_tone

from speechmill import api
from speechmill.core.errors import ConfigError
from speechmill.core.types import Correction
from speechmill.pipeline import purge as pipeline
from speechmill.pipeline.audit import audit
from speechmill.pipeline.export.marker import read_marker
from speechmill.pipeline.purge import marks, run
from speechmill.pipeline.purge.certificate import read_journal, salted
from speechmill.pipeline.purge.scan import scan
from speechmill.pipeline.purge.target import Known, _first, resolve
from speechmill.store import corrections
from speechmill.store.dataset import Dataset
from speechmill.store.pseudonyms import pseudonyms
from speechmill.store.workspace import Workspace

pytestmark = pytest.mark.slow
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": ["rttm", "jsonl"],
}
TEXTS = {
    "anna1": "the first thing that anna has to say",
    "anna2": "and the second of her sayings follows here",
    "ben": "what ben says belongs to nobody else",
}
PEOPLE = {"anna1": "Anna", "anna2": "Anna", "ben": "Ben"}
ASKED = pipeline.Asked("the keeper", "consent withdrawn")


def corpus(folder):
    folder.mkdir()
    for i, (name, text) in enumerate(TEXTS.items()):
        write_tone(folder / f"{name}.wav", 2.0 + i / 4, 150.0 + 20 * i)
        (folder / f"{name}.txt").write_text(text)
    rows = [f"{name}.wav\t{who}" for name, who in PEOPLE.items()]
    (folder / "recordings.tsv").write_text("\n".join(["path\tspeaker", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    base = tmp_path_factory.mktemp("ran")
    folder, out = corpus(base / "audio"), base / "out"
    api.run(folder, out, settings=SETTINGS, workers=1)
    return folder, out


@pytest.fixture
def out(ran, tmp_path):
    return shutil.copytree(ran[1], tmp_path / "out")


def wanted(out, target):
    place = Workspace.open(out)
    return marks.marks(place, resolve(place, target)).everything


def purge(out, target):
    place = Workspace.open(out)
    with place.held(), place.joined(alone=True):
        return pipeline.purge(place, target, ASKED, lambda _text: None)


def ids(out):
    return {name.rpartition("-")[0] for name in Dataset(out).recordings()}


def test_a_speaker_is_gone_from_every_file(out):
    looked_for = wanted(out, "Anna")
    assert {trace.path.split("/")[0] for trace in scan(out, looked_for)} >= {
        "recordings", "stages", "tables", "decisions", "dataset", "exports", "runs", "hashes.parquet", "report.html",
    }  # fmt: skip
    done = purge(out, "Anna")
    assert scan(out, looked_for) == []
    assert ids(out) == {"ben"}
    assert done.certificate.recordings == 2
    assert done.certificate.exports == ("jsonl", "rttm")
    assert done.certificate.found == 0


def test_the_workspace_is_sound_after_it_and_its_versions_say_so(out):
    done = purge(out, "Anna")
    assert {one.name: one.findings for one in audit(Workspace.open(out)) if one.wrong} == {}
    assert done.certificate.versions == (1,)
    (manifest,) = (out / "versions").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["purged"] == [{"certificate": done.certificate.id, "recordings": 2}]


def test_pseudonyms_go_too(out):
    hidden = pseudonyms(out).of("Anna")
    (out / "notes.csv").write_text(f"who\n{hidden}\n{pseudonyms(out).of('Ben')}\n")
    purge(out, "Anna")
    assert (out / "notes.csv").read_text() == f"who\n{pseudonyms(out).of('Ben')}\n"


def test_exports_are_written_anew_and_shards_without_it_stay(out):
    before = read_marker(out / "exports" / "rttm")
    done = purge(out, "Anna")
    assert done.certificate.rewritten["exports"] == 2
    after = read_marker(out / "exports" / "rttm")
    assert [name.rpartition("-")[0] for shard in after.shards for name in shard.recordings] == ["ben"]
    assert after.fingerprint == before.fingerprint  # of the same table and decisions, less some rows


def test_an_export_that_the_corpus_does_not_name_is_deleted(out):
    shutil.copytree(out / "exports" / "rttm", out / "exports" / "ctm")
    done = purge(out, "Anna")
    assert done.certificate.exports == ("ctm", "jsonl", "rttm")
    assert not (out / "exports" / "ctm").exists()


def test_a_certificate_names_nobody_and_proves_whom_to_who_has_the_salt(out):
    done = purge(out, "Anna")
    written = (out / done.path).read_text()
    assert json.loads(written)["target"] == salted(done.salt, "Anna")
    assert "Anna" not in written
    assert done.salt not in "".join(path.read_text() for path in out.rglob("*.json"))


def test_nothing_names_the_target_in_who_or_why(out):
    place = Workspace.open(out)
    with pytest.raises(ConfigError, match="--reason names the target"):
        pipeline.purge(place, "Anna", pipeline.Asked("me", "Anna asked for it"), print)
    assert read_journal(place) is None


def test_the_next_run_leaves_out_what_was_purged_and_remembers_nothing_of_it(ran, out):
    looked_for = wanted(out, "Anna")
    purge(out, "Anna")
    api.run(ran[0], out, settings=SETTINGS, workers=1)
    assert ids(out) == {"ben"}
    left = {trace.path for trace in scan(out, looked_for)}
    assert left == set()
    assert sorted(path.name for path in (out / "exports").iterdir()) == ["jsonl", "rttm"]


@pytest.mark.parametrize("place", ["shrink", "_loose", "_rows", "rebuild", "_mark_versions", "_certificate"])
def test_cut_off_anywhere_the_next_call_finishes_it(out, monkeypatch, place):
    looked_for = wanted(out, "Anna")
    whole = getattr(run, place)

    def full(*arguments):
        if place == "_rows":
            for path in (out / "recordings").rglob("*.flac"):  # some of it was done
                if "Anna" in path.name:
                    path.unlink()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, place, full)
    with pytest.raises(OSError, match="No space"):
        purge(out, "Anna")
    monkeypatch.setattr(run, place, whole)
    workspace = Workspace.open(out)
    done = pipeline.finish(workspace, lambda _text: None)
    assert done is not None
    assert done.certificate.recordings == 2
    assert scan(out, looked_for) == []
    assert ids(out) == {"ben"}
    assert pipeline.finish(workspace, print) is None


def test_cut_off_after_each_file_the_next_call_finishes_it(out, monkeypatch):
    looked_for = wanted(out, "Anna")
    whole, calls = run.scrub, []

    def sometimes(path, names):
        calls.append(path)
        if len(calls) in (2, 5, 9):
            raise OSError(28, "No space left on device")
        return whole(path, names)

    monkeypatch.setattr(run, "scrub", sometimes)
    with pytest.raises(OSError, match="No space"):
        purge(out, "Anna")
    for _again in range(4):
        try:
            done = pipeline.finish(Workspace.open(out), lambda _text: None)
            break
        except OSError:
            continue
    assert done is not None
    assert len(calls) > 9
    assert scan(out, looked_for) == []
    assert ids(out) == {"ben"}


def test_what_can_not_be_taken_out_fails_loudly_and_stays_open(out):
    (out / "models" / "m").mkdir(parents=True)
    (out / "models" / "m" / "words.txt").write_text(TEXTS["anna1"])
    with pytest.raises(pipeline.TracesLeft, match=r"models/m/words.txt \(bytes\)"):
        purge(out, "Anna")
    assert read_journal(Workspace.open(out)) is not None
    (out / "models" / "m" / "words.txt").unlink()
    assert pipeline.finish(Workspace.open(out), print) is not None


def test_shards_count_the_rows_that_are_left_of_their_run(out):
    purge(out, "Anna")
    (folder,) = (path.parent for path in (out / "runs").glob("*/plan.json"))
    sources = pq.read_table(folder / "sources.parquet").to_pylist()
    members = pq.read_table(folder / "shards.parquet").to_pylist()
    assert [sources[one["row"]]["id"] for one in members] == [one["recording_id"] for one in members]
    assert len(members) == 1


def test_files_of_people_are_taken_apart_line_by_line(out):
    (out / "review").mkdir()
    (out / "review" / "sheet.csv").write_text(f"id,text\n1,{TEXTS['anna2']}\n2,{TEXTS['ben']}\n")
    (out / "review" / "page.html").write_text(f"<p>{TEXTS['anna2']}</p>")
    purge(out, "Anna")
    assert (out / "review" / "sheet.csv").read_text() == f"id,text\n2,{TEXTS['ben']}\n"
    assert not (out / "review" / "page.html").exists()


def test_what_others_say_too_stays_in_their_results_and_corrections(out):
    place = Workspace.open(out)
    ben = next(one for one in Dataset(out).recordings().values() if one.speaker == "Ben")
    keys = {row["id"]: row["key"] for row in pq.read_table(out / "dataset" / "recordings.parquet").to_pylist()}
    said = corrections.named(ben.sha256, Correction("", 0.0, 1.0, text=TEXTS["anna1"]))
    log = corrections.append(
        place.corrections, [corrections.Entry(corrections.now(), "me", sha256=ben.sha256, correction=said)]
    )
    parts = {path: pq.read_table(path) for path in out.glob("stages/transcribe-*/*/*.parquet")}
    (part,) = (path for path, table in parts.items() if keys[ben.id] in table["key"].to_pylist())
    changed = parts[part].to_pylist()
    for row in changed:
        if row["key"] == keys[ben.id]:
            row["transcript"]["utterances"][0]["text"] = TEXTS["anna2"]
    pq.write_table(pa.Table.from_pylist(changed, parts[part].schema), part)
    purge(out, "Anna")
    assert TEXTS["anna1"] in log.read_text()
    assert [row["key"] for row in pq.read_table(part).to_pylist()] == [keys[ben.id]]


def test_a_target_that_is_nothing_or_too_much_is_refused(out):
    place = Workspace.open(out)
    with pytest.raises(ConfigError, match="is no recording"):
        resolve(place, "Clara")
    for nothing in ("", "recording:", "speaker:"):
        with pytest.raises(ConfigError, match="is no recording"):
            resolve(place, nothing)
    assert [one.rpartition("-")[0] for one in resolve(place, "ben.wav").ids] == ["ben"]
    assert resolve(place, "speaker:Ben").kind == "speaker"


def test_the_address_of_a_crawled_recording_is_one_thing_though_it_is_its_name_too():
    address = "https://example.org/watch?v=1"
    rows = [Known("x-1", "", "", address, url=address, origin="youtube"), Known("x-2", "", "", "/b", speaker="b")]
    assert _first(address, rows, []) == ("url", rows[:1])
    with pytest.raises(ConfigError, match="write which: recording:b, speaker:b"):
        _first("b", [*rows, Known("x-3", "", "", "/audio/b")], [])


def test_equal_bytes_under_another_name_go_with_it(ran, tmp_path):
    folder = corpus(tmp_path / "audio")
    shutil.copy(folder / "ben.wav", folder / "copy.wav")
    shutil.copy(folder / "ben.txt", folder / "copy.txt")
    api.run(folder, tmp_path / "out", settings=SETTINGS | {"export": []}, workers=1)
    assert {one.rpartition("-")[0] for one in resolve(Workspace.open(tmp_path / "out"), "ben.wav").ids} == {
        "ben",
        "copy",
    }


def test_samples_that_another_has_too_are_no_trace_and_the_other_is_named(ran, tmp_path):
    folder = corpus(tmp_path / "audio")
    content = (folder / "ben.wav").read_bytes()
    (folder / "copy.wav").write_bytes(content + b"LIST\4\0\0\0more")  # uploaded twice: other bytes, equal samples
    (folder / "copy.txt").write_text("another says it in another way")
    out = tmp_path / "out"
    api.run(folder, out, settings=SETTINGS, workers=1)
    planned = pipeline.plan(Workspace.open(out), "copy.wav")
    assert [name.rpartition("-")[0] for name in planned.copies] == ["ben"]
    assert purge(out, "copy.wav").certificate.found == 0
    assert ids(out) == {"anna1", "anna2", "ben"}
