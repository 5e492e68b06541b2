# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from speechmill.core.errors import WorkspaceError
from speechmill.core.types import Drop, Recording, Rights, Segment, Word
from speechmill.formats.flac import encode_flac
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.pipeline.events import Event, FailedItem, Summary, write_summary
from speechmill.pipeline.report import write_report
from speechmill.pipeline.report.facts import Facts, Group, gather
from speechmill.pipeline.report.markup import json_text, tag
from speechmill.pipeline.report.recordings import Recordings
from speechmill.pipeline.report.samples import choose
from speechmill.pipeline.segment_columns import SegmentColumns

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>&\"'"
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements, links and visible text of a page; complains about tags that don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "poster")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)
        else:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def segment(number: int, recording: str = "rec-a", duration: float = 3.0, **more) -> Segment:
    start = 4.0 * number
    return Segment(f"{recording}-0-{number:07d}", recording, start, duration, **{"text": f"text {number}", **more})


class Extra(Recording, frozen=True):
    """A row as a run writes it."""

    speech_s: float | None = None
    alias_of: str | None = None
    truncated: bool = False
    failed_stage: str | None = None
    reason: str | None = None
    detail: str | None = None


def recording(name: str, duration: float = 60.0, **more) -> Extra:
    return Extra(name, f"/corpus/{name}.mp3", "sha", duration, 44100, 1, (f"recordings/{name}.flac",), **more)


def workspace(root: Path, segments: list[Segment], recordings: list[Extra], run: Summary | None = None) -> Path:
    names = sorted({name for one in segments for name in one.scores})
    schema = segment_schema(names or ("snr_db",))
    write_parquet(root / "dataset" / "segments.parquet", table_of(segments, schema))
    write_rows(root / "dataset" / "recordings.parquet", recordings, Extra)
    if run is not None:
        folder = root / "runs" / run.run
        folder.mkdir(parents=True)
        write_summary(folder, run)
    return root


def facts(root: Path) -> Facts:
    table = root / "dataset" / "segments.parquet"
    return gather(root, SegmentColumns(table), Recordings(root / "dataset" / "recordings.parquet"))


def page(root: Path, **options) -> Page:
    return Page(write_report(root, **options).read_text(encoding="utf-8"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    words = (Word("xin", 4.1, 0.4, 0.9), Word("chào", 4.6, 0.5, 0.3))
    segments = [
        segment(0, scores={"snr_db": 30.0, "dnsmos_ovrl": 3.5}, speaker="Lan"),
        segment(1, scores={"snr_db": 8.0, "dnsmos_ovrl": 3.5}, drops=(Drop("snr_db >= 10", 8.0, 10.0),), words=words),
        segment(
            2,
            duration=6.0,
            scores={"snr_db": None, "dnsmos_ovrl": 2.0},
            gaps={"snr": "no-pause"},
            drops=(Drop("snr_db >= 10", None, 10.0), Drop("dnsmos_ovrl >= 3", 2.0, 3.0)),
        ),
        segment(0, "rec-b", scores={"snr_db": 20.0, "dnsmos_ovrl": 3.1}, language="vi"),
    ]
    recordings = [
        recording("rec-a", speech_s=20.0, language="en", rights=Rights("CC-BY-4.0", "cc-by")),
        recording("rec-b", speech_s=4.0, origin="youtube", truncated=True),
        Extra("rec-c", "/corpus/c.mp3", "sha", 0.0, 0, 0, (), alias_of="rec-a"),
    ]
    failures = [FailedItem("rec-d", "/corpus/d.mp3", "normalise", "no-audio-stream", "not a container", True)]
    run = Summary(run="r1", started=0.0, finished=90.0, recordings=4, failures=failures)
    root = workspace(tmp_path / "small", segments, recordings, run)
    events = [
        Event(1.0, "vad", "rec-a", wall_s=0.2, cpu_s=0.1, audio_s=60.0),
        Event(2.0, "vad", "rec-b", wall_s=0.2, cpu_s=0.1, audio_s=60.0),
        Event(3.0, "normalise", "rec-d", failed="no-audio-stream"),
    ]
    lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    (root / "runs" / "r1" / "events-1.jsonl").write_bytes(lines)
    return root


def test_hours_of_the_funnel(small):
    found = facts(small)
    assert (found.recordings, found.decoded) == (4, 2)
    assert found.hours == pytest.approx(120 / 3600)
    assert found.speech_hours == pytest.approx(24 / 3600)
    assert found.funnel.segments_hours == pytest.approx(15 / 3600)
    assert found.funnel.kept_hours == pytest.approx(6 / 3600)
    assert [(loss.rule, loss.segments, loss.only_segments) for loss in found.funnel.losses] == [
        ("snr_db >= 10", 2, 1),
        ("dnsmos_ovrl >= 3", 1, 0),
    ]


def test_a_rule_that_dropped_nothing_is_shown_as_well(small):
    rules = ["snr_db >= 10", "dnsmos_ovrl >= 3", "duration <= 30"]
    index = {"run": "r1", "table": "t", "decisions": "d", "rules": rules, "filter": rules}
    (small / "dataset" / "index.json").write_bytes(msgspec.json.encode(index))
    assert facts(small).rules == tuple(rules)
    assert "duration <= 30 0 h 0 0 h 0" in page(small, audio=False).words


def test_what_is_no_rule_is_shown_in_words_and_hours_by_split(tmp_path):
    segments = [
        segment(0, scores={"snr_db": 30.0}, split="train"),
        segment(1, scores={"snr_db": 20.0}, split="test"),
        segment(2, scores={"snr_db": 10.0}, drops=(Drop("leak-text", 0.9, 0.8),)),
        segment(3, scores={"snr_db": 10.0}, drops=(Drop("between-splits"), Drop("duplicate-audio", 0.7, 0.6))),
    ]
    root = workspace(tmp_path, segments, [recording("rec-a")])
    shown = facts(root)
    assert {group.label: group.segments for group in shown.groups["split"]} == {"train": 1, "test": 1, "none": 2}
    words = page(root).words
    assert "leak-text : says nearly what a segment of dev or test says" in words
    assert "between-splits : its recording has speakers, a channel or sound of two splits" in words
    assert "By split, 3" in words


def test_of_one_split_there_is_no_table(tmp_path):
    segments = [segment(0, scores={"snr_db": 30.0}, split="train"), segment(1, drops=(Drop("snr_db >= 1"),))]
    assert "split" not in facts(workspace(tmp_path, segments, [recording("rec-a")])).groups


def test_hours_by_speaker_language_source_and_licence(small):
    groups = facts(small).groups
    assert [(group.label, group.segments) for group in groups["speaker"]] == [("unknown", 3), ("Lan", 1)]
    assert [(group.label, group.segments) for group in groups["language"]] == [("en", 3), ("vi", 1)]
    assert groups["source"][1] == Group("youtube", 3 / 3600, 3 / 3600, 1)
    assert [(group.label, group.segments) for group in groups["licence"]] == [("CC-BY-4.0", 3), ("unstated", 1)]
    assert groups["language"][0].kept_hours == pytest.approx(3 / 3600)


def test_a_curve_lets_a_segment_back_in_unless_another_rule_drops_it(small):
    snr = next(found for found in facts(small).distributions if found.name == "snr_db")
    assert snr.missing == 1
    kept = {point.threshold: point.segments_kept for point in snr.curve}
    assert kept[8.0] == 3  # the third segment is dropped by its DNSMOS too
    assert kept[20.0] == 2
    assert kept[30.0] == 1


def test_histogram_hours_add_up(small):
    for found in facts(small).distributions:
        total = sum(found.histogram.kept) + sum(found.histogram.dropped)
        assert total == pytest.approx((15 - 6 * (found.name == "snr_db")) / 3600)


def test_gaps_speeds_aliases_warnings_and_failures(small):
    found = facts(small)
    assert [(gap.name, gap.reason, gap.segments) for gap in found.gaps] == [("snr", "no-pause", 1)]
    vad = found.speeds[0]
    assert (vad.stage, vad.results, vad.audio_s / vad.cpu_s) == ("vad", 2, pytest.approx(600))
    assert found.speeds[1].failed == 1
    assert found.aliases == (("rec-c", "rec-a", "/corpus/c.mp3"),)
    assert found.warnings == (("rec-b", "shorter than its container promises"),)
    assert [item.reason for item in found.failures] == ["no-audio-stream"]
    shown = page(small, audio=False).words
    for expected in ("no-audio-stream", "not a container", "600x", "CC-BY-4.0", "no-pause", "snr_db >= 10: missing"):
        assert expected in shown


def test_the_numbers_of_dropped_and_kept_samples_add_up(small):
    table = SegmentColumns(small / "dataset" / "segments.parquet")
    assert choose(table, 24) == ([0, 3], [1, 2])
    assert choose(table, 2) == ([3], [2])
    assert choose(table, 0) == ([], [])


def test_samples_are_spread_over_the_dataset_and_over_the_rules(tmp_path):
    rules = ["a >= 1"] * 8 + ["b >= 1"] * 2
    segments = [segment(n) for n in range(10)] + [segment(10 + n, drops=(Drop(rule),)) for n, rule in enumerate(rules)]
    root = workspace(tmp_path, segments, [recording("rec-a")])
    kept, dropped = choose(SegmentColumns(root / "dataset" / "segments.parquet"), 8)
    assert kept == [1, 3, 6, 8]
    assert len(dropped) == 4
    assert {18, 19} < set(dropped)


def test_few_of_one_kind_leave_room_for_the_other(tmp_path):
    root = workspace(tmp_path, [segment(n) for n in range(20)], [recording("rec-a")])
    kept, dropped = choose(SegmentColumns(root / "dataset" / "segments.parquet"), 8)
    assert (len(kept), dropped) == (8, [])


def test_everything_that_a_corpus_says_stays_text(tmp_path):
    drops = (Drop("snr_db >= 10", 1.0, 10.0),)
    words = (Word(EVIL, 0.0, 1.0, 0.5),)
    segments = [
        segment(0, text=EVIL, speaker=EVIL, language=EVIL, words=words, scores={"snr_db": 20.0}),
        segment(1, text=EVIL, words=words, drops=drops, scores={"snr_db": 1.0}, gaps={EVIL: EVIL}),
        segment(2, scores={"snr_db": 12.0}),
    ]
    evil = recording("rec-a", rights=Rights(EVIL), origin=EVIL, speaker=EVIL)
    evil = msgspec.structs.replace(evil, uri=EVIL)
    run = Summary(run=EVIL.replace("/", ""), started=0.0, failures=[FailedItem(EVIL, EVIL, EVIL, EVIL, EVIL)])
    found = page(workspace(tmp_path / "a<b>&c", segments, [evil], run), audio=False)
    assert found.count["script"] == 2
    assert "img" not in found.count
    assert found.handlers == []
    assert found.words.count(EVIL) >= 10
    assert "a<b>&c" in found.words


def test_json_inside_the_page_cannot_end_its_element():
    text = json_text({"name": EVIL})
    assert not set("<>&") & set(text)
    assert msgspec.json.decode(text.encode()) == {"name": EVIL}
    assert Page(f"<script>{text}</script>").count == {"script": 1}


def test_a_string_is_escaped_and_markup_is_not():
    assert (
        tag("p", "<b>", tag("b", "&"), None, title='"<', hidden=None)
        == '<p title="&quot;&lt;">&lt;b&gt;<b>&amp;</b></p>'
    )


def test_the_page_asks_for_nothing_from_outside(small):
    text = write_report(small, audio=False).read_text(encoding="utf-8")
    found = Page(text)
    assert [link for link in found.links if not link.startswith(("#", "data:"))] == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(found.raw["script"][-1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in policy.group(1)


def test_a_sample_has_audio_waveform_and_words(small):
    seconds = np.arange(60 * 24_000) / 24_000
    tone = (0.5 * np.sin(2 * np.pi * 200 * seconds)).astype(np.float32)
    (small / "recordings").mkdir()
    (small / "recordings" / "rec-a.flac").write_bytes(encode_flac(tone, 24_000))
    text = write_report(small).read_text(encoding="utf-8")
    clips = re.findall(r'src="data:audio/flac;base64,([^"]+)"', text)
    assert len(clips) == 3
    assert base64.b64decode(clips[0]).startswith(b"fLaC")
    assert text.count('class="waveform"') == 3
    assert 'data-start="0.100" data-end="0.500"' in text
    assert "no audio: " in text  # rec-b's file is not there, and the card says so
    assert "rec-b.flac" in Page(text).words


def test_without_audio_there_is_none(small):
    found = page(small, audio=False)
    assert "audio" not in found.count
    assert "button" not in found.count
    assert "chào" in found.words


def test_the_audio_stays_within_its_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("speechmill.pipeline.report.samples.AUDIO_BUDGET", 200_000)
    noise = np.random.default_rng(1).normal(0, 0.1, 30 * 24_000).astype(np.float32)
    root = workspace(tmp_path, [segment(n, duration=3.9) for n in range(7)], [recording("rec-a", 30.0)])
    (root / "recordings").mkdir()
    (root / "recordings" / "rec-a.flac").write_bytes(encode_flac(noise, 24_000))
    text = write_report(root, samples=4).read_text(encoding="utf-8")
    clips = re.findall(r'src="(data:audio[^"]+)"', text)
    assert len(clips) == 4
    assert 120_000 < sum(map(len, clips)) <= 200_000
    assert re.search(r"The first [01]\.\d s of 3\.9 s\.", Page(text).words)


def test_a_run_in_which_nothing_was_decoded(tmp_path):
    failed = Extra("x", "/corpus/x.mp3", "", 0.0, 0, 0, (), failed_stage="normalise", reason="no-audio-stream")
    run = Summary(run="r", started=0.0, finished=1.0, recordings=1)
    shown = page(workspace(tmp_path, [], [failed], run)).words
    assert "Nothing was decoded" in shown
    assert "no-audio-stream" in shown
    assert "0 of 1 recording decoded" in shown


def test_a_run_without_a_dataset_still_shows_its_failures(tmp_path):
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    write_summary(
        folder, Summary(run="r", started=0.0, recordings=1, failures=[FailedItem("x", "u", "vad", "timeout")])
    )
    assert "timeout" in page(tmp_path).words


def test_a_folder_without_any_run_is_refused(tmp_path):
    with pytest.raises(WorkspaceError, match="holds no run to report on"):
        write_report(tmp_path)


def test_nothing_kept(tmp_path):
    segments = [segment(n, scores={"snr_db": 1.0}, drops=(Drop("snr_db >= 10", 1.0, 10.0),)) for n in range(3)]
    shown = page(workspace(tmp_path, segments, [recording("rec-a")]), audio=False).words
    assert "0 of 3 segments" in shown
    assert "Dropped segments" in shown
    assert "Kept segments" not in shown


def test_a_score_that_nobody_has(tmp_path):
    segments = [segment(n, scores={"snr_db": None}) for n in range(3)]
    shown = page(workspace(tmp_path, segments, [recording("rec-a")]), audio=False).words
    assert "No segment has a value of snr_db." in shown


def test_a_dataset_without_scores_or_words(tmp_path):
    schema = segment_schema(("snr_db",))
    table = table_of([segment(0)], schema).drop_columns(["scores"])
    write_parquet(tmp_path / "dataset" / "segments.parquet", table)
    assert "1 of 1 segment" in page(tmp_path).words


def test_the_same_dataset_gives_the_same_page(small):
    first = write_report(small).read_bytes()
    assert write_report(small).read_bytes() == first


def test_segments_in_many_row_groups_are_all_counted(tmp_path):
    root = workspace(tmp_path, [segment(n, gaps={"snr": "x"} if n % 2 else {}) for n in range(9)], [recording("rec-a")])
    path = root / "dataset" / "segments.parquet"
    pq.write_table(pq.read_table(path), path, row_group_size=2)
    found = facts(root)
    assert [(gap.segments, gap.hours) for gap in found.gaps] == [(4, pytest.approx(12 / 3600))]
    assert SegmentColumns(path).rows([0, 3, 8])[1]["id"] == "rec-a-0-0000003"
