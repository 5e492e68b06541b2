# SPDX-License-Identifier: Apache-2.0
"""Tasks as Airflow does them, with a program in speechmill's place that notes how it is called."""

from __future__ import annotations

import pytest
from tests.orchestrators.airflow.operate import SETTINGS

from speechmill.cli.output import parse_settings

pytestmark = pytest.mark.slow  # Airflow takes seconds to start


@pytest.fixture(scope="module")
def done(in_airflow, tmp_path_factory):
    return in_airflow("operate.py", tmp_path_factory.mktemp("operate"), AIRFLOW__CORE__UNIT_TEST_MODE="True")


def test_a_plan_of_five_thousand_shards_is_a_thousand_tasks(done):
    assert done["shares"] == 1000


def test_xcom_holds_places_and_counts(done):
    assert done["xcom"]["runs"] == ["/w/runs/9"]
    planned = {"run": "/w/runs/9", "shards": 5000, "facts": {"untranscribed": 0}, "since": None, "until": None}
    planned["limit"] = 4
    assert done["xcom"]["planned"] == planned


def test_settings_are_read_as_they_were_written_whatever_is_in_them(done):
    assert parse_settings(done["standing"]) == SETTINGS


def test_variables_stand_in_for_the_program_and_the_corpus_file(done):
    plan = ["plan", "/elsewhere/corpus.yaml", "--tasks", "1000", "--json", "--set", "align=none", "--limit", "4"]
    assert done["calls"][0] == plan


def test_runs_that_events_tell_of_are_all_gone_on_with_oldest_first(done):
    plans = [call for call in done["calls"] if call[0] == "plan" and "--run" in call]
    assert [call[-1] for call in plans] == ["/w/runs/1", "/w/runs/2"]
    assert done["resumed"] == 2 * 500


def test_the_last_task_concludes_each_run_and_gives_the_dataset_once(done):
    conclusions = [call for call in done["calls"] if call[0] == "conclude" and call[-1] == "5"]
    assert [call[1:] for call in conclusions] == [["--run", f"/w/runs/{n}", "--max-failed", "5"] for n in (1, 2)]
    assert done["given"] == {"recordings": 3, "dag_run": "manual__1"}


def test_the_report_is_below_the_address_that_a_variable_names(done):
    assert done["report"] == "https://reports.example.org/talks/report.html"


def test_too_much_failed_is_not_tried_again_and_anything_else_is(done):
    assert done["status 1"].startswith("AirflowFailException: ")
    assert done["status 2"].startswith("CommandFailed: ")


def test_a_run_in_which_too_much_failed_keeps_no_other_from_being_concluded(done):
    assert done["concluded"].startswith("AirflowFailException: ")
    conclusions = [call for call in done["calls"] if call[0] == "conclude" and call[-1] == "7"]
    assert [call[2] for call in conclusions] == ["/w/runs/1", "/w/runs/2"]


def test_a_task_that_is_cleared_ends_its_command(done):
    assert done["killed"].startswith("CommandFailed: ")
    assert "by signal 15" in done["killed"]
    assert done["killed_s"] < 30
