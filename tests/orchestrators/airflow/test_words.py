# SPDX-License-Identifier: Apache-2.0
"""What a task says to speechmill, by the parameters and the dates of its DAG run."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from speechmill.orchestrators._airflow_words import Asked, Window, asked, resuming, runs_of, shares, window, words

PLAN = ("plan", "{corpus}", "--tasks", "1000", "--json")
RESUME = ("plan", "{corpus}", "--newest", "--tasks", "1000", "--json")
EXEC = ("exec", "--run", "{run}", "--stages", "vad", "--shard", "{shards}")
DAY = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


def test_a_backfill_plans_the_dates_of_its_interval():
    dates = window("backfill", *DAY, catchup=False)
    assert words(PLAN, Asked(), dates)[5:] == ["--since", "2026-11-01", "--until", "2026-11-02"]


@pytest.mark.parametrize("kind", ["manual", "asset_triggered", "asset_materialization", "operator_triggered"])
def test_what_starts_by_hand_or_by_event_plans_everything(kind):
    assert window(kind, *DAY, catchup=True) == Window()


def test_a_cron_plans_its_dates_only_where_it_catches_up():
    assert window("scheduled", *DAY, catchup=False) == Window()
    assert window("scheduled", *DAY, catchup=True) == Window("2026-11-01", "2026-11-02")


def test_an_interval_that_ends_within_a_day_takes_that_day():
    dates = window("backfill", datetime(2026, 11, 1, 2), datetime(2026, 11, 2, 2), catchup=False)
    assert dates == Window("2026-11-01", "2026-11-03")


def test_no_interval_or_an_empty_one_is_no_dates():
    assert window("backfill", None, None, catchup=True) == Window()
    assert window("backfill", DAY[0], DAY[0], catchup=True) == Window()


def test_settings_and_a_limit_go_to_what_plans_and_what_crawls():
    ask = Asked(settings=("vad.threshold=0.6",), limit=5)
    assert words(PLAN, ask, Window(), ["align=none"])[5:] == [
        *("--set", "align=none", "--set", "vad.threshold=0.6"),
        *("--limit", "5"),
    ]
    assert words(("crawl", "fetch", "{corpus}"), ask, Window())[3:] == ["--set", "vad.threshold=0.6"]
    for planned in (RESUME, EXEC):  # a run that is there is as it was planned
        assert words(planned, ask, Window("2026-11-01", None), ["align=none"]) == list(planned)


def test_failed_recordings_are_tried_again_on_shards_only():
    ask = Asked(retry_failed=True)
    assert words(EXEC, ask, Window()) == [*EXEC, "--retry-failed"]
    assert words(("exec", "--run", "{run}", "--stages", "train"), ask, Window())[-1] == "train"


def test_parameters_that_are_not_given_change_nothing_and_a_wrong_one_is_named():
    assert asked({"settings": [], "limit": None, "run": None, "max_failed": 0}) == Asked(max_failed=0)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.limit"):
        asked({"limit": "many"})


def test_without_an_event_the_newest_run_is_gone_on_with():
    assert resuming(RESUME, []) == [list(RESUME)]


def test_several_runs_share_the_tasks_among_them():
    found = resuming(RESUME, ["/w/runs/1", "/w/runs/2", "/w/runs/3"])
    assert found[0] == ["plan", "{corpus}", "--tasks", "333", "--json", "--run", "/w/runs/1"]
    assert len(found) == 3


def test_a_run_of_all_recordings_makes_those_before_it_needless():
    by_date = [{"run": f"/w/runs/{n}", "since": "2026-11-01", "until": "2026-11-02"} for n in (1, 2, 4)]
    assert runs_of(by_date) == ["/w/runs/1", "/w/runs/2", "/w/runs/4"]
    assert runs_of([*by_date, {"run": "/w/runs/3"}]) == ["/w/runs/3", "/w/runs/4"]
    assert runs_of([{"run": "/w/runs/5"}, {"run": "/w/runs/6", "limit": 10}]) == ["/w/runs/5", "/w/runs/6"]
    assert runs_of([{"dag_run": "an event that names no run"}]) == []


def test_a_share_is_a_run_and_some_of_its_shards():
    planned = [{"run": "/w/runs/1", "ranges": ["0..2", "3"]}, {"run": "/w/runs/2", "ranges": []}]
    assert shares(planned) == [{"run": "/w/runs/1", "shards": "0..2"}, {"run": "/w/runs/1", "shards": "3"}]
