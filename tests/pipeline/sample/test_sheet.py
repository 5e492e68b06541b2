# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from pathlib import Path

import pytest
import soundfile
from tests.pipeline.sample.browser import PROGRAM, Browser
from tests.pipeline.sample.conftest import EVIL

from speechmill.pipeline.sample import conclude, draw, write_sheet
from speechmill.store.corrections import log
from speechmill.store.workspace import Workspace


def test_every_segment_has_a_clip_that_is_its_audio(workspace: Workspace, tmp_path: Path) -> None:
    sample = draw(workspace, 100, "score", 0)
    write_sheet(workspace, sample, tmp_path / "sheet")
    sheet = json.loads((tmp_path / "sheet" / "sample.json").read_text())
    assert len(sheet["segments"]) == 16
    whole, _ = soundfile.read(workspace.root / "recordings/1.flac", dtype="int16")
    one = next(one for one in sheet["segments"] if one["id"] == "talk-1-0-0002000-0002900")
    clip, rate = soundfile.read(tmp_path / "sheet" / one["clip"], dtype="int16")
    assert rate == 24_000
    assert clip.tolist() == whole[48_000:69_600].tolist()
    assert (one["text"], one["speaker"], one["weight"]) == ("text 1 2", "talk-1#0", 1.0)


def test_the_page_asks_for_nothing_but_its_clips_and_holds_texts_as_text(workspace: Workspace, tmp_path: Path) -> None:
    page = write_sheet(workspace, draw(workspace, 100, "score", 0), tmp_path / "sheet").read_text(encoding="utf-8")
    assert "document.title='evil'</script>" not in page
    assert not re.findall(r"https?://", page)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
        "media-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_same_sample_makes_the_same_page(workspace: Workspace, tmp_path: Path) -> None:
    pages = [write_sheet(workspace, draw(workspace, 9, "score", 0), tmp_path / name).read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_lost_audio_is_said_and_the_rest_can_be_judged(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / "recordings/2.flac").unlink()
    write_sheet(workspace, draw(workspace, 100, "score", 0), tmp_path / "sheet")
    sheet = json.loads((tmp_path / "sheet" / "sample.json").read_text())
    lost = [one for one in sheet["segments"] if not one["clip"]]
    assert {one["recording"] for one in lost} == {"talk-2"}
    assert all("recordings/2.flac" in one["missing"] for one in lost)


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="no Chromium is installed")
def test_a_person_judges_edits_and_saves_by_the_keyboard(workspace: Workspace, tmp_path: Path) -> None:
    sample = draw(workspace, 100, "score", 0)
    page = write_sheet(workspace, sample, tmp_path / "sheet")
    items = json.loads((tmp_path / "sheet" / "sample.json").read_text())["segments"]
    text, speaker = "document.getElementById('text').value", "document.getElementById('speaker').value"
    with Browser(tmp_path / "profile", tmp_path) as browser:
        browser.open(page)
        assert browser.value(text) == items[0]["text"]
        browser.until("document.getElementById('audio').duration > 0.85")
        browser.press(" ")
        browser.until("document.getElementById('audio').currentTime > 0")
        browser.press("1")  # good, and on to the next
        assert browser.value(text) == items[1]["text"]
        browser.press("2")
        browser.press("5")
        browser.press("e")
        browser.send("Input.insertText", text=' 1 "so", he')
        edited = browser.value(text)
        assert '1 "so", he' in edited
        browser.press("Escape")
        browser.press("ArrowRight")
        browser.press("4")
        browser.press("s")
        browser.value("document.getElementById('speaker').select()")
        browser.send("Input.insertText", text="Minh")
        assert browser.value(speaker) == "Minh"
        browser.press("Escape")
        browser.press("ArrowLeft")
        browser.open(page)  # what was done is kept
        assert browser.value(text) == edited
        assert browser.value("document.getElementById('count').textContent") == "3 of 16 judged"
        place = next(number for number, one in enumerate(items) if one["text"] == EVIL)
        for _ in range(16):
            browser.press("ArrowLeft")
        for _ in range(place):
            browser.press("ArrowRight")
        assert browser.value("document.title").startswith("Review of sample")
        assert browser.value("document.images.length") == 0
        browser.value("document.getElementById('save').click()")
        end = time.monotonic() + 60
        while not (saved := tmp_path / "verdicts.csv").exists() and time.monotonic() < end:
            time.sleep(0.05)
        events = browser.said
    assert [event for event in events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {
        "file",
        "blob",
        "data",
    }  # data: the pictures of the player itself
    found = conclude(workspace, saved, who="Lan")
    assert (found.judged, found.corrections) == (3, 2)
    assert {entry.correction.text for entry in log(workspace.corrections)} == {edited, None}
    assert {entry.correction.speaker for entry in log(workspace.corrections)} == {"Minh", None}
