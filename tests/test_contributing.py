# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md's worked examples, taken from the page and run: a metric, also as a plug-in, and a platform."""

import importlib.util
import json
import re
import sys
import tomllib
import wave
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pyarrow.parquet as pq
import pytest

from speechmill.core.remote import Fetched, Ref
from speechmill.crawl.visit import answer_to
from speechmill.crawl.workers import Asked
from speechmill.sources import Connection

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
HZ = 16_000


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


METRIC, TEST, PLATFORM = blocks("python")
(PROJECT,) = blocks("toml")


@pytest.fixture
def plugin(tmp_path):
    """Install the metric by the page's own entry point, for the processes that get this environment."""
    project = tomllib.loads(PROJECT)["project"]
    ((group, points),) = project["entry-points"].items()
    ((name, module),) = points.items()
    site = tmp_path / "site"
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(METRIC)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
    return {"PYTHONPATH": str(site)}


def test_the_examples_own_test_passes(tmp_path, monkeypatch):
    path = tmp_path / "dc_offset.py"
    path.write_text(METRIC)
    spec = importlib.util.spec_from_file_location("speechmill.quality.dc_offset", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    names = {}
    exec(compile(TEST, "test_dc_offset.py", "exec"), names)
    tests = [function for name, function in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()


def test_the_metric_is_about_as_long_as_the_page_says():
    assert "in one file" in PAGE.read_text(encoding="utf-8")
    assert len([line for line in METRIC.splitlines() if line.strip()]) <= 30


def test_the_plug_in_is_listed(speechmill, plugin):
    rows = json.loads(speechmill("list", "quality", "--json", env=plugin).stdout)
    row = next(row for row in rows if row["backend"] == "dc_offset")
    assert (row["needs"], row["what"]) == ("", "DC offset: how far a segment's samples lie to one side of zero.")


def write_with_offset(path):
    """Two seconds, a quarter above zero."""
    samples = np.full(2 * HZ, 8192, "<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes(samples.tobytes())


SITE = "https://lectures.example.org/talks"
ANSWERS = {
    f"{SITE}?topic=history&page=1": {"talks": [{"id": 7, "length": 60}, {"id": "x"}], "next": 2},
    f"{SITE}?topic=history&page=2": {"talks": [{"id": 8}], "next": None},
    f"{SITE}/7": {"title": "Rome", "speaker": "Ann", "length": 60, "licence": "CC BY 4.0"},
    f"{SITE}/8": {"title": "Troy", "speaker": None, "length": 60, "licence": "CC BY-NC 4.0"},
    f"{SITE}/9": {"title": "Ur", "speaker": "Ann", "length": 60},
}


class StubClient:
    """Answers in place of the site."""

    def __init__(self, connection, hosts, *, robots):
        assert (hosts, robots) == (("lectures.example.org",), True)
        self.num_requests = 0
        self._folder = connection.folder

    def json(self, url, *, params=None):
        self.num_requests += 1
        return ANSWERS[url + (f"?{urlencode(params)}" if params else "")]

    def download(self, url, *, extension):
        self.num_requests += 1
        path = self._folder / f"part.{extension}"
        path.write_bytes(url.encode())
        return Fetched(path, extension, len(url), "0" * 64)

    def close(self):
        self.num_requests = None


@pytest.fixture
def platform(tmp_path, monkeypatch):
    """The platform's module, whose client is a stub."""
    path = tmp_path / "lectures.py"
    path.write_text(PLATFORM)
    spec = importlib.util.spec_from_file_location("speechmill.sources.lectures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "Client", StubClient)
    return module


def visit(platform, folder, verb, **asked):
    config = platform.Config(topic="history")
    connection = Connection(folder)
    backend = platform.Backend(config, connection)
    return answer_to(backend, Asked("lectures", config, connection, verb, **asked), lambda text: text)


def test_the_platform_has_every_attribute_that_the_page_names(platform):
    table = PAGE.read_text(encoding="utf-8").split("## Add a platform")[1]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named == {"REMOTE", "BUDGET", "HOSTS", "hosts", "kind", "visiting", "check", "SHORTHAND", "Backend"}
    assert [name for name in sorted(named - {"hosts", "visiting", "check"}) if not hasattr(platform, name)] == []


def test_the_platform_lists_its_talks_page_after_page(platform, tmp_path):
    first = visit(platform, tmp_path, "discover").page
    assert [(ref.id, ref.duration) for ref in first.refs] == [("7", 60.0)]
    assert first.cursor == "2"
    second = visit(platform, tmp_path, "discover", cursor="2").page
    assert [ref.id for ref in second.refs] == ["8"]
    assert second.cursor is None


def ref(number):
    return Ref("lectures", number, f"{SITE}/{number}")


def test_the_platform_is_fetched_where_its_licence_is_open(platform, tmp_path):
    answer = visit(platform, tmp_path, "visit", ref=ref("7"))
    assert (answer.error, answer.decision.verdict, answer.requests) == (None, "accept", 2)
    assert answer.fetched.path.read_text() == f"{SITE}/7.mp3"
    assert answer.description.rights.attribution.startswith(f'"Rome" by Ann, {SITE}/7, CC BY 4.0')


def test_the_platform_is_held_where_its_licence_is_not_open_and_asked_again_where_there_is_none(platform, tmp_path):
    held = visit(platform, tmp_path, "visit", ref=ref("8"))
    assert (held.decision.verdict, held.decision.reason, held.fetched) == ("hold", "licence-standard", None)
    assert held.description.missing == ("author",)
    failed = visit(platform, tmp_path, "visit", ref=ref("9"))
    assert (failed.error.kind, failed.error.reason) == ("incomplete", "licence-failed")


@pytest.mark.slow
def test_a_run_scores_with_the_plug_in_and_filters_by_it(speechmill, tone_corpus, tmp_path, plugin):
    folder = tone_corpus({"tone": "a tone"})
    write_with_offset(folder / "loud.wav")
    (folder / "loud.txt").write_text("it lies above zero")
    settings = ("--language", "en", "--transcript", "sidecar", "--diarize", "none", "--align", "none")
    settings += ("--quality", "dc_offset", "--set", "filter=[dc_offset <= 0.001]", "--export", "none")
    speechmill("run", folder, "--out", tmp_path / "out", *settings, env=plugin)
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    by_text = {row["text"]: row for row in rows}
    assert by_text["a tone"]["scores"] == {"dc_offset": pytest.approx(0.0, abs=1e-3)}
    assert by_text["a tone"]["drops"] == []
    loud = by_text["it lies above zero"]
    assert loud["scores"]["dc_offset"] == pytest.approx(0.25, abs=0.01)
    assert [(drop["rule"], drop["threshold"]) for drop in loud["drops"]] == [("dc_offset <= 0.001", 0.001)]
    # The metric says that lower is better, and so the sweep keeps more the higher the threshold is.
    points = json.loads(speechmill("filter", tmp_path / "out", "--sweep", "dc_offset", "--json", env=plugin).stdout)
    assert [points[0]["segments_kept"], points[-1]["segments_kept"]] == [1, 2]
