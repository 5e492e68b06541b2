# SPDX-License-Identifier: Apache-2.0
"""What Airflow reads from rendered corpora: every DAG is whole, and is what the corpus file asks for."""

from __future__ import annotations

import itertools
import json
import shutil
from graphlib import TopologicalSorter

import pytest

from speechmill.orchestrators._airflow_words import shares
from speechmill.pipeline.planned import ranges

pytestmark = pytest.mark.slow  # Airflow takes seconds to start, and is started four times

FULL = "Bản_tin_6h"
FLOWS = {"plain": ("label", "align"), "bare": ("label", "align"), FULL: ("crawl", "label", "align")}


def every_task(dags):
    return [(f"{dag}.{name}", task) for dag, made in dags.items() for name, task in made["tasks"].items()]


def test_each_flow_is_a_dag_and_none_has_an_error(dags):
    wanted = {f"{corpus}_{flow}" for corpus, flows in FLOWS.items() for flow in flows}
    assert set(dags) == wanted | {"trained_label", "trained_align"}


def test_no_task_waits_for_itself(dags):
    for made in dags.values():
        order = list(TopologicalSorter({name: task["after"] for name, task in made["tasks"].items()}).static_order())
        assert set(order) == set(made["tasks"])


def test_each_task_has_an_owner_a_text_a_timeout_and_retries_that_wait_longer_each_time(dags):
    for name, task in every_task(dags):
        assert task["owner"] == "speechmill", name
        assert task["doc"], name
        assert task["backoff"] == 2.0, name
        retries, wait, most, hours = (5, 30, 600, 3) if name.startswith(FULL) else (3, 60, 1800, 12)
        assert (task["retry_s"], task["retry_max_s"], task["timeout_h"]) == (wait, most, hours), name
        assert task["retries"] == (0 if name.endswith("conclude") else retries), name


def test_each_pool_that_a_task_waits_for_is_in_the_file_of_pools(dags, rendered):
    pools = {"default_pool"}.union(*(json.loads(path.read_text()) for path in rendered.glob("*_pools.json")))
    assert {task["pool"] for _name, task in every_task(dags)} <= pools
    tasks = dags[f"{FULL}_label"]["tasks"]
    assert {name for name, task in tasks.items() if task["pool"] == "speechmill_gpu"} == {"transcribe", "diarize"}
    assert {task["pool"] for task in dags[f"{FULL}_crawl"]["tasks"].values()} == {"speechmill_crawl"}


def test_tasks_that_hold_the_workspace_wait_for_each_other(dags):
    held = {name for name, task in every_task(dags) if task["pool"] == "speechmill_hold_trained"}
    assert held == {"trained_label.plan", *(f"trained_align.{name}" for name in ("train", "finish", "conclude"))}


def test_steps_over_shards_are_mapped_and_so_many_run_at_once(dags):
    tasks = dags[f"{FULL}_label"]["tasks"]
    mapped = {name for name, task in tasks.items() if task["mapped"]}
    assert mapped == {"prepare", "transcribe", "transcribe_given", "diarize", "diarize_given", "segment", "quality"}
    assert {tasks[name]["at_once"] for name in mapped} == {7}


def test_five_thousand_shards_are_never_more_tasks_than_airflow_maps(found):
    planned = [{"run": "/data/runs/1", "ranges": ranges(5000, 1000)}]
    assert len(shares(planned)) == 1000 < found["max_map_length"]


def test_a_stand_in_that_is_skipped_stops_nothing(dags):
    tasks = dags[f"{FULL}_label"]["tasks"]
    assert tasks["choose_transcribe"]["after"] == ["prepare"]
    assert tasks["transcribe"]["after"] == tasks["transcribe_given"]["after"] == ["choose_transcribe", "plan"]
    assert tasks["choose_diarize"]["after"] == ["transcribe", "transcribe_given"]
    assert {task["rule"] for _name, task in every_task(dags)} == {"none_failed"}


def test_what_a_corpus_has_no_use_for_is_no_task(dags):
    assert list(dags["bare_label"]["tasks"]) == ["plan", "prepare", "transcribe", "diarize", "segment", "give_segments"]
    assert list(dags["bare_align"]["tasks"]) == ["resume", "finish", "conclude"]
    assert dags["trained_align"]["tasks"]["align"]["after"] == ["resume", "train"]


def test_each_flow_starts_when_the_one_before_has_given(dags):
    for corpus, flows in FLOWS.items():
        for before, after in itertools.pairwise(flows):
            given = [name for task in dags[f"{corpus}_{before}"]["tasks"].values() for name in task["outlets"]]
            assert len(given) == 1
            assert f'"{given[0]}"' in json.dumps(dags[f"{corpus}_{after}"]["schedule"])


def test_a_flow_with_a_cron_starts_by_event_as_well(dags):
    label = dags[f"{FULL}_label"]["schedule"]
    assert label["__type"] == "airflow.timetables.assets.AssetOrTimeSchedule"
    assert label["__var"]["timetable"]["__type"] == "airflow.timetables.interval.CronDataIntervalTimetable"
    assert dags[f"{FULL}_crawl"]["schedule"]["__var"]["expression"] == "0 1 * * *"
    assert dags["plain_label"]["schedule"]["__type"] == "airflow.timetables.simple.AssetTriggeredTimetable"


def test_only_labelling_catches_up(dags):
    assert {name for name, made in dags.items() if made["catchup"]} == {f"{FULL}_label"}
    assert dags[f"{FULL}_label"]["start_date"] == "2026-11-01T00:00:00+00:00"


def test_a_flow_with_a_deadline_tells_who_is_to_know(dags):
    told = {"event": "late", "flow": f"{FULL}_label", "emails": ["speech@example.org"], "webhook": "alerts"}
    callback = "speechmill.orchestrators._airflow_callbacks.Tell"
    assert dags[f"{FULL}_label"]["deadlines"] == [{"hours": 6.5, "callback": callback, "told": told}]
    assert dags["plain_label"]["deadlines"] == []
    assert {made["on_failure"] for made in dags.values()} == {"failed"}


@pytest.mark.parametrize(
    ("dag", "sensor"),
    [(f"{FULL}_label", ("S3KeySensor", False, "reschedule")), ("trained_label", ("PathSensor", True, "poke"))],
)
def test_labelling_waits_for_what_it_is_told_to_and_takes_no_worker_meanwhile(dags, dag, sensor):
    tasks = dags[dag]["tasks"]
    found = tasks["wait_for"]
    assert (found["type"], found["deferrable"], found["mode"]) == sensor
    assert tasks["plan"]["after"] == ["wait_for"]
    assert "wait_for" not in dags["plain_label"]["tasks"]


def test_a_run_can_be_asked_for_other_things_by_hand(dags):
    assert dags["plain_label"]["params"] == {"settings": [], "limit": None, "retry_failed": False}
    assert dags["plain_align"]["params"] == {"max_failed": 0, "retry_failed": False, "run": None}
    assert dags[f"{FULL}_crawl"]["params"] == {"settings": []}


def test_a_dag_names_the_variables_that_change_it(dags):
    for variable in ("speechmill_command", "speechmill_corpus_plain", "speechmill_reports"):
        assert f"- `{variable}`: " in dags["plain_label"]["doc"]


def test_the_last_task_leads_to_the_report(dags):
    assert dags["plain_align"]["tasks"]["conclude"]["links"] == ["Report"]
    assert "workspace/report.html" in dags["plain_align"]["doc"]


def test_reading_gives_the_same_each_time_and_asks_no_database(in_airflow, rendered, dags):
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"
    again = in_airflow("dag_dump.py", rendered, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=nowhere)["dags"]
    assert {name: made["serialised"] for name, made in again.items()} == {
        name: made["serialised"] for name, made in dags.items()
    }


def test_with_the_kubernetes_executor_a_pod_has_what_its_step_needs(in_airflow, rendered, dags):
    executor = "LocalExecutor,KubernetesExecutor"
    found = in_airflow("dag_dump.py", rendered, AIRFLOW__CORE__EXECUTOR=executor)["dags"]
    tasks = found[f"{FULL}_label"]["tasks"]
    pod = tasks["transcribe"]["pod"]
    assert (pod["name"], pod["image"]) == ("base", "speechmill:gpu")
    assert pod["resources"]["limits"]["nvidia.com/gpu"] == pod["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert tasks["transcribe_given"]["pod"]["image"] == "speechmill:cpu"
    assert "nvidia.com/gpu" not in tasks["transcribe_given"]["pod"]["resources"]["limits"]
    assert dags[f"{FULL}_label"]["tasks"]["transcribe"]["pod"] is None


def test_a_file_stands_in_by_the_environment_and_a_mistake_in_it_is_shown_by_airflow(in_airflow, rendered, tmp_path):
    bare = (rendered.parent / "bare.yaml").read_text()
    (tmp_path / "other.yaml").write_text(bare.replace("name: bare", "name: other"))
    (tmp_path / "late.yaml").write_text(bare + "orchestrate: {catchup: true}")
    for name in ("bare", "plain"):
        shutil.copy(rendered / f"{name}_dags.py", tmp_path)
    found = in_airflow(
        "dag_dump.py",
        tmp_path,
        SPEECHMILL_CORPUS_BARE=str(tmp_path / "other.yaml"),
        SPEECHMILL_CORPUS_PLAIN=str(tmp_path / "late.yaml"),
    )
    assert set(found["dags"]) == {"other_label", "other_align"}
    assert "orchestrate.catchup: say with start_date (2026-01-31)" in "".join(found["errors"].values())
