# SPDX-License-Identifier: Apache-2.0
"""What stands in the compiled pipelines, as kfp's protos read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.orchestrators.kubeflow import environment

CORPUS = {
    "name": "Small talks",
    "language": "en",
    "sources": [{"local": {"path": "audio"}}],
    "orchestrate": {
        "image": "registry.test/speechmill:1",
        "gpu_image": "registry.test/speechmill:1-gpu",
        "gpu": True,
        "volume": {"claim": "disk", "path": "/disk"},
        "parallel": 5,
        "workers": 3,
        "retries": 2,
        "retry_s": 30,
        "timeout_h": 2,
        "schedules": {"label": "30 2 * * *"},
    },
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "corpus.yaml").write_text(yaml.safe_dump(CORPUS))
    return environment.run("compiled.py", folder / "corpus.yaml", folder) | {"folder": folder}


@pytest.fixture(scope="module")
def label(rendered: Any) -> Any:
    return rendered["pipelines"]["small-talks-label.yaml"]["tasks"]


@pytest.fixture(scope="module")
def align(rendered: Any) -> Any:
    return rendered["pipelines"]["small-talks-align.yaml"]["tasks"]


def test_a_corpus_is_a_pipeline_and_each_of_its_flows_too(rendered: Any) -> None:
    assert rendered["files"] == [
        "small-talks.yaml",
        "small-talks-label.yaml",
        "small-talks-align.yaml",
        "recurring-runs.json",
    ]
    whole = rendered["pipelines"]["small-talks.yaml"]
    assert whole["name"] == "small-talks"
    assert whole["tasks"]["small-talks-align"]["after"] == ["small-talks-label"]
    assert whole["parameters"] == {
        "corpus": "/disk/small-talks.yaml",
        "settings": "",
        "since": "",
        "until": "",
        "run": "",
    }


def test_steps_follow_each_other_as_the_flow_says(label: Any) -> None:
    follows = {name: fact["after"] for name, fact in label.items() if "." not in name}
    assert follows == {
        "plan": [],
        "prepare": ["plan"],
        "transcribe": ["plan", "prepare"],
        "diarize": ["plan", "transcribe"],
        "segment": ["diarize", "plan"],
        "quality": ["plan", "segment"],
    }


def test_the_branch_is_outside_and_the_loop_inside(label: Any) -> None:
    count = "int(inputs.parameter_values['pipelinechannel--count'])"
    assert label["transcribe.condition-1"]["condition"] == f"{count} > 0"
    assert label["transcribe.condition-3"]["condition"] == f"{count} == 0"
    for name in ("transcribe.condition-1.for-loop-2", "transcribe.condition-3.for-loop-4", "prepare.for-loop-1"):
        assert label[name]["over"] == "pipelinechannel--ranges"
        assert label[name]["parallel"] == 5
    assert "transcribe.condition-3.for-loop-4.transcribe-given" in label


def test_a_step_gets_what_it_needs(label: Any) -> None:
    prepare = label["prepare.for-loop-1.prepare"]
    assert prepare["cpu"] == ["3.0", "3.0"]
    assert prepare["memory"] == ["3072Mi", "3072Mi"]
    assert prepare["gpu"] == ["", ""]
    assert prepare["image"] == "registry.test/speechmill:1"
    diarize = label["diarize.condition-1.for-loop-2.diarize"]
    assert diarize["gpu"] == ["nvidia.com/gpu", "1"]
    assert diarize["image"] == "registry.test/speechmill:1-gpu"
    assert label["diarize.condition-3.for-loop-4.diarize-given"]["gpu"] == ["", ""]


def test_all_tries_and_waits_fit_into_the_time_for_retries(label: Any, align: Any) -> None:
    tried = label["prepare.for-loop-1.prepare"]
    assert tried["retries"] == 2
    assert tried["backoff"] == [30, 2.0, 30 + 60 + 3 * 7200]
    assert align["conclude"]["retries"] == 0  # its failure is an answer


def test_only_shards_are_cached_by_kubeflow(label: Any, align: Any) -> None:
    cached = {name for name, fact in (label | align).items() if fact.get("cache")}
    assert {name.rpartition(".")[2] for name in cached} == {
        "prepare",
        "transcribe",
        "transcribe-given",
        "diarize",
        "diarize-given",
        "segment",
        "quality",
        "align",
    }
    assert all("for-loop" in name for name in cached)


def test_cache_can_be_turned_off(rendered: Any, tmp_path: Path) -> None:
    found = environment.run("compiled.py", rendered["folder"] / "corpus.yaml", tmp_path, "orchestrate.cache=false")
    tasks = found["pipelines"]["small-talks-label.yaml"]["tasks"]
    assert not any(fact.get("cache") for fact in tasks.values())


def test_each_pod_has_the_volume_a_time_limit_and_no_root(rendered: Any) -> None:
    leaves = [
        fact["platform"]
        for pipeline in rendered["pipelines"].values()
        for fact in pipeline["tasks"].values()
        if "image" in fact
    ]
    assert len(leaves) == 26  # thirteen tasks, each in its flow's pipeline and in the whole
    for platform in leaves:
        assert platform["securityContext"] == {"runAsNonRoot": True}
        assert platform["activeDeadlineSeconds"] == "7200"
        assert [(mount["constant"], mount["mountPath"]) for mount in platform["pvcMount"]] == [("disk", "/disk")]


def test_nothing_is_installed_when_a_task_starts(label: Any) -> None:
    assert not any(fact["installs"] for fact in label.values() if "image" in fact)


def test_the_end_gives_report_dataset_and_counts(align: Any) -> None:
    assert align["conclude"]["artifacts"] == {
        "report": "system.HTML",
        "dataset": "system.Dataset",
        "counts": "system.Metrics",
    }
    assert align["judge"]["after"] == ["conclude"]


def test_what_is_set_when_it_is_rendered_is_set_in_every_run(rendered: Any, tmp_path: Path) -> None:
    environment.run("compiled.py", rendered["folder"] / "corpus.yaml", tmp_path, "vad.threshold=0.6")
    for name, steps in (("small-talks-label", 1), ("small-talks", 1), ("small-talks-align", 0)):
        assert (tmp_path / f"{name}.yaml").read_text().count("vad.threshold=0.6") == steps


def test_a_trained_aligner_and_remote_sources_have_their_steps(rendered: Any, tmp_path: Path) -> None:
    settings = ("align=gmm", "sources=[{podcast: {feed: 'https://example.test/feed.xml'}}]")
    found = environment.run("compiled.py", rendered["folder"] / "corpus.yaml", tmp_path, *settings)["pipelines"]
    whole = found["small-talks.yaml"]["tasks"]
    assert whole["small-talks-label"]["after"] == ["small-talks-crawl"]
    assert whole["small-talks-crawl.download"]["after"] == ["describe"]
    assert whole["small-talks-align.train"]["after"] == ["resume"]
    assert whole["small-talks-align.align"]["after"] == ["resume", "train"]


def test_what_asks_databases_and_stores_has_their_secrets_if_there_are_any(rendered: Any) -> None:
    tasks = rendered["pipelines"]["small-talks-label.yaml"]["tasks"]
    having = {name: fact["platform"]["secretAsEnv"] for name, fact in tasks.items() if "secretAsEnv" in str(fact)}
    assert set(having) == {"plan"}
    (secret,) = having["plan"]
    assert secret["optional"]
    assert [one["envVar"] for one in secret["keyToEnv"]] == ["PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
