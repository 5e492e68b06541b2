# SPDX-License-Identifier: Apache-2.0
"""`speechmill purge` as people call it: a dry run alters nothing, and nothing goes without a yes."""

import json

import pytest
from tests.conftest import write_tone

from speechmill import api

pytestmark = pytest.mark.slow
SETTINGS = {"language": "en", "transcript": ["sidecar"], "diarize": "none", "align": None, "quality": ["pii"]}


def listing(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name not in LOCKS}


LOCKS = ("lock", "joined")


def test_a_dry_run_says_what_would_go_and_the_certificate_what_went(tmp_path, speechmill):
    folder, out = tmp_path / "audio", tmp_path / "out"
    folder.mkdir()
    for name, text in (("a", "call me at 0912345678 please"), ("b", "nothing of that kind here")):
        write_tone(folder / f"{name}.wav", 2.0 + len(text) / 100)
        (folder / f"{name}.txt").write_text(text)
    api.run(folder, out, settings=SETTINGS | {"filter": {"rules": ["pii == 0"]}, "export": []}, workers=1)
    before = listing(out)
    planned = json.loads(speechmill("purge", out, "a.wav", "--dry-run", "--json").stdout)
    assert [one.rpartition("-")[0] for one in planned["recordings"]] == ["a"]
    assert planned["others"] == 1
    assert planned["copies"] == []
    assert "is yours" in speechmill("purge", out, "a.wav", "--dry-run").stdout
    assert speechmill("purge", out, "a.wav", expect=None).returncode != 0  # nobody said yes
    assert listing(out) == before
    done = json.loads(speechmill("purge", out, "a.wav", "--yes", "--json", "--by", "me").stdout)
    assert done["certificate"]["found"] == 0
    assert done["certificate"]["who"] == "me"
    assert "21 checks passed" in speechmill("check", out).stdout
    assert "is no recording" in speechmill("purge", out, "a.wav", "--yes", expect=2).stderr
