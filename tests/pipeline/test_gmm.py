# SPDX-License-Identifier: Apache-2.0
"""Real speech through the pipeline with an acoustic model of its own: a minute of Vietnamese with exact word times."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow
VOICES, A_VOICE = ("f1", "f2", "m1", "m3"), 6
ALL = ("--language", "vi", "--transcript", "sidecar", "--diarize", "none", "--vad", "energy", "--align", "gmm")
REST = ("--quality", "snr", "--filter", "none", "--export", "none", "--no-audio", "--json")


def fill(folder, data, voices):
    folder.mkdir()
    for voice in voices:
        for path in sorted((data / "espeak_vi" / voice).glob("*.lab"))[:A_VOICE]:
            shutil.copy(path, folder)
            shutil.copy(path.with_suffix(".flac"), folder)
    return folder


@pytest.fixture(scope="module")
def data(shared_data):
    pytest.importorskip("numba")
    return shared_data


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    return fill(tmp_path_factory.mktemp("gmm") / "audio", data, VOICES)


@pytest.fixture(scope="module")
def run(speechmill):
    def go(folder, out, *more):
        return json.loads(speechmill("run", folder, "--out", out, *ALL, *REST, *more, timeout=600).stdout)

    return go


@pytest.fixture(scope="module")
def whole(folder, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("gmm") / "whole"
    summary = run(folder, out, "--workers", "1")
    assert (summary["failures"], summary["warnings"]) == ([], [])
    return out


def rows(out):
    return pq.read_table(out / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")


def test_words_are_where_the_synthesiser_put_them(whole, data):
    gold = json.loads((data / "espeak_vi" / "gold_words.json").read_text())
    truth = {name.rpartition("/")[2]: words for name, words in gold.items()}
    errors = []
    for row in rows(whole):
        true = truth[row["recording_id"].rpartition("-")[0]]
        assert [word["symbol"] for word in row["words"]] == row["text"].split()
        errors += [word["start"] - start for word, (_, start, _) in zip(row["words"], true, strict=True)]
    assert len(errors) > 200
    assert np.median(np.abs(errors)) < 0.02
    assert np.mean(np.abs(errors) < 0.05) > 0.8


def test_segments_have_phones_and_a_score(whole):
    found = rows(whole)
    assert all(len(row["phones"]) > len(row["words"]) for row in found)
    assert all(0 < row["scores"]["alignment_score"] <= 1 for row in found)
    assert all("align" not in row["gaps"] for row in found)


def test_the_model_lies_beside_the_words_it_was_made_for(whole):
    (model,) = (path for path in (whole / "models").iterdir() if path.is_dir())
    names = sorted(path.name for path in model.iterdir())
    assert names == ["lexicon.dict", "lexicon.json", "made.json", "model.npz", "oov.tsv"]
    made = json.loads((model / "made.json").read_text())
    assert (made["utterances"], made["words"], made["oov"]) == (24, 216, 0)


def test_two_workers_make_the_model_and_the_rows_of_one(folder, whole, run, tmp_path):
    run(folder, tmp_path / "out", "--workers", "2")
    assert rows(tmp_path / "out") == rows(whole)
    models = [path.relative_to(whole) for path in whole.glob("models/*/*")]
    assert len(models) == 5
    for path in models:
        assert (tmp_path / "out" / path).read_bytes() == (whole / path).read_bytes(), path


def test_a_later_recording_is_aligned_alone_and_the_others_keep_their_rows(folder, data, whole, run, tmp_path):
    out, more = tmp_path / "out", shutil.copytree(folder, tmp_path / "audio")
    shutil.copytree(whole, out)
    for path in sorted((data / "espeak_vi" / "f4").glob("f4_*"))[:2]:
        shutil.copy(path, more)
    summary = run(more, out)
    assert summary["stages"]["align"]["processed"] == 1
    assert not any(name.startswith("train") for name in summary["stages"])
    found = {(row["recording_id"].rpartition("-")[0]): row for row in rows(out)}
    for row in rows(whole):
        again = found.pop(row["recording_id"].rpartition("-")[0])
        assert (again["words"], again["phones"], again["scores"]) == (row["words"], row["phones"], row["scores"])
    (new,) = found.values()
    assert [word["symbol"] for word in new["words"]] == new["text"].split()


def test_an_edited_lexicon_aligns_anew_with_the_model_there_is(folder, data, run, tmp_path):
    lexicon, out = tmp_path / "words.dict", tmp_path / "out"
    shutil.copy(data / "espeak_vi" / "vietnamese_hanoi_mfa.dict", lexicon)
    settings = ("--set", f"align.lexicon={lexicon}", "--set", "align.g2p=none")
    assert run(folder, out, *settings)["stages"]["train.align"]["processed"] == 1
    lexicon.write_text(lexicon.read_text() + "speechmill\ts p i\n")
    summary = run(folder, out, *settings)
    assert summary["stages"]["align"]["processed"] == 24
    assert "train.align" not in summary["stages"]
