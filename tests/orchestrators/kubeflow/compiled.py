# SPDX-License-Identifier: Apache-2.0
"""Render a corpus; read each pipeline back by kfp's protos, unknown fields refused; print what stands in it.

python compiled.py CORPUS FOLDER [FIELD=VALUE ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec

from speechmill import api
from speechmill.cli.output import parse_settings
from speechmill.orchestrators.kubeflow import render


class Pipeline:
    """A compiled pipeline."""

    def __init__(self, path: Path) -> None:
        pipeline, platform = yaml.safe_load_all(path.read_text(encoding="utf-8"))
        self.spec: Any = json_format.ParseDict(pipeline, PipelineSpec())
        deployed = json_format.MessageToDict(self.spec.deployment_spec)
        self._executors = json_format.ParseDict(deployed, PipelineDeploymentConfig()).executors
        parsed = json_format.ParseDict(platform, PlatformSpec())
        self._platforms = parsed.platforms["kubernetes"].deployment_spec.executors

    def facts(self) -> dict[str, Any]:
        root = self.spec.root
        parameters = {name: one.default_value.string_value for name, one in root.input_definitions.parameters.items()}
        tasks = {".".join(path): fact for path, fact in self._tasks(root.dag, ())}
        return {"name": self.spec.pipeline_info.name, "parameters": parameters, "tasks": tasks}

    def _tasks(self, dag: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        for name, task in dag.tasks.items():
            component = self.spec.components[task.component_ref.name]
            fact: dict[str, Any] = {"after": sorted(task.dependent_tasks)}
            if task.trigger_policy.condition:
                fact["condition"] = task.trigger_policy.condition
            if task.WhichOneof("iterator"):
                fact["parallel"] = task.iterator_policy.parallelism_limit
                fact["over"] = task.parameter_iterator.items.input_parameter
            if component.WhichOneof("implementation") == "dag":
                yield (*above, name), fact
                yield from self._tasks(component.dag, (*above, name))
            else:
                yield (*above, name), fact | self._leaf(task, component)

    def _leaf(self, task: Any, component: Any) -> dict[str, Any]:
        container = self._executors[component.executor_label].container
        platform = json_format.MessageToDict(self._platforms[component.executor_label])
        json_format.ParseDict(platform, KubernetesExecutorConfig())
        resources, retry = container.resources, task.retry_policy
        outputs = component.output_definitions.artifacts.items()
        return {
            "image": container.image,
            "cpu": (resources.resource_cpu_request, resources.resource_cpu_limit),
            "memory": (resources.resource_memory_request, resources.resource_memory_limit),
            "gpu": (resources.accelerator.resource_type, resources.accelerator.resource_count),
            "retries": retry.max_retry_count,
            "backoff": (retry.backoff_duration.seconds, retry.backoff_factor, retry.backoff_max_duration.seconds),
            "cache": task.caching_options.enable_cache,
            "installs": "pip install" in " ".join(container.command),
            "artifacts": {name: one.artifact_type.schema_title for name, one in outputs},
            "platform": platform,
        }


def main(corpus: str, folder: str, *settings: str) -> None:
    out = Path(folder)
    paths = render(api.corpus_of(corpus, None, parse_settings(settings)), out)
    pipelines = {path.name: Pipeline(path).facts() for path in paths if path.suffix == ".yaml"}
    print(json.dumps({"files": [path.name for path in paths], "pipelines": pipelines}))


if __name__ == "__main__":
    main(*sys.argv[1:])
