# SPDX-License-Identifier: Apache-2.0
"""What Kubeflow Pipelines can do; kfp isn't needed to say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechmill.core.errors import ConfigError, Unsupported
from speechmill.orchestrators import FEATURES, check, kubeflow
from speechmill.pipeline import spec
from speechmill.pipeline.spec import Corpus


def corpus(**orchestrate: Any) -> Corpus:
    raw = {"name": "Small talks", "sources": [{"local": {"path": "audio"}}], "orchestrate": orchestrate}
    return spec.resolve(raw, Path.cwd())


def test_every_feature_has_an_answer() -> None:
    assert tuple(kubeflow.CAPABILITIES) == FEATURES
    assert all(len(one.how) > 10 for one in kubeflow.CAPABILITIES.values())


@pytest.mark.parametrize(
    ("feature", "asked"),
    [
        ("deadline", {"deadline_h": {"label": 6}}),
        ("sensor", {"wait_for": "s3://bucket/key"}),
        ("backfill", {"catchup": True}),
        ("callback", {"emails": ["ops@example.test"]}),
        ("callback", {"webhook": "ops_chat"}),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_do(feature: str, asked: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=rf"^kubeflow: {feature}: .*orchestrate\."):
        check("kubeflow", kubeflow.CAPABILITIES, corpus(**asked))


def test_what_it_can_do_is_not_refused() -> None:
    check("kubeflow", kubeflow.CAPABILITIES, corpus(gpu=True, schedules={"crawl": "@daily"}))


def test_a_schedule_is_a_recurring_run_with_seconds() -> None:
    assert kubeflow.recurring_runs(corpus(schedules={"label": "30 2 * * 1"})) == [
        {
            "job_name": "small-talks-label",
            "pipeline_package_path": "small-talks-label.yaml",
            "cron_expression": "0 30 2 * * 1",
            "max_concurrency": 1,
            "no_catchup": True,
        }
    ]


def test_a_nickname_that_kubeflow_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="kubeflow knows no '@reboot'"):
        kubeflow.recurring_runs(corpus(schedules={"label": "@reboot"}))
