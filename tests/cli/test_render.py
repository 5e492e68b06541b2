# SPDX-License-Identifier: Apache-2.0
"""`speechmill render`: what it writes, shows and refuses."""

from __future__ import annotations

import pytest


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.yaml"
    path.write_text("name: talks\nlanguage: en\nsources: [{local: {path: ./audio}}]\n")
    return path


def test_it_prints_the_files_it_has_written(speechmill, corpus, tmp_path):
    done = speechmill("render", "airflow", corpus, "--out", tmp_path / "dags", "--set", "orchestrate.retries=7")
    names = [f"talks_{name}" for name in ("dags.py", "pools.json", "pod_template.yaml")]
    assert done.stdout.split() == [str(tmp_path / "dags" / name) for name in names]
    assert "'orchestrate.retries': 7" in (tmp_path / "dags" / "talks_dags.py").read_text()


def test_what_an_orchestrator_can_do_is_shown_without_a_file_written(speechmill, corpus, tmp_path):
    shown = speechmill("render", "airflow", corpus, "--out", tmp_path / "dags", "--capabilities").stdout
    assert "backfill" in shown
    assert "airflow backfill create" in shown
    assert not (tmp_path / "dags").exists()


def test_an_unknown_orchestrator_is_answered_with_those_there_are(speechmill, corpus):
    done = speechmill("render", "airflo", corpus, expect=2)
    assert "did you mean 'airflow'?" in done.stderr


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("tasks=2000", "tasks: 2000 is more than 1000"),
        ("webhook=https://hooks.example.org/s3cret", "names a connection of the orchestrator, not an address"),
        ("schedules={label: often}", "'often' is no cron line"),
        ("start_date=yesterday", "'yesterday' is no date such as 2026-01-31"),
        ("deadline_h={label: 0}", "0 h is no time at all"),
    ],
)
def test_a_mistake_in_what_is_asked_is_named(speechmill, corpus, setting, reason):
    done = speechmill("render", "airflow", corpus, "--set", f"orchestrate.{setting}", expect=2)
    assert reason in " ".join(done.stderr.split())
