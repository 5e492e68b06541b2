# SPDX-License-Identifier: Apache-2.0
"""Who hears of a failed or a late run, and what: over real sockets, from Airflow's own notifiers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow  # Airflow takes seconds to start


@pytest.fixture(scope="module")
def told(in_airflow):
    return in_airflow("tell.py")


def test_a_failed_run_is_posted_to_the_webhook_with_the_connections_own_secret(told):
    body = {
        "event": "failed",
        "dag": "talks_label",
        "dag_run": "manual__1",
        "task": "segment",
        "reason": "task_failure",
        "text": "talks_label failed: task_failure (task segment of DAG run manual__1)",
    }
    assert told["posted"][0] == {"path": "/hook", "token": "s", "body": body}


def test_a_late_run_is_posted_with_its_deadline(told):
    body = told["posted"][1]["body"]
    assert (body["event"], body["dag_run"], body["deadline"]) == ("late", "manual__2", "2026-11-21T00:00:00Z")


def test_both_are_mailed(told):
    assert "Subject: talks_label failed: task_failure (task segment of DAG run manual__1)" in told["mailed"][0]
    assert "To: speech@example.org" in told["mailed"][0]
    assert "is not done by the deadline of 2026-11-21" in told["mailed"][1]


def test_a_webhook_that_does_not_answer_keeps_nobody_else_from_hearing(told):
    assert len(told["posted"]) == 2
    assert len(told["mailed"]) == 3
    assert "talks_align failed" in told["mailed"][2]
    assert "not everybody could be told" in told["error"]
