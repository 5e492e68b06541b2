# SPDX-License-Identifier: Apache-2.0
"""Examples: the corpus files mean something, fit the schema that is committed, and the script runs."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from speechmill.crawl.corpus import check as check_crawl
from speechmill.crawl.corpus import platforms_of
from speechmill.pipeline import spec
from speechmill.pipeline.plan import nodes

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "corpus.schema.json"
CORPORA = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_committed_schema_is_current():
    current = json.dumps(spec.json_schema(), indent=2) + "\n"
    assert SCHEMA.read_text(encoding="utf-8") == current, "run: speechmill init --schema > docs/corpus.schema.json"


def test_there_are_an_english_and_a_vietnamese_corpus():
    names = ["corpus.en.yaml", "corpus.podcast.en.yaml", "corpus.vi.yaml", "corpus.youtube.vi.yaml"]
    assert [path.name for path in CORPORA] == names


@pytest.mark.parametrize("path", CORPORA, ids=lambda path: path.name)
def test_a_corpus_file_is_understood_and_fits_the_schema(path):
    corpus = spec.load(path)
    assert [node.name for node in nodes(corpus)][:2] == ["normalise", "vad"]
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(
    ("name", "platforms"),
    [("corpus.podcast.en.yaml", ["internet_archive", "podcast"]), ("corpus.youtube.vi.yaml", ["youtube"])],
)
def test_a_corpus_of_platforms_can_be_crawled(name, platforms):
    corpus = spec.load(ROOT / "examples" / name)
    check_crawl(corpus)
    assert platforms_of(corpus) == platforms


def test_what_init_writes_fits_the_schema(tmp_path, speechmill):
    for language in ("en", "vi"):
        path = tmp_path / f"{language}.yaml"
        speechmill("init", path, "--language", language)
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), json.loads(SCHEMA.read_text()))


@pytest.mark.slow
def test_the_script_runs(tone_corpus, tmp_path):
    folder = tone_corpus({"short": "a short one", "longer": "a longer one"})
    command = [sys.executable, ROOT / "examples" / "api.py", folder, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.endswith(("kept", "2 <= duration"))]
    assert len(lines) == 2
    assert "'a longer one'" in done.stdout
