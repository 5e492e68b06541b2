# SPDX-License-Identifier: Apache-2.0
"""From a search to an exported, aligned dataset in one command, on the replica of YouTube."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from replica.handle import Replica
from speechmill.api import open as open_dataset
from speechmill.demo.espeak import Line, speak

pytestmark = pytest.mark.system

TALKS = (
    "our library opens every morning and closes late every evening because many students work there",
    "good collections always say where every single recording came from and who may share it",
    "she planted three apple trees behind her house and watered them until summer ended",
)
PAUSE_S = 0.5


def write_m4a(path, samples, sampling_rate):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=sampling_rate, layout="mono")
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = sampling_rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Spoken texts with the captions that people would write."""
    folder = tmp_path_factory.mktemp("media")
    for number, spoken in enumerate(speak([Line(text, "en-us", 140) for text in TALKS])):
        silence = np.zeros(round(PAUSE_S * spoken.sampling_rate), np.float32)
        samples = np.concatenate([silence, spoken.samples, silence])
        write_m4a(folder / f"talk{number}.m4a", samples, spoken.sampling_rate)
        end = PAUSE_S + len(spoken.pcm) / 2 / spoken.sampling_rate
        (folder / f"talk{number}.vtt").write_text(f"WEBVTT\n\n00:00.400 --> 00:{end:06.3f}\n{TALKS[number]}\n")
    return folder


@pytest.fixture(scope="module")
def finished(media, tmp_path_factory, speechmill):
    """A run of a corpus whose only source is a search, what the command said, and a copy that went on after a purge."""
    folder = tmp_path_factory.mktemp("corpus")
    with Replica.start(media=media, languages=("en",)) as replica:
        corpus = {
            "name": "talks",
            "language": "en",
            "sources": [{"youtube": {"search": "talks about libraries", "limit": 4}}],
            "transcript": [{"captions": "manual"}, "pocketsphinx"],
            "quality": ["snr"],
            "diarize": None,
            "filter": "none",
            "export": ["huggingface", "textgrid", "jsonl"],
            "store": "workspace",
            "crawl": {"egress": [{"name": "lab", "proxy": replica.proxy()}], "spacing_s": 0.0, "processes": 1},
        }
        (folder / "corpus.yaml").write_text(yaml.safe_dump(corpus))
        speechmill("run", folder / "corpus.yaml", env=replica.environment())
        asked = replica.statistics()
        again = speechmill("run", folder / "corpus.yaml", "--json", env=replica.environment())
        assert replica.statistics()["videos"] == asked["videos"], "a second run asks for nothing that it has"
        purged = shutil.copytree(folder, tmp_path_factory.mktemp("purged") / "corpus")
        one = rows(purged / "workspace", "recordings")[0]
        speechmill(
            "purge", purged / "workspace", one["uri"], "--yes", "--reason", "takedown", env=replica.environment()
        )
        speechmill("check", purged / "workspace", env=replica.environment())
        speechmill("run", purged / "corpus.yaml", env=replica.environment())
        video = one["uri"].rpartition("=")[2]
        assert replica.statistics()["videos"][video] == asked["videos"][video], "what was purged isn't asked for again"
    return folder / "workspace", json.loads(again.stdout), Purged(purged / "workspace", one)


class Purged(NamedTuple):
    """A workspace that was crawled and run again after a purge by address, and what was purged."""

    workspace: Path
    gone: dict[str, Any]


def rows(workspace, name):
    return pq.read_table(workspace / "dataset" / f"{name}.parquet").to_pylist(maps_as_pydicts="strict")


def test_every_recording_is_licensed_and_says_so(finished):
    recordings = rows(finished[0], "recordings")
    assert len(recordings) == 4
    assert {one["rights"]["state"] for one in recordings} == {"cc-by"}
    for one in recordings:
        assert one["origin"] == "youtube"
        assert one["uri"] == one["rights"]["url"]
        assert one["uri"].startswith("https://www.youtube.com/watch?v=")
        assert one["rights"]["title"] in one["rights"]["attribution"]
        assert one["rights"]["author"].startswith("Channel")
        assert one["rights"]["licence"] in ("CC BY 3.0", "CC BY 4.0")


def test_captions_are_the_text_where_people_wrote_them_and_a_recogniser_is_elsewhere(finished):
    recordings = rows(finished[0], "recordings")
    assert {one["transcript"] for one in recordings} == {"captions", "pocketsphinx"}
    captioned = {one["id"] for one in recordings if one["transcript"] == "captions"}
    texts = {one["text"] for one in rows(finished[0], "segments") if one["recording_id"] in captioned}
    assert texts
    assert texts <= set(TALKS)


def test_words_are_aligned_inside_their_segments(finished):
    segments = rows(finished[0], "segments")
    assert segments
    for segment in segments:
        assert len(segment["words"]) == len(segment["text"].split())
        end = segment["start"] + segment["duration"]
        assert all(segment["start"] - 0.001 <= word["start"] <= end for word in segment["words"])


def test_report_card_and_exports_carry_the_attribution(finished):
    workspace, _summary, _purged = finished
    kept = {one["recording_id"] for one in rows(workspace, "segments")}
    recordings = [one for one in rows(workspace, "recordings") if one["id"] in kept]
    report = (workspace / "report.html").read_text()
    card = (workspace / "exports" / "huggingface" / "README.md").read_text()
    table = (workspace / "exports" / "textgrid" / "ATTRIBUTION.tsv").read_text()
    shard = pq.read_table(next((workspace / "exports" / "huggingface" / "data").glob("*.parquet"))).to_pylist()
    for one in recordings:
        for page in (report, card, table):
            assert one["uri"] in page
            assert one["rights"]["author"] in page
            assert one["rights"]["licence"] in page
    assert {row["attribution"] for row in shard} == {one["rights"]["attribution"] for one in recordings}


def test_a_second_run_finds_all_work_done(finished):
    _workspace, summary, _purged = finished
    assert summary["stages"]["normalise"]["processed"] == 0
    assert summary["stages"]["normalise"]["cached"] == 4
    assert summary["stages"]["align"]["processed"] == 0


def test_a_takedown_reaches_every_export(finished, speechmill):
    workspace, _summary, _purged = finished
    gone = rows(workspace, "segments")[0]["recording_id"]
    audio = {one["id"]: workspace / one["audio"][0] for one in rows(workspace, "recordings")}
    assert all(path.exists() for path in audio.values())
    said = speechmill("crawl", "takedown", workspace.parent / "corpus.yaml", gone, "--note", "asked by the author")
    assert "is taken down; 1 objects deleted" in said.stdout or "is taken down; 2 objects deleted" in said.stdout
    speechmill("export", workspace, "textgrid", "huggingface")
    assert gone not in (workspace / "exports" / "textgrid" / "ATTRIBUTION.tsv").read_text()
    assert not (workspace / "exports" / "textgrid" / f"{gone}.TextGrid").exists()
    shard = pq.read_table(next((workspace / "exports" / "huggingface" / "data").glob("*.parquet"))).to_pylist()
    assert gone not in {row["recording_id"] for row in shard}
    assert {name for name, path in audio.items() if not path.exists()} == {gone}
    assert gone not in {segment.recording_id for segment in open_dataset(workspace).segments(kept=False)}
    dropped = [one for one in rows(workspace, "segments") if one["recording_id"] == gone]
    assert all("taken-down" in [drop["rule"] for drop in one["drops"]] for one in dropped)


def test_what_is_purged_by_its_address_is_gone_and_no_later_crawl_brings_it_back(finished):
    before, _summary, purged = finished
    gone = purged.gone
    left = {one["id"]: one for one in rows(before, "recordings")}
    there = {one["id"] for one in rows(purged.workspace, "recordings")}
    assert gone["id"] not in there
    assert there >= left.keys() - {gone["id"]}  # and the search's next in its place
