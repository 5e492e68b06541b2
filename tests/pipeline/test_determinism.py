# SPDX-License-Identifier: Apache-2.0
"""A recording's rows depend on its content and its settings: not on workers, order, company, name or moment."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.system

GIVEN = ("1688-142285-0003", "2414-128291-0000", "3005-163389-0002")  # with their text
HEARD = ("1998-15444-0008", "2609-156975-0000")  # without: PocketSphinx says what it hears
ALL = ("--language", "en", "--transcript", "sidecar,pocketsphinx", "--export", "none", "--no-audio")
TWO_SPEAKERS_S = 12.0
RECORDING_SCOPE = ("normalise", "vad", "transcribe", "diarize", "segment", "quality.snr", "quality.dnsmos", "align")


def fill(folder, data, names=None):
    """Put real utterances into a folder, under their own names or others, and a stretch of a conversation."""
    import soundfile

    folder.mkdir()
    names = names or {}
    texts = dict(
        line.split("\t") for line in (data / "librispeech_test_other/transcripts.tsv").read_text().splitlines()
    )
    for stem in GIVEN + HEARD:
        path = next(data.glob(f"librispeech_test_other/*/{stem}.flac"))
        name = names.get(stem, stem)
        shutil.copy(path, folder / f"{name}.flac")
        if stem in GIVEN:
            (folder / f"{name}.txt").write_text(texts[f"{path.parent.name}/{path.name}"])
    talk = data / "two_speakers" / "sample.flac"
    samples, rate = soundfile.read(talk, dtype="int16")
    soundfile.write(folder / f"{names.get('talk', 'talk')}.wav", samples[: int(TWO_SPEAKERS_S * rate)], rate)
    return folder


def rows(out, name="segments"):
    return pq.read_table(out / "dataset" / f"{name}.parquet").to_pylist(maps_as_pydicts="strict")


def without_names(out):
    """Return each recording's rows by the hash of its bytes, ids left out."""
    digests = {row["id"]: row["sha256"] for row in rows(out, "recordings") if row["alias_of"] is None}
    found = {sha256: [] for sha256 in digests.values()}
    for row in rows(out):
        name = row.pop("recording_id")
        row["id"] = row["id"].removeprefix(name)
        row["speaker"] = (row["speaker"] or "").removeprefix(name)
        found[digests[name]].append(row)
    return found


@pytest.fixture(scope="module")
def data(shared_data):
    pytest.importorskip("pocketsphinx")
    return shared_data


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    return fill(tmp_path_factory.mktemp("determinism") / "audio", data)


@pytest.fixture(scope="module")
def run(speechmill):
    def go(folder, out, *more, quality="snr,dnsmos"):
        arguments = ("run", folder, "--out", out, *ALL, "--quality", quality, "--json", *more)
        summary = json.loads(speechmill(*arguments, timeout=600).stdout)
        assert summary["failures"] == []
        return {name: (count["processed"], count["cached"]) for name, count in summary["stages"].items()}

    return go


@pytest.fixture(scope="module")
def whole(folder, run, tmp_path_factory):
    """Everything at once, by one worker."""
    out = tmp_path_factory.mktemp("determinism") / "whole"
    counts = run(folder, out, "--workers", "1")
    assert counts["align"] == (6, 0)
    return out


def test_what_is_compared_is_worth_comparing(whole):
    found = rows(whole)
    assert len({row["recording_id"] for row in found}) == 6
    assert sum(bool(row["words"]) for row in found) >= 5
    assert all(row["scores"]["dnsmos_ovrl"] is not None for row in found if row["duration"] > 0.5)


def test_three_workers_make_the_rows_of_one(folder, whole, run, tmp_path):
    run(folder, tmp_path / "out", "--workers", "3")
    assert rows(tmp_path / "out") == rows(whole)
    assert rows(tmp_path / "out", "recordings") == rows(whole, "recordings")


def test_stages_added_later_make_the_rows_of_all_at_once(folder, whole, run, tmp_path):
    """The first run has the decoded audio in memory; the ones after it read the FLAC."""
    out = tmp_path / "out"
    run(folder, out, "--workers", "1", "--align", "none", quality="snr")
    again = run(folder, out, "--workers", "1", "--align", "none")
    assert again["normalise"] == (0, 6)
    assert again["quality.dnsmos"] == (6, 0)
    run(folder, out, "--workers", "1")
    assert rows(out) == rows(whole)


def test_each_stage_from_the_flac_makes_the_rows_of_all_at_once(folder, whole, run, speechmill, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for stage in ("vad", "transcribe", "diarize", "segment", "quality.snr", "quality.dnsmos", "align"):
        shutil.rmtree(next((out / "stages").glob(f"{stage}-*")))
        shutil.rmtree(out / "tables")
        counts = run(folder, out, "--workers", "1")
        assert [name for name in RECORDING_SCOPE if counts[name][0]] == [stage]
        assert rows(out) == rows(whole), stage


def test_some_first_and_then_all_make_the_rows_of_all_at_once(folder, whole, run, tmp_path):
    run(folder, tmp_path / "out", "--limit", "2")
    counts = run(folder, tmp_path / "out")
    assert counts["align"] == (4, 2)
    assert rows(tmp_path / "out") == rows(whole)
    assert rows(tmp_path / "out", "recordings") == rows(whole, "recordings")


def test_order_and_company_change_no_recordings_rows(data, whole, run, tmp_path, make_tone):
    backwards = {stem: f"{9 - i}-{stem[:4]}" for i, stem in enumerate((*GIVEN, *HEARD, "talk"))}
    folder = fill(tmp_path / "audio", data, backwards)
    make_tone(folder / "5-company.wav", 3.0)
    (folder / "5-company.txt").write_text("nothing to do with the others")
    run(folder, tmp_path / "out", "--workers", "1")
    expected, found = without_names(whole), without_names(tmp_path / "out")
    assert len(found) == len(expected) + 1
    assert {sha256: found[sha256] for sha256 in expected} == expected


def test_a_renamed_file_costs_no_stage_work_and_keeps_its_rows(data, whole, run, tmp_path):
    folder, out = fill(tmp_path / "audio", data), tmp_path / "out"
    shutil.copytree(whole, out)
    for suffix in (".flac", ".txt"):
        (folder / f"{GIVEN[0]}{suffix}").rename(folder / f"zz renamed{suffix}")
    (folder / "talk.wav").rename(folder / "first talk.wav")
    counts = run(folder, out)
    assert {name: counts[name] for name in RECORDING_SCOPE} == dict.fromkeys(RECORDING_SCOPE, (0, 6))
    assert without_names(out) == without_names(whole)
    assert {row["recording_id"].rpartition("-")[0] for row in rows(out)} >= {"zz_renamed", "first_talk"}
