# SPDX-License-Identifier: Apache-2.0
"""The templates for Katib and KServe, by the vendors' models and by what they name."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.orchestrators.kubeflow import environment

from speechmill import api
from speechmill.cli.output import parse_settings

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "kubeflow"
EXPERIMENT, SERVICE = FOLDER / "experiment.yaml", FOLDER / "inferenceservice.yaml"
_PLACE = re.compile(r"\$\{trialParameters\.(\w+)\}")


def experiment() -> Any:
    return yaml.safe_load(EXPERIMENT.read_text(encoding="utf-8"))["spec"]


def command(values: dict[str, str]) -> list[str]:
    """The trial's command with each parameter's value."""
    template = experiment()["trialTemplate"]
    by_name = {one["name"]: values[one["reference"]] for one in template["trialParameters"]}
    (container,) = template["trialSpec"]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == template["primaryContainerName"]
    return [_PLACE.sub(lambda found: by_name[found[1]], word) for word in container["command"]]


def schemas(*asked: str) -> list[str]:
    if environment.PYTHON.exists() and not list(environment.PYTHON.parents[1].glob("lib/*/site-packages/kserve-*")):
        pytest.skip("the vendors' models are not here: make setup-pipelines")
    problems: list[str] = environment.run("schemas.py", *asked)
    return problems


def test_the_templates_fit_the_vendors_models() -> None:
    assert schemas(f"{EXPERIMENT}=katib.V1beta1Experiment", f"{SERVICE}=kserve.V1beta1InferenceService") == []


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    text = EXPERIMENT.read_text(encoding="utf-8")
    for right, wrong in (("maxTrialCount: 40", "maxTrialCount: x"), ("restartPolicy", "restrtPolicy")):
        assert right in text
        text = text.replace(right, wrong)
    (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
    assert schemas(f"{tmp_path / 'experiment.yaml'}=katib.V1beta1Experiment") == [
        "V1beta1Experiment.spec.max_trial_count: 'x' is no int",
        "trialSpec.spec.template.spec: unknown field restrtPolicy",
    ]


def test_every_parameter_is_a_field_of_the_corpus_file() -> None:
    least = {one["name"]: one["feasibleSpace"]["min"] for one in experiment()["parameters"]}
    words = command(least)
    assert not any("${" in word for word in words)
    settings = parse_settings([word.removeprefix("--set=") for word in words if word.startswith("--set=")])
    corpus = api.corpus_of(FOLDER / "tuning.yaml", None, settings)
    assert corpus.vad.config.threshold == 0.2
    assert corpus.segment.config.break_s == 0.3
    assert corpus.filter == ["has_text", "snr_db >= 0"]


def test_the_objective_is_what_a_trial_prints() -> None:
    from speechmill.orchestrators._kubeflow_trial import Score

    objective = experiment()["objective"]
    assert {objective["objectiveMetricName"], *objective["additionalMetricNames"]} == set(Score.__struct_fields__)
    module = command(dict.fromkeys(("threshold", "break-s", "snr-db"), "1"))[2]
    assert importlib.util.find_spec(module) is not None


def test_a_trial_writes_the_workspace_alone() -> None:
    assert experiment()["parallelTrialCount"] == 1
