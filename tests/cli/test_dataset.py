# SPDX-License-Identifier: Apache-2.0
"""`speechmill dataset`: what a person sees, and what a program reads."""

import json

import pytest
from click.testing import CliRunner

from speechmill import api
from speechmill.cli.main import cli

pytestmark = pytest.mark.slow
SETTINGS = {
    "language": "en",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr"],
    "filter": "none",
    "export": [],
}


@pytest.fixture(scope="module")
def out(tmp_path_factory, make_tone):
    root = tmp_path_factory.mktemp("versions")
    folder = root / "audio"
    folder.mkdir()
    for name, text in {"a": "one", "b": "three"}.items():
        make_tone(folder / f"{name}.wav", 2.0)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    api.run(folder, root / "out", settings=SETTINGS, workers=1)
    (folder / "b.txt").write_text("three or four", encoding="utf-8")
    api.run(folder, root / "out", settings=SETTINGS, workers=1)
    api.filter(root / "out", ["num_chars >= 4"])
    return root / "out"


def said(*arguments, status=0):
    done = CliRunner().invoke(cli, ["dataset", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


def test_the_log_has_the_newest_first_and_what_changed(out):
    lines = said("log", out).splitlines()
    assert [line.split()[0] for line in lines] == ["Version", "3", "2", "1"]
    assert lines[1].rstrip().endswith("rules: new num_chars >= 4")
    assert lines[2].rstrip().endswith("other text or metadata: 1")
    assert lines[3].rstrip().endswith("first")
    assert [one["changed"] for one in json.loads(said("log", out, "--json"))][-1] == ["rules: new num_chars >= 4"]


def test_a_difference_is_told_by_cause(out):
    shown = said("diff", out, "latest~1", "latest", "--segments", "5")
    assert "version 2 -> 3" in shown
    assert "rules: new num_chars >= 4" in shown
    assert "removed  a-" in shown
    found = json.loads(said("diff", out, "1", "2", "--json"))
    assert [effect["causes"][0]["kind"] for effect in found["effects"]] == ["other text or metadata"]
    assert "every segment is as it was" in said("diff", out, "3", "3")


def test_a_version_is_shown(out):
    shown = said("show", out, "2")
    assert "sha256" in shown
    assert "silero" in shown
    assert json.loads(said("show", out, "--json"))["number"] == 3
