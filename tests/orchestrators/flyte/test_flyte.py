# SPDX-License-Identifier: Apache-2.0
"""What Flyte is given of a corpus, as flytekit serialises it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.orchestrators.flyte.environment import package, script

from speechmill.core.errors import Unsupported
from speechmill.orchestrators import FEATURES
from speechmill.orchestrators.flyte import CAPABILITIES, render
from speechmill.pipeline import spec
from speechmill.pipeline.flow import flow_of
from speechmill.pipeline.spec import Corpus

PLAIN: dict[str, Any] = {"name": "Two talks", "language": "en", "sources": [{"local": {"path": "/data/audio"}}]}
FULL: dict[str, Any] = {
    "name": "podcasts",
    "language": "vi",
    "sources": [{"podcast": {"feed": "https://example.org/feed.xml"}}],
    "transcript": ["sidecar", "faster_whisper"],
    "diarize": "dvector",
    "align": None,
    "orchestrate": {
        "command": "/opt/speechmill/bin/speechmill",
        "image": "registry.example.org/speechmill:1",
        "gpu_image": "registry.example.org/speechmill:1-gpu",
        "gpu": True,
        "volume": {"claim": "corpora", "path": "/corpora"},
        "schedules": {"crawl": "0 3 * * *", "align": "@weekly"},
        "emails": ["ops@example.org"],
        "wait_for": "s3://bucket/ready",
        "parallel": 4,
        "retries": 5,
        "timeout_h": 2.0,
    },
}


def corpus_of(fields: dict[str, Any], **orchestrate: Any) -> Corpus:
    options = {**fields.get("orchestrate", {}), **orchestrate}
    return spec.resolve({**fields, "orchestrate": options}, Path("/data"))


def packaged(fields: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is in the package of a corpus, by kind and name."""
    (folder / "corpus.yaml").write_text(yaml.safe_dump(fields))
    found: dict[str, dict[str, Any]] = script("packaged.py", package(folder / "corpus.yaml", folder), folder=folder)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return packaged(PLAIN, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return packaged(FULL, tmp_path_factory.mktemp("full"))


def mapped(found: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the template of the map over a task."""
    (template,) = [
        task["template"] for key, task in found["tasks"].items() if re.search(rf"\.map_{name}_[0-9a-f]{{32}}-", key)
    ]
    return dict(template)


def container(template: dict[str, Any]) -> dict[str, Any]:
    (one,) = template["k8s_pod"]["pod_spec"]["containers"]
    return dict(one)


def nodes(found: dict[str, dict[str, Any]], workflow: str) -> list[dict[str, Any]]:
    return list(found["workflows"][workflow]["template"]["nodes"])


def test_every_feature_says_how_or_what_instead() -> None:
    assert set(CAPABILITIES) == set(FEATURES)
    assert all(capability.how.endswith(".") for capability in CAPABILITIES.values())


@pytest.mark.parametrize(
    ("asked", "advice"), [({"deadline_h": {"label": 2.0}}, "timeout_h"), ({"webhook": "chat"}, "emails")]
)
def test_what_flyte_cannot_do_is_refused_with_advice(asked: dict[str, Any], advice: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=advice):
        render(corpus_of(PLAIN, **asked), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_rendered_is_python_and_names_the_place_on_the_volume(tmp_path: Path) -> None:
    module, file = render(corpus_of({**PLAIN, "name": 'Văn "xuôi" \\d {x}'}), tmp_path)
    compile(module.read_text(), module.name, "exec")
    assert f"/data/{file.name}" in module.read_text()


def test_the_rendered_corpus_file_names_the_aligner_that_was_found(tmp_path: Path) -> None:
    _module, file = render(corpus_of(PLAIN), tmp_path)
    assert yaml.safe_load(file.read_text())["align"] == "pocketsphinx"


def test_workflows_are_named_by_corpus_and_flow(plain: dict[str, dict[str, Any]]) -> None:
    whole = {name for name in plain["workflows"] if not name.endswith(".shards")}
    assert whole == {"two_talks.label", "two_talks.align", "two_talks.everything", "two_talks.by_date"}


def test_the_steps_of_a_flow_come_one_after_the_other(plain: dict[str, dict[str, Any]]) -> None:
    label = nodes(plain, "two_talks.label")
    kinds = [next(key for key in node if key.endswith("_node")) for node in label]
    assert kinds == ["task_node", "array_node", "branch_node", "branch_node", "array_node", "array_node"]
    for earlier, later in itertools.pairwise(label):
        assert earlier["id"] in later["upstream_node_ids"]


def test_a_share_is_cached_by_the_fingerprint_of_its_step_and_its_token_alone(plain: dict[str, dict[str, Any]]) -> None:
    (step,) = [step for step in flow_of(corpus_of(PLAIN), "label").steps if step.name == "prepare"]
    metadata = mapped(plain, "two_talks.label.prepare")["metadata"]
    assert metadata["discoverable"] is True
    assert metadata["discovery_version"] == step.fingerprint
    assert metadata["cache_ignore_input_vars"] == ["run", "shards"]


def test_only_shares_are_cached(full: dict[str, dict[str, Any]]) -> None:
    cached = {name for name, task in full["tasks"].items() if task["template"]["metadata"].get("discoverable")}
    steps = {"prepare", "transcribe", "transcribe_given", "diarize", "diarize_given", "segment", "quality"}
    assert {name for name in cached if "map_" not in name} == {f"podcasts.label.{step}" for step in steps}
    assert len(cached) == 2 * len(steps)


def test_shares_are_an_array_with_so_many_at_once(full: dict[str, dict[str, Any]]) -> None:
    array = nodes(full, "podcasts.label")[2]["array_node"]
    assert array["parallelism"] == 4
    assert array["bound_inputs"] == ["run"]
    assert array.get("execution_mode", "MINIMAL_STATE") == "MINIMAL_STATE"
    assert array["node"]["metadata"]["retries"] == {"retries": 5}
    assert array["node"]["metadata"]["timeout"] == "7200s"


def test_the_counts_of_the_plan_choose_between_stand_ins(full: dict[str, dict[str, Any]]) -> None:
    branch = nodes(full, "podcasts.label")[3]["branch_node"]["if_else"]
    compared = branch["case"]["condition"]["comparison"]
    assert compared["operator"] == "GT"
    assert compared["left_value"]["var"].endswith(".untranscribed")
    assert compared["right_value"]["primitive"]["integer"] == "0"
    chosen = [
        one["workflow_node"]["sub_workflow_ref"]["name"] for one in (branch["case"]["then_node"], branch["else_node"])
    ]
    assert chosen == ["podcasts.label.transcribe.shards", "podcasts.label.transcribe_given.shards"]


def test_a_recogniser_gets_a_gpu_and_its_image_and_its_stand_in_does_not(full: dict[str, dict[str, Any]]) -> None:
    asked, given = (container(mapped(full, f"podcasts.label.{name}")) for name in ("transcribe", "transcribe_given"))
    assert asked["image"] == "registry.example.org/speechmill:1-gpu"
    assert (
        asked["resources"]["limits"] == asked["resources"]["requests"] == {"cpu": "1", "memory": "2048Mi", "gpu": "1"}
    )
    assert given["image"] == "registry.example.org/speechmill:1"
    assert "gpu" not in given["resources"]["limits"]


def test_a_pod_has_the_volume_and_no_more_rights_than_it_needs(full: dict[str, dict[str, Any]]) -> None:
    template = mapped(full, "podcasts.label.segment")
    pod = template["k8s_pod"]["pod_spec"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "corpora"}} in pod["volumes"]
    assert {"name": "data", "mountPath": "/corpora"} in container(template)["volumeMounts"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(template)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_only_steps_that_ask_others_see_secrets(full: dict[str, dict[str, Any]]) -> None:
    seeing = {
        name
        for name, task in full["tasks"].items()
        if "k8s_pod" in task["template"] and container(task["template"]).get("envFrom")
    }
    steps = ("crawl.describe", "crawl.download", "label.plan", "align.resume")
    assert seeing == {f"podcasts.{step}" for step in steps}


def test_a_container_is_told_its_whole_task(full: dict[str, dict[str, Any]]) -> None:
    words = container(full["tasks"]["podcasts.align.finish"]["template"])["args"]
    assert words[0] == "pyflyte-execute"
    assert words[words.index("--resolver") + 1] == "speechmill.orchestrators._flyte_tasks.steps"
    told = json.loads(words[-1])
    assert words[-2] == "podcasts.align.finish"
    assert told["step"]["command"] == ["exec", "--run", "{run}", "--stages", "finish"]
    assert told["options"]["command"] == "/opt/speechmill/bin/speechmill"
    assert "ops@example.org" not in words[-1]


def test_only_the_last_step_shows_a_deck(full: dict[str, dict[str, Any]]) -> None:
    showing = {name for name, task in full["tasks"].items() if task["template"]["metadata"].get("generates_deck")}
    assert showing == {"podcasts.align.conclude"}


def test_inputs_and_outputs_are_typed(plain: dict[str, dict[str, Any]]) -> None:
    interface = plain["workflows"]["two_talks.align"]["template"]["interface"]["outputs"]["variables"]
    assert interface["report"]["type"]["blob"] == {"format": "html"}
    assert interface["dataset"]["type"]["blob"] == {"dimensionality": "MULTIPART"}
    assert "structured_dataset_type" in interface["segments"]["type"]
    shares = mapped(plain, "two_talks.label.prepare")["interface"]["inputs"]["variables"]
    assert shares["run"]["type"] == {"blob": {"dimensionality": "MULTIPART"}}
    assert shares["shards"]["type"] == {"collection_type": {"simple": "STRING"}}


def test_labelling_waits_for_a_file_that_is_asked_for(full: dict[str, dict[str, Any]]) -> None:
    sensor, planning = nodes(full, "podcasts.label")[:2]
    (bound,) = sensor["inputs"]
    assert bound["binding"]["scalar"]["primitive"]["string_value"] == "s3://bucket/ready"
    assert full["tasks"]["podcasts.label.wait_for"]["template"]["type"] == "sensor"
    assert planning["upstream_node_ids"] == [sensor["id"]]


def test_a_cron_starts_its_flow_and_those_after_it_that_have_none(full: dict[str, dict[str, Any]]) -> None:
    crawl = full["launch_plans"]["podcasts.crawl.scheduled"]["spec"]
    assert crawl["entity_metadata"]["schedule"] == {"cron_schedule": {"schedule": "0 3 * * *"}}
    assert crawl["concurrency_policy"] == {"max": 1, "behavior": "CONCURRENCY_LIMIT_BEHAVIOR_SKIP"}
    onward = nodes(full, crawl["workflow_id"]["name"])
    assert [node["workflow_node"]["sub_workflow_ref"]["name"] for node in onward] == [
        "podcasts.crawl",
        "podcasts.label",
    ]
    assert onward[1]["upstream_node_ids"] == [onward[0]["id"]]
    align = full["launch_plans"]["podcasts.align.scheduled"]["spec"]
    assert align["workflow_id"]["name"] == "podcasts.align"


def test_the_run_that_is_labelled_is_the_one_that_is_aligned(plain: dict[str, dict[str, Any]]) -> None:
    label, align = nodes(plain, "two_talks.everything")
    bound = {one["var"]: one["binding"] for one in align["inputs"]}
    assert bound["run"]["promise"] == {"node_id": label["id"], "var": "path"}


def test_people_are_told_of_failures_by_mail(full: dict[str, dict[str, Any]]) -> None:
    (told,) = full["launch_plans"]["podcasts.align.told"]["spec"]["entity_metadata"]["notifications"]
    assert told == {
        "phases": ["FAILED", "TIMED_OUT", "ABORTED"],
        "email": {"recipients_email": ["ops@example.org"]},
    }


def test_a_trial_is_of_ten_recordings_whatever_is_asked(plain: dict[str, dict[str, Any]]) -> None:
    trial = plain["launch_plans"]["two_talks.label.trial"]["spec"]
    assert trial["fixed_inputs"]["literals"]["limit"]["scalar"]["primitive"] == {"integer": "10"}


def test_a_backfill_gives_each_date_to_its_execution(plain: dict[str, dict[str, Any]]) -> None:
    schedule = plain["launch_plans"]["two_talks.backfill"]["spec"]["entity_metadata"]["schedule"]
    assert schedule == {"cron_schedule": {"schedule": "0 0 * * *"}, "kickoff_time_input_arg": "kickoff"}
    label = nodes(plain, "two_talks.by_date")[1]
    bound = {one["var"]: one["binding"].get("promise", {}).get("var") for one in label["inputs"]}
    assert (bound["since"], bound["until"]) == ("since", "until")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("written")
    (folder / "corpus.yaml").write_text(yaml.safe_dump(PLAIN))
    found: dict[str, Any] = script("written.py", folder / "corpus.yaml", folder=folder)
    return found


def test_settings_and_the_aligner_are_in_the_commands_of_a_corpus_file(written: dict[str, Any]) -> None:
    commands = written["commands"]
    assert commands["plan"][-4:] == ["--set", 'align="pocketsphinx"', "--set", "vad.threshold=0.6"]
    assert "--set" not in commands["resume"]


def test_flyte_makes_a_backfill_of_the_launch_plan(written: dict[str, Any]) -> None:
    assert written["backfill"] == ["2026-11-01", "2026-11-03"]


def test_an_accident_is_recoverable_and_an_answer_is_not(written: dict[str, Any]) -> None:
    assert written["failures"] == {"0": "done", "1": "CommandFailed", "2": "recoverable", "-9": "recoverable"}


def test_a_kickoff_stands_for_the_dates_since_the_one_before(written: dict[str, Any]) -> None:
    assert written["dates"] == [["2026-11-01", "2026-11-02"], ["2026-11-02", "2026-11-03"]]


def test_a_cron_that_catches_up_works_by_date(written: dict[str, Any]) -> None:
    assert written["scheduled"] == ["two_talks.by_date", "kickoff", None]
