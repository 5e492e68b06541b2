# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md's worked example, taken from the page and run: its test, and as a third party's plug-in."""

import importlib.util
import json
import re
import sys
import tomllib
import wave
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
HZ = 16_000


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


METRIC, TEST = blocks("python")
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
